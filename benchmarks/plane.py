"""P10 and P13: the control plane, without any engine."""

import asyncio
import json
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures import Figure, milliseconds, percentile, ratio_of_medians
from benchmarks.load import LoadResult, closed_loop, exchange, prepare_request
from benchmarks.ports import find_free_port
from benchmarks.service import PROJECT_FOLDER, Target, running, wait_for

GENERATE = "/api/v1/images/generate"
FIELDS = {"prompt": "nothing", "width": 64, "height": 64, "num_inference_steps": 1}
BODY = json.dumps(FIELDS).encode()
SETTINGS = {
    "ENABLE_TEST_MODEL": "1",
    "DEFAULT_IMAGE_MODEL": "test-double",
    "PRELOAD_MODELS": "",
    "QUEUE_LIMIT": "1000000",
}
CONNECTIONS = 16
ROUNDS = 5
ROUND_SECONDS = 2.0
SUBMITS = 300
STREAMS = 1000
STREAM_SECONDS = 10.0

Side = Callable[[], Awaitable[LoadResult]]


def measure_submit(folder: Path) -> list[Figure]:
    """P10: from sending a request to its durable acceptance, one at a time."""
    with running(folder, "web", settings=SETTINGS) as target:
        spent = asyncio.run(_submit_one_by_one(target))
    disk = _commit_seconds(folder / "commits.sqlite3")
    details = {"bare_commit_p50_ms": milliseconds(statistics.median(disk))}
    return [
        Figure(
            goal="P10",
            name=f"submit acknowledged, {label}",
            value=milliseconds(value),
            unit="ms",
            must=must,
            details=details,
        )
        for label, value, must in (
            ("p50", percentile(spent, 0.5), "≤ 4"),
            ("p99", percentile(spent, 0.99), "≤ 15"),
        )
    ]


def measure_plane(folder: Path) -> list[Figure]:
    """P13: quota, job status and durable submit against a bare application."""
    with running(folder, "web", settings=SETTINGS) as target, _bare() as bare:
        job = asyncio.run(_submit(target))
        ask_quota = prepare_request("GET", "/api/v1/quota", key=target.key)
        ask_job = prepare_request("GET", f"/api/v1/jobs/{job}", key=target.key)
        submit = prepare_request(
            "POST", GENERATE, key=target.key, body=BODY, prefer="respond-async"
        )
        bare_quota = prepare_request("GET", "/quota", key=target.key)
        bare_submit = prepare_request("POST", "/generate", body=BODY)
        return [
            _compare(
                "GET quota ÷ bare FastAPI", "≥ 0.35", (target.port, ask_quota), (bare, bare_quota)
            ),
            _compare(
                "GET job ÷ bare FastAPI", "≥ 0.35", (target.port, ask_job), (bare, bare_quota)
            ),
            _compare(
                "durable submit ÷ bare FastAPI",
                "≥ 0.10",
                (target.port, submit),
                (bare, bare_submit),
            ),
        ]


def measure_streams(folder: Path) -> list[Figure]:
    """P13: processor time of the web process while 1,000 clients follow running jobs."""
    with running(folder, "serve", settings=SETTINGS) as target:
        cores = asyncio.run(_follow(target))
    return [
        Figure(
            goal="P13",
            name=f"{STREAMS} event streams: cores used by the web process",
            value=round(cores, 2),
            unit="cores",
            must="≤ 1",
        )
    ]


def _compare(name: str, must: str, ours: tuple[int, bytes], theirs: tuple[int, bytes]) -> Figure:
    rates: tuple[list[float], list[float]] = ([], [])
    for number in range(ROUNDS + 1):
        for side, (port, request) in enumerate((ours, theirs)):
            result = asyncio.run(
                closed_loop(port, request, connections=CONNECTIONS, seconds=ROUND_SECONDS)
            )
            if result.failures:
                raise RuntimeError(f"{name}: {result.failures} requests failed")
            if number:
                rates[side].append(result.per_second)
    middle, low, high = ratio_of_medians(*rates)
    details = {
        "ours_per_second": round(statistics.median(rates[0]), 1),
        "bare_per_second": round(statistics.median(rates[1]), 1),
    }
    return Figure(
        goal="P13",
        name=name,
        value=round(middle, 3),
        unit="×",
        must=must,
        low=round(low, 3),
        high=round(high, 3),
        details=details,
    )


async def _submit(target: Target, *, prompt: str = "nothing") -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
    body = json.dumps(FIELDS | {"prompt": prompt, "num_inference_steps": 500}).encode()
    request = prepare_request("POST", GENERATE, key=target.key, body=body, prefer="respond-async")
    _, answer = await exchange(reader, writer, request)
    writer.close()
    return str(json.loads(answer)["task_id"])


async def _submit_one_by_one(target: Target) -> list[float]:
    request = prepare_request("POST", GENERATE, key=target.key, body=BODY, prefer="respond-async")
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
    spent = []
    for number in range(SUBMITS + 20):
        before = time.perf_counter()
        status, _ = await exchange(reader, writer, request)
        if status != 202:  # noqa: PLR2004 - accepted
            raise RuntimeError(f"submit answered {status}")
        if number >= 20:  # noqa: PLR2004 - warm by then
            spent.append(time.perf_counter() - before)
    writer.close()
    return spent


async def _follow(target: Target) -> float:
    job = await _submit(target, prompt=f"sleep={2 * STREAM_SECONDS}")
    request = prepare_request("GET", f"/api/v1/jobs/{job}/events", key=target.key)
    writers = []
    drains = []
    for _ in range(STREAMS):
        reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
        writer.write(request)
        writers.append(writer)
        drains.append(asyncio.create_task(_drain(reader)))
    await asyncio.sleep(2)
    web = target.web()
    before, started = web.cpu_times(), time.perf_counter()
    await asyncio.sleep(STREAM_SECONDS)
    after, elapsed = web.cpu_times(), time.perf_counter() - started
    for writer in writers:
        writer.close()
    lines = sum(await asyncio.gather(*drains))
    if lines < STREAMS:
        raise RuntimeError(f"only {lines} chunks arrived")
    return float(after.user + after.system - before.user - before.system) / elapsed


async def _drain(reader: asyncio.StreamReader) -> int:
    chunks = 0
    try:
        while await reader.read(65536):
            chunks += 1
    except ConnectionError:
        return chunks
    return chunks


def _commit_seconds(path: Path) -> list[float]:
    """Time the smallest durable commit that this disk allows."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE t (n INTEGER)")
    spent = []
    for number in range(SUBMITS):
        before = time.perf_counter()
        connection.execute("INSERT INTO t VALUES (?)", (number,))
        spent.append(time.perf_counter() - before)
    connection.close()
    return spent


@contextmanager
def _bare() -> Iterator[int]:
    port = find_free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.bare_app", str(port)], cwd=PROJECT_FOLDER
    )
    try:
        wait_for(port, "/openapi.json")
        yield port
    finally:
        process.terminate()
        process.wait()
