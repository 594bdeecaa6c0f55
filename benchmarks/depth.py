"""P14: what a million queued jobs cost: submitting, claiming, finishing, asking for the place."""

import asyncio
import random
import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection, text

from benchmarks.backlog import (
    MODEL,
    QUEUE,
    QUEUE_LIMIT,
    REQUEST,
    Backlog,
    filled,
    job_id,
)
from benchmarks.databases import fresh_database, has_postgresql
from benchmarks.figures import Figure, milliseconds, percentile, ratio_of_medians
from benchmarks.load import closed_loop, prepare_request
from benchmarks.plane import BODY, GENERATE
from benchmarks.ports import find_free_port
from benchmarks.service import PATIENCE_SECONDS, Target, running, start
from gen_video.accounts.models import Caller
from gen_video.clock import utc_now
from gen_video.db.schema import EPOCH
from gen_video.generation.execution import WorkerProfile

DEEP = 1_000_000
SHALLOW = 1_000
WARM_UP = 5
OPERATIONS = 80
QUESTIONS = 900
LOST = 10_000
SWEEPS = 10
LOAD_SECONDS = 4.0
POLL_SECONDS = 0.02
MIB = 1024 * 1024
_LOSE = """
UPDATE jobs SET state = 'running', lease_owner = 'gone', lease_expires_at = :past,
    started_at = :past, attempt = 1, fence = fence + 1
WHERE id IN (
    SELECT id FROM jobs WHERE state = 'queued' AND start_tag IS NOT NULL
    ORDER BY queue, rank, start_tag, id LIMIT :lost
)
"""
_LOST_ATTEMPTS = """
INSERT INTO job_attempts (job_id, fence, worker_id, started_at)
SELECT id, fence, lease_owner, started_at FROM jobs WHERE lease_owner = 'gone'
"""
PROFILE = WorkerProfile(worker_id="bench", queues=(QUEUE,), models=(MODEL,))


def measure_depth(folder: Path) -> list[Figure]:
    """P14: both databases, a million jobs against a thousand, turn by turn."""
    figures = _measure(folder / "sqlite", "SQLite")
    if has_postgresql():
        figures += _measure(folder / "postgresql", "PostgreSQL")
    return figures


def _measure(folder: Path, make: str) -> list[Figure]:
    with ExitStack() as stack:

        def fill(jobs: int) -> Backlog:
            place = folder / str(jobs)
            place.mkdir(parents=True)
            url = stack.enter_context(fresh_database()) if make == "PostgreSQL" else ""
            return stack.enter_context(filled(place, url=url, jobs=jobs))

        before = time.perf_counter()
        deep = fill(DEEP)
        filling = time.perf_counter() - before
        shallow = fill(SHALLOW)
        return [
            *_compare(deep, shallow, make, filling=filling),
            *_ask(deep, make),
            _weigh(folder, deep, make),
            *_recover(folder, deep, make),
        ]


def _compare(deep: Backlog, shallow: Backlog, make: str, *, filling: float) -> list[Figure]:
    """Submit, claim and finish as many as were submitted, so that the depth stays.

    The two take turns at every single operation: what else the machine does then meets both.
    """
    samples: dict[str, tuple[list[float], list[float]]] = {}
    for number in range(WARM_UP + OPERATIONS):
        for plan in deep.accounts:
            for side, backlog in enumerate((deep, shallow)):
                for name, seconds in _turn(backlog, plan, number).items():
                    if number >= WARM_UP:
                        samples.setdefault(name, ([], []))[side].append(seconds)
    return [
        _figure_of_rates(f"{make}: {name}", *sides, filling=filling)
        for name, sides in samples.items()
    ]


def _turn(backlog: Backlog, plan: str, number: int) -> dict[str, float]:
    """Return the seconds of a submission of an account, and of a claim and its end."""
    caller = backlog.caller(plan, number)
    services = backlog.services
    began = time.perf_counter()
    services.jobs.submit(caller, REQUEST)
    submitted = time.perf_counter()
    job = services.execution.claim(PROFILE, resident=(MODEL,))
    claimed = time.perf_counter()
    if job is None:
        raise RuntimeError("nothing to claim")
    delivery = backlog.deliver(job)
    finishing = time.perf_counter()
    names = services.execution.finish(job, [delivery])
    finished = time.perf_counter()
    services.objects.publish(delivery.storage_key, names[0])
    return {
        f"submit ({plan})": submitted - began,
        "claim": claimed - submitted,
        "finish": finished - finishing,
    }


def _figure_of_rates(
    name: str, deep: Sequence[float], shallow: Sequence[float], *, filling: float
) -> Figure:
    middle, low, high = ratio_of_medians(shallow, deep)
    return Figure(
        goal="P14",
        name=f"{name}, rate at 10⁶ queued ÷ at 10³",
        value=round(middle, 3),
        unit="×",
        must="≥ 0.85",
        low=round(low, 3),
        high=round(high, 3),
        details={
            "deep_per_second": round(1 / statistics.median(deep), 1),
            "shallow_per_second": round(1 / statistics.median(shallow), 1),
            "fill_seconds": round(filling, 1),
        },
    )


