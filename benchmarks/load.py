"""A small HTTP/1.1 load generator: prepared bytes on kept connections, as cheap as Python allows.

A full client would be the slowest part of what it measures.
"""

import asyncio
import time
from dataclasses import dataclass

CONTENT_LENGTH = b"content-length:"
END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """Answers per second, each answer's seconds, and how many were no success."""

    per_second: float
    seconds: list[float]
    failures: int


def prepare_request(
    method: str, path: str, *, key: str = "", body: bytes = b"", prefer: str = ""
) -> bytes:
    """Return a whole request as bytes."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    if key:
        lines.append(f"X-API-Key: {key}")
    if prefer:
        lines.append(f"Prefer: {prefer}")
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> tuple[int, bytes]:
    """Send a request and return status and body of its answer."""
    writer.write(request)
    head = await reader.readuntil(END_OF_HEAD)
    status = int(head[9:12])
    lowered = head.lower()
    start = lowered.index(CONTENT_LENGTH) + len(CONTENT_LENGTH)
    length = int(lowered[start : lowered.index(b"\r\n", start)])
    return status, await reader.readexactly(length)


async def closed_loop(port: int, request: bytes, *, connections: int, seconds: float) -> LoadResult:
    """Repeat a request on some connections for a while, each as fast as it is answered."""
    spent: list[float] = []
    failures = 0
    started = time.perf_counter()
    give_up_at = started + seconds

    async def work() -> None:
        nonlocal failures
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (before := time.perf_counter()) < give_up_at:
            status, _ = await exchange(reader, writer, request)
            spent.append(time.perf_counter() - before)
            failures += not 200 <= status < 300  # noqa: PLR2004 - any success
        writer.close()

    await asyncio.gather(*(work() for _ in range(connections)))
    elapsed = time.perf_counter() - started
    return LoadResult(per_second=len(spent) / elapsed, seconds=spent, failures=failures)
