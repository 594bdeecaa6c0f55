"""Scenarios: what happens to a cluster while its clients work."""

import asyncio
import random
import re
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import psutil
import psycopg
import redis
from kombu.exceptions import OperationalError

from tests.cluster.brokers import Forger, empty, list_queues
from tests.cluster.journal import TERMINAL, Journal
from tests.cluster.load import Mix, make_load
from tests.cluster.nodes import START_SECONDS, Cluster, Node
from tests.cluster.programs import ClusterError, wait_until
from tests.cluster.reckoning import Reckoning, Zombie
from tests.cluster.servers import Server

FORGED = 1000
ZOMBIE_SECONDS = 30.0
POLL_SECONDS = 0.1
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.6, 4.0
DATABASE_SECONDS = 5
QUICK = Mix()
LONG = Mix(longest_seconds=2.5, cancel_share=0.03)

_WORKER_ID = re.compile(r"-(\d+)-w?[0-9A-Za-z]+$")


@dataclass(kw_only=True)
class Stage:
    """Where a scenario plays."""

    cluster: Cluster
    keys: Sequence[str]
    journal: Journal
    reckoning: Reckoning
    seed: int
    tell: Callable[[str], None]
    troubles: list[str] = field(default_factory=list)
    ready: dict[int, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)  # noqa: S311 - repeatable

    def is_usable(self, web: int) -> bool:
        """Tell whether a web node is behind the balancer."""
        return self.ready.get(web, True)

    def note(self, fault: str) -> None:
        """Count a fault."""
        self.reckoning.faults[fault] += 1

    def query(self, sql: str, *parameters: object) -> list[tuple[object, ...]]:
        """Ask the database itself; nothing while it is away."""
        with (
            suppress(psycopg.Error),
            psycopg.connect(
                self.cluster.database.address, connect_timeout=DATABASE_SECONDS
            ) as connection,
        ):
            return connection.execute(sql, parameters).fetchall()
        return []


Scenario = Callable[[Stage, float], None]


def play(stage: Stage, name: str, *, seconds: float) -> None:
    """Play one scenario under load; returns when its clients have seen their jobs end."""
    scenario, mix = SCENARIOS[name]
    stage.tell(f"scenario {name}: {seconds:.0f} s")
    asyncio.run(_play(stage, scenario, mix, seconds))


async def _play(stage: Stage, scenario: Scenario, mix: Mix, seconds: float) -> None:
    is_over = threading.Event()

    def act() -> None:
        try:
            scenario(stage, seconds)
        finally:
            is_over.set()

    action = asyncio.create_task(asyncio.to_thread(act))
    await make_load(
        [node.url for node in stage.cluster.webs],
        stage.keys,
        stage.journal,
        is_over=is_over.is_set,
        seed=stage.seed + len(stage.journal.requests),
        mix=mix,
        is_usable=stage.is_usable,
        on_trouble=stage.troubles.append,
    )
    await action


def calm(_stage: Stage, seconds: float) -> None:
    """Do nothing to anybody."""
    time.sleep(seconds)


def storm(stage: Stage, seconds: float) -> None:
    """Kill workers, engines, web nodes, broker and database in turn; freeze the object store."""
    give_up_at = time.monotonic() + seconds
    longest_pause = min(LONGEST_PAUSE_SECONDS, max(SHORTEST_PAUSE_SECONDS, seconds / 15))
    outages: dict[str, Future[None]] = {}
    is_first = True  # however short the time is, everybody has a turn
    with ThreadPoolExecutor() as threads:
        while is_first or time.monotonic() < give_up_at:
            for victim in stage.dice.sample(victims := _victims(stage), len(victims)):
                time.sleep(stage.dice.uniform(SHORTEST_PAUSE_SECONDS / 2, longest_pause))
                if not is_first and time.monotonic() > give_up_at:
                    break
                if victim in {"worker", "web", "engine"}:
                    _kill_process(stage, victim)
                elif victim not in outages or outages[victim].done():
                    length = stage.dice.uniform(0.2, longest_pause)
                    outages[victim] = threads.submit(_break_server, stage, victim, length)
            is_first = False
        for outage in outages.values():
            outage.result()


def zombie(stage: Stage, seconds: float) -> None:
    """Let workers sleep beyond their lease in the middle of a job, and wake them again."""
    give_up_at = time.monotonic() + seconds
    while not _is_over(give_up_at, is_enough=bool(stage.reckoning.zombies)):
        running = stage.query(
            "SELECT id, fence, lease_owner FROM jobs WHERE state = 'running' ORDER BY id"
        )
        by_pid = {node.pid: node for node in stage.cluster.workers}
        found = [(row, by_pid.get(_worker_pid(row[2]))) for row in running]
        chances = [(row, node) for row, node in found if node is not None]
        if not chances:
            time.sleep(POLL_SECONDS)
            continue
        row, node = stage.dice.choice(chances)
        _make_zombie(stage, node, Zombie(job_id=str(row[0]), fence=int(str(row[1]))))


def flush(stage: Stage, seconds: float) -> None:
    """Empty the broker every second."""
    broker = stage.cluster.broker
    if broker is None:
        return calm(stage, seconds)
    queues = list_queues(broker)
    give_up_at = time.monotonic() + seconds
    while time.monotonic() < give_up_at:
        with suppress(redis.RedisError, OperationalError, OSError):
            empty(broker, queues)
            stage.note("broker emptied")
        time.sleep(1.0)
    return None


