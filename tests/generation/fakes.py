"""Stand-ins of the generation tests: an engine that follows a script, a database that goes away."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from typing_extensions import override

from gen_video.db.database import DatabaseUnavailableError, Work
from gen_video.engines.errors import EngineCancelledError
from gen_video.engines.tasks import (
    Engine,
    Frames,
    ImageTask,
    Picture,
    ProgressListener,
    StepProgress,
    VideoTask,
)
from gen_video.errors import ServiceError
from gen_video.storage.memory import MemoryObjectStore
from gen_video.storage.objects import StorageUnavailableError
from tests.db.clocked import ClockedDatabase

Result = TypeVar("Result")
PATIENCE_SECONDS = 30.0


def wait_until(is_so: Callable[[], bool]) -> None:
    """Return when something that happens on another thread has happened."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.01)


class FlakyDatabase(ClockedDatabase):
    """A database with a clock to move and a plug to pull.

    Attributes:
        is_down: While true, every transaction is refused.
        is_losing_answers: While true, writes are committed and reported as failed.
        refusals: How many transactions were refused.
    """

    is_down = False
    is_losing_answers = False
    refusals = 0

    @override
    def write(self, work: Work[Result]) -> Result:
        """Run one unit of work, unless the plug is pulled."""
        self._check()
        result = super().write(work)
        if self.is_losing_answers:
            raise DatabaseUnavailableError("the answer was lost")
        return result

    @override
    def read(self, work: Work[Result]) -> Result:
        """Read, unless the plug is pulled."""
        self._check()
        return super().read(work)

    def _check(self) -> None:
        if self.is_down:
            self.refusals += 1
            raise DatabaseUnavailableError("unplugged")


class StumblingStore(MemoryObjectStore):
    """An object store that fails at one step and works at every other.

    Attributes:
        failing_put: The number of the file, from 0, that cannot be stored; None for none.
        is_publishing: Whether files can be shown under public names.
    """

    def __init__(self) -> None:
        super().__init__()
        self.failing_put: int | None = None
        self.is_publishing = True
        self._puts = 0

    @override
    def put(self, key: str, data: bytes) -> None:
        number, self._puts = self._puts, self._puts + 1
        if number == self.failing_put:
            raise StorageUnavailableError("unplugged")
        super().put(key, data)

    @override
    def publish(self, key: str, name: str) -> None:
        if not self.is_publishing:
            raise StorageUnavailableError("unplugged")
        super().publish(key, name)


class FakeEngine(Engine):
    """Draws flat pictures at once, or does what the test asks for.

    Attributes:
        failure: Raised before the picture number `failing_at`.
        pictures: How many it makes, whatever was asked for; None for what was asked for.
        is_broken: Whether its pictures and frames lack their last row.
        stalling_at: The number of the picture before which the engine waits for `resume`.
        is_obedient: Whether a stalled engine gives up when it is cancelled.
        tasks: Every picture task that it was given.
        films: Every video task that it was given; for those `failing_at` and `stalling_at` count
            the films, and `missing_frames` are left out at the end of each.
        cancelled: The ids of the tasks that it was asked to stop.
    """

    def __init__(self) -> None:
        self.failure: ServiceError | None = None
        self.failing_at = 0
        self.pictures: int | None = None
        self.is_broken = False
        self.stalling_at: int | None = None
        self.is_obedient = True
        self.tasks: list[ImageTask] = []
        self.films: list[VideoTask] = []
        self.missing_frames = 0
        self.cancelled: list[str] = []
        self.warmed: list[str] = []
        self.is_stalled = threading.Event()
        self._is_resumed = threading.Event()
        self._is_cancelled = threading.Event()

    @override
    def generate(self, task: ImageTask, *, on_progress: ProgressListener) -> Iterator[Picture]:
        self.tasks.append(task)
        steps = task.num_inference_steps * task.n
        for index in range(task.n if self.pictures is None else self.pictures):
            if index == self.stalling_at:
                self._stall()
            if self.failure is not None and index == self.failing_at:
                raise self.failure
            done = (index + 1) * task.num_inference_steps
            on_progress(StepProgress(stage="denoising", step=done, steps=steps))
            yield Picture(
                index=index,
                width=task.width,
                height=task.height,
                seed=task.seed + index,
                rgb=bytes([index, 2, 3]) * (task.width * (task.height - self.is_broken)),
            )

    @override
    def film(self, task: VideoTask, *, on_progress: ProgressListener) -> Iterator[Frames]:
        index = len(self.films)
        self.films.append(task)
        steps = task.num_inference_steps
        on_progress(StepProgress(stage="loading", step=0, steps=1))
        if index == self.stalling_at:
            self._stall()
        if self.failure is not None and index == self.failing_at:
            raise self.failure
        on_progress(StepProgress(stage="denoising", step=steps, steps=steps))
        on_progress(StepProgress(stage="decoding", step=steps, steps=steps))
        color = bytes([50 + 100 * (index % 2), 40, 200 - 100 * (index % 2)])
        for first in range(task.num_frames - self.missing_frames):
            yield Frames(
                first=first,
                count=1,
                width=task.width,
                height=task.height,
                rgb=color * (task.width * (task.height - self.is_broken)),
            )

    @override
    def cancel(self, task_id: str) -> None:
        self.cancelled.append(task_id)
        self._is_cancelled.set()
        if self.is_obedient:
            self._is_resumed.set()

    @override
    def unload(self, model_id: str) -> None:
        self.warmed = [model for model in self.warmed if model != model_id]

    @override
    def warm(self, model_id: str) -> None:
        self.warmed.append(model_id)

    @override
    def resident_models(self) -> tuple[str, ...]:
        return tuple({"sketch": 0} | dict.fromkeys(self.warmed, 0))

    @override
    def why_not_loaded(self, model_id: str) -> str | None:
        return None

    @override
    def close(self) -> None:
        self.resume()

    def resume(self) -> None:
        """Let a stalled engine go on."""
        self._is_resumed.set()

    def wait_until_stalled(self) -> None:
        """Return when the engine waits."""
        assert self.is_stalled.wait(PATIENCE_SECONDS), "the engine was never asked to draw"

    def wait_until_cancelled(self) -> None:
        """Return when the engine was asked to stop."""
        assert self._is_cancelled.wait(PATIENCE_SECONDS), "nobody stopped the engine"

    def _stall(self) -> None:
        self.is_stalled.set()
        assert self._is_resumed.wait(PATIENCE_SECONDS), "nobody let the engine go on"
        if self.is_obedient and self._is_cancelled.is_set():
            raise EngineCancelledError
