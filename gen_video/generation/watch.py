"""Waiting for jobs: any number of waiting clients, one look at the database per change.

The change watcher says that something was committed; one task then reads the snapshots of all
watched jobs at once and wakes those whose job changed. Nobody polls on its own, and no thread
is held while a client waits.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import structlog

from gen_video.db.watch import ChangeWatcher
from gen_video.errors import ServiceUnavailableError
from gen_video.generation.models import JobSnapshot

CHUNK = 500
MIN_INTERVAL_SECONDS = 0.005
DUTY_CYCLE = 4.0
"""After a look that took t seconds the next waits at least 4 t: at most a fifth of a core."""

OUTAGE_PAUSE_SECONDS = 1.0

Snapshots = dict[str, JobSnapshot]
ReadSnapshots = Callable[[Sequence[str]], Awaitable[Snapshots]]
log = structlog.get_logger(__name__)


class JobWatch:
    """Wakes the waiting requests of one web process; lives on one event loop.

    Args:
        watcher: Says when anything was committed.
        read_snapshots: Reads the state of many jobs at once, off the event loop.
    """

    def __init__(self, watcher: ChangeWatcher, read_snapshots: ReadSnapshots) -> None:
        self._watcher = watcher
        self._read_snapshots = read_snapshots
        self._queues: dict[str, set[asyncio.Queue[JobSnapshot | None]]] = defaultdict(set)
        self._is_called_off = False
        self._waiting = 0
        self._last: Snapshots = {}
        self._wake = asyncio.Event()
        self._pump_task: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] | None = None

    @property
    def waiting(self) -> int:
        """Return how many clients wait now; may be asked from any thread."""
        return self._waiting

    async def wait_until_terminal(self, job_id: str, *, timeout_seconds: float) -> bool:
        """Wait for a job's end; False when the time ran out or waiting was called off first."""
        is_over = False
        try:
            async with asyncio.timeout(timeout_seconds):
                async for snapshot in self.follow(job_id):
                    is_over = snapshot.state.is_terminal
        except TimeoutError:
            return False
        return is_over

    async def follow(self, job_id: str) -> AsyncIterator[JobSnapshot]:
        """Yield a job's snapshot now and at every change; ends after a terminal one.

        Ends early when `release_all` calls all waiting off.
        """
        queue: asyncio.Queue[JobSnapshot | None] = asyncio.Queue()
        self._queues[job_id].add(queue)
        self._waiting += 1
        if job_id in self._last:  # what the others were told; every later change is told to all
            queue.put_nowait(self._last[job_id])
        self._start()
        self._wake.set()
        try:
            while not self._is_called_off:
                snapshot = await queue.get()
                while not queue.empty():
                    snapshot = queue.get_nowait()
                # A look that was under way may still tell something after the call.
                if snapshot is None or self._is_called_off:
                    return
                yield snapshot
                if snapshot.state.is_terminal:
                    return
        finally:
            self._queues[job_id].discard(queue)
            self._waiting -= 1
            if not self._queues[job_id]:
                del self._queues[job_id]
                self._last.pop(job_id, None)
            self._stop_if_idle()

    def release_all(self) -> None:
        """Call off all waiting, for good: a process that stops lets its clients go."""
        self._is_called_off = True
        for queues in self._queues.values():
            for queue in queues:
                queue.put_nowait(None)

    async def close(self) -> None:
        """Stop watching."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        if self._pump_task is not None:
            self._pump_task.cancel()
            await asyncio.gather(self._pump_task, return_exceptions=True)
            self._pump_task = None

    def _start(self) -> None:
        if self._unsubscribe is None:
            loop = asyncio.get_running_loop()

            def wake() -> None:
                loop.call_soon_threadsafe(self._wake.set)

            self._unsubscribe = self._watcher.subscribe(wake)
        if self._pump_task is None or self._pump_task.done():
            self._pump_task = asyncio.create_task(self._pump(), name="job-watch")

    def _stop_if_idle(self) -> None:
        if not self._queues and self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    async def _pump(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            started = time.monotonic()
            try:
                await self._look()
            except ServiceUnavailableError as error:
                log.warning("watch_waits_for_database", reason=str(error))
                self._wake.set()
                await asyncio.sleep(OUTAGE_PAUSE_SECONDS)
                continue
            spent = time.monotonic() - started
            await asyncio.sleep(max(MIN_INTERVAL_SECONDS, DUTY_CYCLE * spent))

    async def _look(self) -> None:
        watched = list(self._queues)
        for start in range(0, len(watched), CHUNK):
            snapshots = await self._read_snapshots(watched[start : start + CHUNK])
            for job_id, snapshot in snapshots.items():
                self._tell(job_id, snapshot)

    def _tell(self, job_id: str, snapshot: JobSnapshot) -> None:
        if self._last.get(job_id) == snapshot or job_id not in self._queues:
            return
        self._last[job_id] = snapshot
        for queue in self._queues[job_id]:
            queue.put_nowait(snapshot)


async def with_pauses(
    snapshots: AsyncIterator[JobSnapshot], *, seconds: float
) -> AsyncIterator[JobSnapshot | None]:
    """Yield every snapshot, and None whenever none has come for so long."""
    upcoming = asyncio.ensure_future(anext(snapshots))
    try:
        while True:
            done, _ = await asyncio.wait({upcoming}, timeout=seconds)
            if not done:
                yield None
                continue
            try:
                snapshot = upcoming.result()
            except StopAsyncIteration:
                return
            upcoming = asyncio.ensure_future(anext(snapshots))
            yield snapshot
    finally:
        upcoming.cancel()
        await asyncio.gather(upcoming, return_exceptions=True)
