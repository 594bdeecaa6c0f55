"""A board: jobs that change when a test says so, and a watch that looks at them."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace

from typing_extensions import override

from gen_video.db.watch import ChangeWatcher, Listener
from gen_video.errors import ServiceUnavailableError
from gen_video.generation.models import JobSnapshot
from gen_video.generation.states import JobState
from gen_video.generation.watch import JobWatch
from gen_video.ids import new_id

PATIENCE_SECONDS = 10.0
JOB, OTHER = new_id("job"), new_id("job")
QUEUED = JobSnapshot(state=JobState.QUEUED, stage="queued", step=0, steps=4)
DRAWING = replace(QUEUED, state=JobState.RUNNING, stage="denoising", step=1, fence=1)
DONE = replace(DRAWING, state=JobState.SUCCEEDED, step=4)


class Bell(ChangeWatcher):
    """A change watcher that the test rings."""

    def __init__(self) -> None:
        self.listeners: list[Listener] = []

    @override
    def subscribe(self, listener: Listener) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def ring(self) -> None:
        for listener in self.listeners:
            listener()


class Board:
    """Jobs as the database has them, and every look at them."""

    def __init__(self) -> None:
        self.bell = Bell()
        self.jobs: dict[str, JobSnapshot] = {JOB: QUEUED}
        self.looks: list[list[str]] = []
        self.failures = 0
        self.gate: asyncio.Future[None] | None = None
        self.is_waiting_at_gate = asyncio.Event()

    async def read(self, job_ids: Sequence[str]) -> dict[str, JobSnapshot]:
        self.looks.append(list(job_ids))
        if self.failures:
            self.failures -= 1
            raise ServiceUnavailableError("unplugged")
        if self.gate is not None:
            self.is_waiting_at_gate.set()
            await self.gate
        return {job_id: self.jobs[job_id] for job_id in job_ids if job_id in self.jobs}

    def change(self, snapshot: JobSnapshot, job_id: str = JOB) -> None:
        """Commit a change of a job."""
        self.jobs[job_id] = snapshot
        self.bell.ring()


Story = Callable[[JobWatch, Board], Coroutine[None, None, None]]


def play(story: Story) -> None:
    """Run a story with a watch of its own on an event loop of its own."""

    async def run() -> None:
        board = Board()
        watch = JobWatch(board.bell, board.read)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await story(watch, board)
        finally:
            await watch.close()

    asyncio.run(run())
