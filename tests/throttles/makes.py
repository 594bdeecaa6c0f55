"""Throttles for tests: every make, as one node or as several that share a store."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.ports import find_free_port
from gen_video.db.database import Database
from gen_video.throttles.database import DatabaseThrottle, Leased
from gen_video.throttles.redis import RedisThrottle
from gen_video.throttles.tables import rate_windows
from gen_video.throttles.throttle import Rate, Throttle, Verdict

LONG = 86_400
"""A window that no test sees the end of (but at midnight UTC)."""

PATIENT = 30.0


class Node:
    """One process's throttle on a shared store, with the threads of its doors.

    Args:
        patience: Seconds to wait for the store: many, as a busy machine is no outage to a test.
    """

    def __init__(self, url: str, *, patience: float = PATIENT) -> None:
        self.database: Database | None = None
        self.transactions = 0
        self._threads = ThreadPoolExecutor(4)
        if url.startswith("redis"):
            self.throttle: Throttle = RedisThrottle(url, store_seconds=patience)
            return
        self.database = Database(url)
        self.throttle = DatabaseThrottle(
            self.database, offload=self.offload, store_seconds=patience
        )

    async def offload(self, work: Callable[[], Leased], /) -> Leased:
        self.transactions += 1
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def close(self) -> None:
        self._threads.shutdown()
        if self.database is not None:
            self.database.close()


def make_table(url: str) -> None:
    """Create the table of the windows, if the store is a database."""
    if url.startswith("redis"):
        return
    database = Database(url)
    database.write(rate_windows.create)
    database.close()


def new_bucket() -> str:
    """Return a bucket that no other test uses."""
    return f"test:{uuid.uuid4().hex}"


async def take_many(throttle: Throttle, bucket: str, rate: Rate, *, count: int) -> list[Verdict]:
    """Take from a bucket with 32 tasks at once."""
    gate = asyncio.Semaphore(32)

    async def take() -> Verdict:
        async with gate:
            return await throttle.take(bucket, rate)

    return list(await asyncio.gather(*(take() for _ in range(count))))


def count_allowed(verdicts: list[Verdict]) -> int:
    """Return how many passed."""
    return sum(verdict.is_allowed for verdict in verdicts)


class PrivateRedis:
    """A Redis of the test's own, to be killed and started again at the same address."""

    def __init__(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            pytest.skip("redis-server is not installed")
        self._program = program
        self._folder = tempfile.TemporaryDirectory(prefix="gen-video-redis-")
        self._process: subprocess.Popen[bytes] | None = None
        self.port = find_free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start and wait until it answers; it remembers nothing of an earlier life."""
        options = {"--port": str(self.port), "--bind": "127.0.0.1", "--save": "", "--dir": None}
        options["--dir"] = self._folder.name
        arguments = [part for name, value in options.items() for part in (name, str(value))]
        self._process = subprocess.Popen(
            [self._program, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _wait_for_port(self.port)

    def send(self, number: signal.Signals) -> None:
        """Send a signal; SIGKILL waits for the end."""
        assert self._process is not None
        os.kill(self._process.pid, number)
        if number is signal.SIGKILL:
            self._process.wait()
            self._process = None

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()


def _wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def main(url: str, bucket: str, limit: str, count: str) -> None:
    """Take from a bucket in a process of its own, when told to, and print how many passed."""
    node = Node(url)
    print("ready", flush=True)  # noqa: T201 - the test waits for it
    sys.stdin.readline()
    rate = Rate(limit=int(limit), window_seconds=LONG)
    verdicts = asyncio.run(take_many(node.throttle, bucket, rate, count=int(count)))
    print(count_allowed(verdicts))  # noqa: T201 - the answer to the test
    node.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
