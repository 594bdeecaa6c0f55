"""Nodes: web and worker processes as on machines of their own, replaced when they die.

They share the database, the broker and the object store, and nothing else: every node has a data
folder of its own. Without an object store they share the output folder, as machines with a
network file system do.
"""

import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from benchmarks.plans import AMPLE, ample_plan
from benchmarks.ports import find_free_ports
from gen_video.clock import utc_now
from gen_video.settings import Settings
from tests.cluster.programs import (
    PROJECT_FOLDER,
    ClusterError,
    Program,
    describe,
    inherited_environment,
    wait_until,
)
from tests.cluster.servers import DatabaseServer, ObjectServer, RabbitServer, RedisServer, Server
from tests.journeys.load import make_accounts

LEASE_SECONDS = 3.0
DRAIN_SECONDS = 10.0
NOTICE_SECONDS = 2.0
PROBE_SECONDS = 1.0
START_SECONDS = 120.0
STOP_SECONDS = 30.0
KEEPER_SECONDS = 0.1
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 3.0
ENGINE_WORD = "gen_video.engines.child"
SHARED = {
    "ENABLE_TEST_MODEL": "1",
    "DEFAULT_IMAGE_MODEL": "test-double",
    "DEFAULT_VIDEO_MODEL": "test-double",
    "PRELOAD_MODELS": "",
    "RATE_LIMITS": "false",
    "LEASE_SECONDS": f"{LEASE_SECONDS:g}",
    "SWEEP_SECONDS": "0.5",
    "DRAIN_SECONDS": f"{DRAIN_SECONDS:g}",
    "DRAIN_NOTICE_SECONDS": f"{NOTICE_SECONDS:g}",
    # A job may be unlucky often: here nobody's patience with crashes is tested.
    "JOB_ATTEMPTS": "20",
    "LOG_FORMAT": "json",
}


class Node(Program):
    """A web or worker process; `is_wanted` says that whoever dies here is replaced."""

    def __init__(
        self, kind: str, number: int, *, folder: Path, environment: Mapping[str, str], port: int = 0
    ) -> None:
        super().__init__(
            f"{kind}-{number}",
            [sys.executable, "-m", "gen_video", kind],
            folder=folder,
            environment=environment,
        )
        self.kind = kind
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.is_wanted = False
        self.guard = threading.Lock()
        self._deaths = 0
        self._start_at = 0.0

    def begin(self) -> None:
        """Start the node and keep it running from now on."""
        with self.guard:
            self.is_wanted = True
            self.start()

    def look_after(self) -> int | None:
        """Replace a dead process when its time has come; return the exit code of a new death."""
        with self.guard:
            if not self.is_wanted or self.is_running():
                return None
            now = time.monotonic()
            if self._start_at == 0.0:
                self._deaths += 1
                pause = min(FIRST_PAUSE_SECONDS * 2 ** (self._deaths % 5), LONGEST_PAUSE_SECONDS)
                self._start_at = now + pause
                return self.poll()
            if now >= self._start_at:
                self._start_at = 0.0
                self.start()
            return None

    def drain(self) -> int:
        """Ask the process to stop, as a rolling upgrade does; return its exit code."""
        with self.guard:
            self.is_wanted = False
        self.ask_to_stop()
        return self.wait(seconds=STOP_SECONDS)

    def engines(self) -> list[int]:
        """Return the ids of the engine children."""
        found = []
        for process in self.descendants():
            with suppress(Exception):  # gone in between
                if ENGINE_WORD in process.cmdline():
                    found.append(int(process.pid))
        return found

    def is_ready(self) -> bool:
        """Tell whether a web node says that it takes work."""
        try:
            answer = httpx.get(
                f"{self.url}/api/v1/health/ready", timeout=PROBE_SECONDS, trust_env=False
            )
        except httpx.TransportError:
            return False
        return answer.is_success