def forged(stage: Stage, seconds: float) -> None:
    """Put a thousand messages into the queues that no one of ours would write."""
    broker = stage.cluster.broker
    if broker is None:
        return calm(stage, seconds)
    give_up_at = time.monotonic() + seconds
    queues: set[str] = set()

    def are_seen() -> bool:
        queues.update(list_queues(broker))
        return bool(queues and stage.journal.endings)

    wait_until(
        are_seen,
        seconds=START_SECONDS,
        what="queues and finished jobs to forge for",
    )
    deaths = stage.cluster.deaths.total()
    marker = stage.cluster.folder / "unpickled"
    forger = Forger(
        broker,
        queues=sorted(queues),
        job_ids=sorted(stage.journal.owners),
        marker=marker,
        dice=stage.dice,
    )
    for _ in range(FORGED // 100):
        forger.send(100)
        time.sleep(max(0.0, min(seconds / (FORGED / 100), give_up_at - time.monotonic())))
    stage.reckoning.faults["messages forged"] += FORGED
    stage.reckoning.expect("a pickled message was read", holds=not marker.exists())
    died = stage.cluster.deaths.total() - deaths
    stage.reckoning.expect(f"{died} nodes died of forged messages", holds=died == 0)
    return None


def upgrade(stage: Stage, _seconds: float) -> None:
    """Restart every node in turn by SIGTERM, as a new version would; no client may notice.

    The balancer knows nothing but what the readiness probes say.
    """
    stage.troubles.clear()
    over = threading.Event()
    probers = [
        threading.Thread(target=_probe, args=(stage, number, node, over), daemon=True)
        for number, node in enumerate(stage.cluster.webs)
    ]
    for prober in probers:
        prober.start()
    try:
        for node in stage.cluster.nodes:
            code = node.drain()
            stage.note(f"{node.kind} upgraded")
            stage.reckoning.expect(f"{node.name} drained with code {code}", holds=code == 0)
            node.begin()
            if node.kind == "web":
                wait_until(node.is_ready, seconds=START_SECONDS, what=f"{node.name} is ready")
        time.sleep(1.0)
    finally:
        over.set()
        for prober in probers:
            prober.join()
        stage.ready.clear()
    troubles = [text for text in stage.troubles if text]
    stage.reckoning.expect(
        f"{len(troubles)} clients noticed the upgrade: {troubles[:5]}", holds=not troubles
    )


SCENARIOS: dict[str, tuple[Scenario, Mix]] = {
    "calm": (calm, QUICK),
    "storm": (storm, QUICK),
    "zombie": (zombie, LONG),
    "flush": (flush, QUICK),
    "forged": (forged, QUICK),
    "upgrade": (upgrade, QUICK),
}


def _is_over(give_up_at: float, *, is_enough: bool) -> bool:
    """Tell whether the time is over; what has not happened at all yet gets some more."""
    extra = 0.0 if is_enough else ZOMBIE_SECONDS
    return time.monotonic() > give_up_at + extra


def _victims(stage: Stage) -> list[str]:
    victims = ["worker", "worker", "engine", "web", "web", "database"]
    if stage.cluster.broker is not None:
        victims.append("broker")
    if stage.cluster.objects is not None:
        victims.append("objects")
    return victims


def _kill_process(stage: Stage, victim: str) -> None:
    nodes = stage.cluster.webs if victim == "web" else stage.cluster.workers
    node = stage.dice.choice(nodes)
    if victim != "engine":
        with node.guard:
            node.kill()
        stage.note(f"{victim} killed")
        return
    for pid in node.engines()[:1]:
        with suppress(psutil.NoSuchProcess):
            psutil.Process(pid).kill()
            stage.note("engine killed")


def _break_server(stage: Stage, victim: str, seconds: float) -> None:
    if victim == "objects":
        server = stage.cluster.objects
        _freeze(server, seconds)
        stage.note("objects frozen")
        return
    broken: Server | None = stage.cluster.database if victim == "database" else stage.cluster.broker
    if broken is None:
        return
    broken.kill()
    stage.note(f"{victim} killed")
    time.sleep(seconds)
    broken.start()


def _freeze(server: Server | None, seconds: float) -> None:
    if server is None:
        return
    server.freeze()
    try:
        time.sleep(seconds)
    finally:
        server.thaw()


def _make_zombie(stage: Stage, node: Node, found: Zombie) -> None:
    def is_elsewhere() -> bool:
        rows = stage.query("SELECT state, fence FROM jobs WHERE id = %s", found.job_id)
        return any(row[0] in TERMINAL or int(str(row[1])) > found.fence + 1 for row in rows)

    pid = node.pid
    # With its engine: a paused machine. Alone: the engine finishes meanwhile, and the worker
    # wakes up with a finished picture in its hands.
    node.freeze(has_children=stage.dice.random() < 0.5)
    try:
        # Between the look and the signal the job may have ended: then there is no zombie.
        [row] = stage.query("SELECT state, fence FROM jobs WHERE id = %s", found.job_id) or [()]
        if row != ("running", found.fence):
            return
        stage.note("worker frozen beyond its lease")
        stage.reckoning.zombies.append(found)
        with suppress(ClusterError):
            wait_until(
                is_elsewhere, seconds=ZOMBIE_SECONDS, what="run elsewhere", pause_seconds=0.2
            )
            stage.note("job of a frozen worker run elsewhere")
    finally:
        node.thaw()
    time.sleep(stage.dice.uniform(0.5, 2.0))
    stage.reckoning.expect(
        f"{node.name} died of waking up", holds=node.is_running() and node.pid == pid
    )


def _worker_pid(worker_id: object) -> int:
    match = _WORKER_ID.search(str(worker_id))
    return int(match[1]) if match else 0


def _probe(stage: Stage, number: int, node: Node, over: threading.Event) -> None:
    """Ask a web node whether it is ready, as a balancer does."""
    while not over.wait(POLL_SECONDS):
        stage.ready[number] = node.is_ready()