def _ask(deep: Backlog, make: str) -> list[Figure]:
    """Time the page of one job: its row, its place, its estimate."""
    dice = random.Random(0)  # noqa: S311 - a sample, not a secret
    groups: dict[str, list[float]] = {"competing": [], "in the backlog": [], "behind 10⁵ own": []}
    while min(map(len, groups.values())) < QUESTIONS // len(groups):
        number = dice.randrange(deep.jobs // 2, deep.jobs)
        kind = number % 10
        name = "behind 10⁵ own" if kind == 0 else "competing" if kind > 5 else "in the backlog"  # noqa: PLR2004 - see backlog
        owner = _owner(deep, number)
        before = time.perf_counter()
        deep.services.jobs.get(owner, job_id(number))
        groups[name].append(time.perf_counter() - before)
    return [
        Figure(
            goal="P14",
            name=f"{make}: place and estimate at 10⁶, job {name}, p99",
            value=milliseconds(percentile(spent, 0.99)),
            unit="ms",
            must="≤ 10",
            details={"p50_ms": milliseconds(statistics.median(spent)), "samples": len(spent)},
        )
        for name, spent in groups.items()
    ]


def _owner(backlog: Backlog, number: int) -> Caller:
    kind = number % 10
    if kind == 0:
        return backlog.caller("giant", 0)
    if kind > 5:  # noqa: PLR2004 - see backlog
        return backlog.caller("open", number // 10 * 4 + kind - 6)
    return backlog.caller("bulk", number // 10 * 5 + kind - 1)


def _weigh(folder: Path, deep: Backlog, make: str) -> Figure:
    """Weigh a web process that answers submissions and questions about jobs for a while."""
    with running(folder, "web", settings=_settings(deep)) as target:
        per_second = asyncio.run(_load(target, deep))
        web = target.web()
        weight = web.memory_info().rss / MIB
    return Figure(
        goal="P14",
        name=f"{make}: memory of a web process at 10⁶",
        value=round(weight, 1),
        unit="MiB",
        must="≤ 300",
        details=per_second,
    )


async def _load(target: Target, deep: Backlog) -> dict[str, float]:
    submit = prepare_request("POST", GENERATE, key=target.key, body=BODY, prefer="respond-async")
    result = await closed_loop(target.port, submit, connections=16, seconds=LOAD_SECONDS)
    if result.failures:
        raise RuntimeError(f"{result.failures} submissions failed")
    quota = prepare_request("GET", "/api/v1/quota", key=target.key)
    listing = prepare_request("GET", "/api/v1/jobs?limit=100", key=target.key)
    await closed_loop(target.port, quota, connections=16, seconds=LOAD_SECONDS)
    await closed_loop(target.port, listing, connections=16, seconds=LOAD_SECONDS)
    return {"submits_per_second": round(result.per_second, 1), "queued": deep.jobs}


def _recover(folder: Path, deep: Backlog, make: str) -> list[Figure]:
    """Start a worker over a million jobs, ten thousand of which were lost with their workers."""
    database = deep.services.database
    database.write(_lose)
    before = time.perf_counter()
    swept = sum(deep.services.sweeper.sweep().requeued for _ in range(SWEEPS))
    per_second = swept / (time.perf_counter() - before)
    started = time.perf_counter()
    settings = _settings(deep)
    worker = start(folder, "worker", port=find_free_port(), settings=settings)
    try:
        first = _wait_for_attempt(deep) - started
    finally:
        worker.terminate()
        worker.wait(timeout=PATIENCE_SECONDS)
    return [
        Figure(
            goal="P14",
            name=f"{make}: worker start to its first claim at 10⁶",
            value=round(first, 2),
            unit="s",
            must="≤ 10",
            details={"lost_jobs": LOST},
        ),
        Figure(
            goal="P14",
            name=f"{make}: lost jobs requeued by one sweeper at 10⁶",
            value=round(per_second, 1),
            unit="1/s",
            must="",
            details={"swept": swept, "sweeps": SWEEPS},
        ),
    ]


def _lose(connection: Connection) -> None:
    """Let a part of the jobs run under leases that have run out."""
    past = (utc_now() - EPOCH) // timedelta(microseconds=1) - 1_000_000
    connection.execute(text(_LOSE), {"past": past, "lost": LOST})
    connection.execute(text(_LOST_ATTEMPTS))


def _wait_for_attempt(deep: Backlog) -> float:
    """Wait until the started worker has claimed; return the moment."""
    query = text("SELECT 1 FROM job_attempts WHERE worker_id NOT IN ('gone', 'bench') LIMIT 1")
    give_up_at = time.perf_counter() + PATIENCE_SECONDS
    while time.perf_counter() < give_up_at:
        if deep.services.database.read(lambda connection: connection.execute(query).first()):
            return time.perf_counter()
        time.sleep(POLL_SECONDS)
    raise TimeoutError("the worker claimed nothing")


def _settings(deep: Backlog) -> dict[str, str]:
    return {
        "DATABASE_URL": deep.services.settings.effective_database_url,
        "ENABLE_TEST_MODEL": "1",
        "DEFAULT_IMAGE_MODEL": MODEL,
        "PRELOAD_MODELS": "",
        "QUEUE_LIMIT": str(QUEUE_LIMIT),
        "RATE_LIMITS": "false",
    }