class Cluster:
    """Servers and nodes, started together; use `running_cluster`.

    Args:
        broker: `redis`, `rabbitmq`, or `none`: then workers watch the database.
        has_objects: Files go to S3; else to one folder that all nodes share.
        settings: More settings for all nodes, without their prefix.
    """

    def __init__(
        self,
        folder: Path,
        *,
        broker: str,
        has_objects: bool,
        webs: int,
        workers: int,
        settings: Mapping[str, str],
    ) -> None:
        self.folder = folder
        self.database = DatabaseServer(folder / "postgres")
        self.redis = RedisServer(folder / "redis") if broker == "redis" else None
        self.rabbitmq = RabbitServer(folder / "rabbitmq") if broker == "rabbitmq" else None
        self.objects = ObjectServer(folder / "s3") if has_objects else None
        self.deaths: Counter[str] = Counter()
        self._settings = (
            SHARED | {"TIMEZONE": find_noon()} | self._shared_addresses() | dict(settings)
        )
        ports = find_free_ports(webs)
        self.webs = [self._node("web", number, port) for number, port in enumerate(ports, start=1)]
        self.workers = [self._node("worker", number, 0) for number in range(1, workers + 1)]
        self._is_over = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)

    @property
    def broker(self) -> RedisServer | RabbitServer | None:
        """Return the broker, None when there is none."""
        return self.redis or self.rabbitmq

    @property
    def nodes(self) -> list[Node]:
        """Return every node."""
        return [*self.webs, *self.workers]

    @property
    def servers(self) -> list[Server]:
        """Return every server."""
        servers: list[Server | None] = [self.database, self.broker, self.objects]
        return [server for server in servers if server is not None]

    def start(self) -> None:
        """Start everything, and return when every web node takes work."""
        with ThreadPoolExecutor() as threads:
            for started in [threads.submit(server.start) for server in self.servers]:
                started.result()
        done = self.run_command("migrate")
        if done.returncode != 0:
            raise ClusterError(f"migrate: {done.stdout}{done.stderr}")
        for node in self.nodes:
            node.begin()
        self._keeper.start()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait until every web node takes work and every worker has said that it is there."""
        for node in self.webs:
            wait_until(node.is_ready, seconds=START_SECONDS, what=f"{node.name} is ready")
        for node in self.workers:
            wait_until(node.is_running, seconds=START_SECONDS, what=f"{node.name} runs")

    def close(self) -> dict[str, int]:
        """Ask every node to stop and return the exit codes; then stop the servers."""
        codes = self._close_nodes()
        for server in self.servers:
            server.stop()
        return codes

    def destroy(self) -> None:
        """End whatever is left, whatever went wrong before."""
        self._is_over.set()
        for node in self.nodes:
            node.is_wanted = False
            with suppress(Exception):
                node.thaw()
                node.kill_tree()
        for server in self.servers:
            with suppress(Exception):
                server.stop()

    def left_behind(self) -> list[str]:
        """Say which processes of the nodes still live."""
        return [text for node in self.nodes for text in describe(node.living())]

    def run_command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of `gen-video` with the settings of the nodes."""
        return subprocess.run(
            [sys.executable, "-m", "gen_video", *arguments],
            cwd=PROJECT_FOLDER,
            env=inherited_environment() | self._environment("operator", 0),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def make_keys(self, count: int, *, units_per_day: int = AMPLE) -> list[str]:
        """Return keys of as many new accounts, each with so many pictures and videos a day."""
        settings = Settings(
            _env_file=None,
            data_dir=self.folder / "operator" / "data",
            database_url=self.database.url,
        )
        figures = {"images_per_day": units_per_day, "videos_per_day": units_per_day}
        return make_accounts(settings, ample_plan(f"units-{units_per_day}", **figures), count)

    def _shared_addresses(self) -> dict[str, str]:
        shared = {
            "DATABASE_URL": self.database.url,
            "BROKER_URL": "" if self.broker is None else self.broker.url,
        }
        if self.objects is not None:
            shared |= {
                "STORAGE_URL": self.objects.url,
                "S3_ENDPOINT": self.objects.endpoint,
                "S3_ACCESS_KEY_ID": "testing",
                "S3_SECRET_ACCESS_KEY": "testing",
            }
        return shared

    def _environment(self, name: str, port: int) -> dict[str, str]:
        folder = self.folder / name
        outputs = folder if self.objects is not None else self.folder
        chosen = self._settings | {
            "DATA_DIR": str(folder / "data"),
            "OUTPUT_DIR": str(outputs / "outputs"),
            "PORT": str(port or 8000),
        }
        return {f"GEN_VIDEO_{key}": text for key, text in chosen.items()}

    def _node(self, kind: str, number: int, port: int) -> Node:
        name = f"{kind}-{number}"
        environment = self._environment(name, port)
        return Node(kind, number, folder=self.folder / name, environment=environment, port=port)

    def _keep(self) -> None:
        while not self._is_over.wait(KEEPER_SECONDS):
            for node in self.nodes:
                code = node.look_after()
                if code is not None:
                    self.deaths[f"{node.kind} {code}"] += 1

    def _close_nodes(self) -> dict[str, int]:
        self._is_over.set()
        self._keeper.join()
        for node in self.nodes:
            node.is_wanted = False
        with ThreadPoolExecutor() as threads:
            codes = list(threads.map(Node.drain, self.nodes))
        return dict(zip([node.name for node in self.nodes], codes, strict=True))


def find_noon() -> str:
    """Return a time zone where it is noon: a run's quota day must not end in the middle."""
    offset = 12 - utc_now().hour
    return f"Etc/GMT{-offset:+d}"  # POSIX counts westwards


@contextmanager
def running_cluster(
    *,
    broker: str,
    has_objects: bool = True,
    webs: int = 2,
    workers: int = 3,
    settings: Mapping[str, str] | None = None,
    tell: Callable[[str], None] = lambda _text: None,
) -> Iterator[Cluster]:
    """Start a cluster in a temporary folder; afterwards nothing of it is left."""
    with tempfile.TemporaryDirectory(prefix="gen-video-cluster-") as name:
        folder = Path(name)
        # PostgreSQL runs as an account of its own and must get to its folder.
        folder.chmod(0o755)
        cluster = Cluster(
            folder,
            broker=broker,
            has_objects=has_objects,
            webs=webs,
            workers=workers,
            settings=settings or {},
        )
        try:
            started = time.monotonic()
            cluster.start()
            tell(f"cluster of {webs} web, {workers} workers: {time.monotonic() - started:.1f} s")
            yield cluster
        finally:
            cluster.destroy()
