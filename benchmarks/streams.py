"""P13: what open event streams cost while nothing happens, and how soon news reach them."""

import asyncio
import json
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure, milliseconds, percentile
from benchmarks.load import exchange, prepare_request
from benchmarks.plane import BODY, GENERATE, SETTINGS
from benchmarks.service import Target, running

STREAMS, JOBS = 1000, 100
IDLE_SECONDS = 20.0
SETTLE_SECONDS = 2.0
MIB = 1024 * 1024
ACCEPTED, DONE = 202, 200


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How much is measured: streams over so many queued jobs, seconds of silence."""

    streams: int = STREAMS
    jobs: int = JOBS
    idle_seconds: float = IDLE_SECONDS


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What was found.

    Attributes:
        memory_before: Bytes of the web process before the first stream.
        memory: Likewise with all streams open.
        cores: Processor time per second of silence.
        wake_seconds: From the request that ends a job to the last of its streams.
    """

    memory_before: int
    memory: int
    cores: float
    wake_seconds: list[float]


def measure_idle_streams(folder: Path, scale: Scale | None = None) -> list[Figure]:
    """P13: one web process, no worker: the jobs wait, and so do the streams."""
    chosen = scale or Scale()
    with running(folder, "web", settings=SETTINGS) as target:
        cost = asyncio.run(_measure(target, chosen))
    each = (cost.memory - cost.memory_before) / chosen.streams / 1024
    return [
        Figure(
            goal="P13",
            name=f"{chosen.streams} idle event streams: memory of the web process",
            value=round(cost.memory / MIB, 1),
            unit="MiB",
            must="≤ 300",
            details={"before_mib": round(cost.memory_before / MIB, 1), "kib_each": round(each, 1)},
        ),
        Figure(
            goal="P13",
            name=f"{chosen.streams} idle event streams: cores used by the web process",
            value=round(cost.cores, 3),
            unit="cores",
            must="≤ 0.1",
            details={"us_each_second": round(1e6 * cost.cores / chosen.streams, 1)},
        ),
        Figure(
            goal="P13",
            name=f"from a cancel to the end of the job's streams, {chosen.streams} open, p50",
            value=milliseconds(statistics.median(cost.wake_seconds)),
            unit="ms",
            must="≤ 250",
            details={"p99_ms": milliseconds(percentile(cost.wake_seconds, 0.99))},
        ),
    ]


async def _measure(target: Target, scale: Scale) -> Cost:
    web = target.web()
    jobs = [await _submit(target) for _ in range(scale.jobs)]
    before = web.memory_info().rss
    streams = [await _open(target, jobs[number % scale.jobs]) for number in range(scale.streams)]
    await asyncio.sleep(SETTLE_SECONDS)
    spent, started = web.cpu_times(), time.perf_counter()
    await asyncio.sleep(scale.idle_seconds)
    later, elapsed = web.cpu_times(), time.perf_counter() - started
    memory = web.memory_info().rss
    waits = [
        await _end(target, job, streams[number :: scale.jobs]) for number, job in enumerate(jobs)
    ]
    for _, writer in streams:
        writer.close()
    return Cost(
        memory_before=before,
        memory=memory,
        cores=(later.user + later.system - spent.user - spent.system) / elapsed,
        wake_seconds=waits,
    )


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _submit(target: Target) -> str:
    request = prepare_request("POST", GENERATE, key=target.key, body=BODY, prefer="respond-async")
    answer = await _call(target, request, expected=ACCEPTED)
    return str(json.loads(answer)["task_id"])


async def _call(target: Target, request: bytes, *, expected: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
    status, body = await exchange(reader, writer, request)
    writer.close()
    if status != expected:
        raise RuntimeError(f"answered {status}: {body[:200]!r}")
    return body


async def _open(target: Target, job: str) -> Stream:
    """Open a stream and read its first event: the job is queued."""
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
    writer.write(prepare_request("GET", f"/api/v1/jobs/{job}/events", key=target.key))
    await reader.readuntil(b"event: progress")
    return reader, writer


async def _end(target: Target, job: str, streams: list[Stream]) -> float:
    """Cancel a job; return the seconds until each of its streams has told so."""
    started = time.perf_counter()
    news = [asyncio.create_task(reader.readuntil(b"event: canceled")) for reader, _ in streams]
    await _call(
        target,
        prepare_request("POST", f"/api/v1/jobs/{job}/cancel", key=target.key),
        expected=DONE,
    )
    await asyncio.gather(*news)
    return time.perf_counter() - started
