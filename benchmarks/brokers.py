"""P9 on many machines: what a synchronous call takes with PostgreSQL, with and without a broker."""

import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
from redis import Redis

from benchmarks.databases import answers, fresh_database, has_postgresql
from benchmarks.figures import Figure, milliseconds, percentile
from benchmarks.pictures import GENERATE
from benchmarks.service import running

JOBS = 200
WARM_UP = 10
IDLE_SECONDS = 0.02
"""Between two calls, so that the worker has gone to sleep and has to be woken."""

REDIS_URL = os.environ.get("GEN_VIDEO_TEST_REDIS_URL", "redis://127.0.0.1:6379/0")  # noqa: TID251 - as for the tests
RABBITMQ_URL = os.environ.get("GEN_VIDEO_TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//")  # noqa: TID251 - as above
BODY = {"prompt": "nothing", "width": 64, "height": 64, "num_inference_steps": 1}


def measure_brokers(folder: Path) -> list[Figure]:
    """P9: the same call with the database's own notifications, Redis and RabbitMQ.

    SQLite's figure comes along: on a busy machine only the differences mean something.
    """
    if not has_postgresql():
        return []
    figures = _measure(folder / "sqlite", "SQLite, no broker", must=("≤ 5", "≤ 15"))
    figures += _measure_on_postgresql(folder / "none", "no broker", must=("≤ 5", "≤ 15"))
    must = ("≤ 12", "")
    if answers(REDIS_URL, port=6379):
        with _redis_of_its_own() as broker:
            figures += _measure_on_postgresql(folder / "redis", "Redis", must=must, broker=broker)
    if answers(RABBITMQ_URL, port=5672):
        place = folder / "rabbitmq"
        figures += _measure_on_postgresql(place, "RabbitMQ", must=must, broker=RABBITMQ_URL)
    return figures


def _measure_on_postgresql(
    folder: Path, name: str, *, must: tuple[str, str], broker: str = ""
) -> list[Figure]:
    with fresh_database() as url:
        return _measure(folder, f"PostgreSQL, {name}", must=must, database=url, broker=broker)


def _measure(
    folder: Path, name: str, *, must: tuple[str, str], database: str = "", broker: str = ""
) -> list[Figure]:
    folder.mkdir(parents=True)
    settings = {
        "DATABASE_URL": database,
        "BROKER_URL": broker,
        "ENABLE_TEST_MODEL": "1",
        "DEFAULT_IMAGE_MODEL": "test-double",
        "PRELOAD_MODELS": "",
        "RATE_LIMITS": "false",
    }
    with running(folder, "serve", settings=settings) as target:
        spent = _call(target.url, target.key)
    return [
        Figure(
            goal="P9",
            name=f"added latency, {name}, {label}",
            value=milliseconds(percentile(spent, share)),
            unit="ms",
            must=limit,
            details={"mean_ms": milliseconds(statistics.fmean(spent))},
        )
        for (label, share), limit in zip((("p50", 0.5), ("p99", 0.99)), must, strict=True)
    ]


def _call(url: str, key: str) -> list[float]:
    spent = []
    with httpx.Client(
        base_url=url, headers={"X-API-Key": key}, timeout=120, trust_env=False
    ) as client:
        for number in range(WARM_UP + JOBS):
            time.sleep(IDLE_SECONDS)
            before = time.perf_counter()
            client.post(GENERATE, json=BODY).raise_for_status()
            if number >= WARM_UP:
                spent.append(time.perf_counter() - before)
    return spent


@contextmanager
def _redis_of_its_own() -> Iterator[str]:
    """Give a Redis database that nobody uses, and remove what was left in it."""
    base = REDIS_URL.rpartition("/")[0]
    for number in range(15, 0, -1):
        with Redis.from_url(f"{base}/{number}") as client:
            if client.dbsize():
                continue
            mark = f"bench-{uuid4().hex}"
            client.set(mark, "", ex=600)
            try:
                yield f"{base}/{number}"
            finally:
                for key in client.scan_iter():
                    client.delete(key)
            return
    raise RuntimeError("every Redis database is in use")
