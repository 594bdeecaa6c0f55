"""The engine host: the worker's handle on its engine child.

The child may die at any moment, by a segmentation fault, by the kernel's memory killer or by our
own hand; the host says what happened and starts a new one. Every failure that may have poisoned
the device costs the child its life.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import structlog
from typing_extensions import override

from gen_video.engines import errors
from gen_video.engines.catalogue import Catalogue
from gen_video.engines.child_process import ChildProcess
from gen_video.engines.errors import (
    EngineCancelledError,
    EngineCrashedError,
    EngineError,
    EngineFailedError,
    EngineHungError,
    EngineInterruptedError,
)
from gen_video.engines.frames import Frame
from gen_video.engines.makes import ChildConfig
from gen_video.engines.tasks import (
    Engine,
    Frames,
    ImageTask,
    Picture,
    ProgressListener,
    SmallPicture,
    StepProgress,
    Task,
    VideoTask,
)

ALIVE_LIMIT_SECONDS = 60.0
CANCEL_KEPT_SECONDS = 60.0
"""How long a cancel waits for a task that has not come yet."""
log = structlog.get_logger(__name__)
RestartListener = Callable[[str], None]
Output = TypeVar("Output", Picture, Frames)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLimits:
    """How patient the host is, in seconds.

    Attributes:
        hang: Without progress while it denoises or decodes.
        load: Without progress while it loads a model.
        cancel_grace: From a cancellation to the end of the task.
    """

    hang: float = 180.0
    load: float = 1800.0
    cancel_grace: float = 5.0


class Lane:
    """One of the two kinds of work that a child does at a time, and the task that it is at."""

    def __init__(self) -> None:
        self.busy = threading.Lock()
        self.running: str | None = None


class EngineHost(Engine):
    """An engine in a child process: one picture task and one video task at a time.

    The child runs a waiting picture between two steps of a video. Whatever costs the child its
    life ends both tasks, the innocent one with `EngineInterruptedError`. A task that waits for
    the other one has not hung, and its cancel spares the child: the child hears of it later.

    Make and use it on a thread that lives as long as the process: on Linux the kernel ends the
    child when the thread that started it ends.

    Args:
        catalogue: The models that the child may be asked for.
        config: What the child needs to know.
        environment: Of this process; the child gets the few names that it needs.
        on_restart: Told why, each time a child had to be replaced.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        config: ChildConfig,
        *,
        limits: HostLimits | None = None,
        environment: Mapping[str, str] | None = None,
        on_restart: RestartListener | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._config = config
        self._limits = limits or HostLimits()
        self._environment = environment or {}
        self._on_restart = on_restart
        self._pictures = Lane()
        self._videos = Lane()
        self._cancelling = threading.Lock()
        self._cancelled: dict[str, float] = {}
        self._changing = threading.Lock()
        self._child: ChildProcess | None = None

    @override
    def generate(self, task: ImageTask, *, on_progress: ProgressListener) -> Iterator[Picture]:
        return self._run(self._pictures, task, on_progress, _picture)

    @override
    def film(self, task: VideoTask, *, on_progress: ProgressListener) -> Iterator[Frames]:
        return self._run(self._videos, task, on_progress, _frames)

    def _run(
        self,
        lane: Lane,
        task: Task,
        on_progress: ProgressListener,
        read_output: Callable[[Frame], Output],
    ) -> Iterator[Output]:
        with lane.busy:
            child = self._begin(lane, task)
            finished = False
            try:
                yield from self._follow(child, task, on_progress, read_output)
                finished = True
            except EngineError as error:
                finished = not error.is_crash
                if error.is_crash:
                    self._replace(child, error.code, guilty=task.task_id)
                raise
            except GeneratorExit:
                finished = self._call_off(child, task.task_id)
                raise
            finally:
                self._forget(lane, task.task_id)
                child.close_box(task.task_id)
                if not finished:
                    self._drop_child(child, guilty=task.task_id)

    @override
    def cancel(self, task_id: str) -> None:
        with self._cancelling:
            is_new = task_id not in self._cancelled
            self._cancelled.setdefault(task_id, time.monotonic())
            child = self._child
            is_running = task_id in {self._pictures.running, self._videos.running}
            if is_new and child is not None and is_running:
                child.cancel(task_id)

    @override
    def warm(self, model_id: str) -> None:
        self._require_child().warm(model_id)

    @override
    def unload(self, model_id: str) -> None:
        child = self._child
        if child is not None:  # without a child nothing is loaded
            child.unload(model_id)

    @override
    def resident_models(self) -> tuple[str, ...]:
        child = self._child
        return () if child is None else child.resident

    @override
    def why_not_loaded(self, model_id: str) -> str | None:
        child = self._child
        return None if child is None else child.warm_failures.get(model_id)

    @override
    def close(self) -> None:
        child = self._child
        if child is not None:
            self._drop_child(child)

    def _call_off(self, child: ChildProcess, task_id: str) -> bool:
        """Stop a task that nobody wants the rest of; tell whether the child did so in time."""
        child.cancel(task_id)
        give_up_at = time.monotonic() + self._limits.cancel_grace
        while time.monotonic() < give_up_at:
            frame = child.next_frame(task_id)
            if frame is None:
                continue
            child.tell_taken(task_id)
            if frame.kind in {"done", "failed"}:
                return True
            if frame.kind == "gone":
                return False
        return False

    def _begin(self, lane: Lane, task: Task) -> ChildProcess:
        """Hand a task to a child; one that died before it could take the task costs nothing."""
        child = self._require_child()
        if not self._start(child, lane, task):
            child.close_box(task.task_id)
            self._drop_child(child)
            child = self._require_child()
            self._start(child, lane, task)
        return child

    def _start(self, child: ChildProcess, lane: Lane, task: Task) -> bool:
        """Hand a task to the child, with its cancel if that came first; tell whether it went."""
        with self._cancelling:
            self._forget_old_cancels()
            was_sent = child.start_task(task)
            lane.running = task.task_id
            if task.task_id in self._cancelled:
                child.cancel(task.task_id)
            return was_sent

    def _forget_old_cancels(self) -> None:
        """Forget those that named a task that was over, or never came."""
        running = {self._pictures.running, self._videos.running}
        limit = time.monotonic() - CANCEL_KEPT_SECONDS
        for task_id, at in list(self._cancelled.items()):
            if at < limit and task_id not in running:
                del self._cancelled[task_id]

    def _forget(self, lane: Lane, task_id: str) -> None:
        with self._cancelling:
            lane.running = None
            self._cancelled.pop(task_id, None)

    def _require_child(self) -> ChildProcess:
        with self._changing:
            if self._child is not None and not self._child.is_alive():
                self._child.kill()
                self._child = None
            if self._child is None:
                self._child = ChildProcess(self._catalogue, self._config, self._environment)
            return self._child

    def _follow(
        self,
        child: ChildProcess,
        task: Task,
        on_progress: ProgressListener,
        read_output: Callable[[Frame], Output],
    ) -> Iterator[Output]:
        started_at = time.monotonic()
        while True:
            frame = child.next_frame(task.task_id)
            if frame is None:
                self._check_patience(child, task, started_at=started_at)
                continue
            match frame.kind:
                case "progress" | "preview":
                    on_progress(_progress(frame))
                    if child.focus.is_elsewhere(task.task_id):
                        self._check_cancel(child, task, started_at=started_at)
                case "picture" | "frames":
                    # What comes after a cancel only makes way for the child's answer to it.
                    if task.task_id not in self._cancelled:
                        yield read_output(frame)
                        started_at = time.monotonic()  # the child may have waited for its user
                    child.tell_taken(task.task_id)
                case "done":
                    self._require_wanted(task)
                    return
                case _:
                    raise _error(frame) if frame.kind == "failed" else _end(child, task)

    def _require_wanted(self, task: Task) -> None:
        if task.task_id in self._cancelled:
            raise EngineCancelledError

    def _check_patience(self, child: ChildProcess, task: Task, *, started_at: float) -> None:
        self._check_cancel(child, task, started_at=started_at)
        # The child has one thread for both tasks: what it tells of either is a sign of both.
        now, focus = time.monotonic(), child.focus
        moved_at = max(started_at, focus.moved_at)
        patience = self._limits.load if focus.is_loading else self._limits.hang
        if max(now - moved_at - patience, now - child.alive_at - ALIVE_LIMIT_SECONDS) <= 0:
            return
        if not focus.is_elsewhere(task.task_id):
            raise EngineHungError(now - moved_at)
        self._replace(child, EngineHungError.code)
        raise EngineInterruptedError

    def _check_cancel(self, child: ChildProcess, task: Task, *, started_at: float) -> None:
        """End a task whose cancel went unheard for too long; a child that was at it is replaced."""
        now = time.monotonic()
        cancelled_at = self._cancelled.get(task.task_id, now)
        if now - max(started_at, cancelled_at) <= self._limits.cancel_grace:
            return
        if not child.focus.is_elsewhere(task.task_id):
            self._replace(child, "cancel_ignored", guilty=task.task_id)
        raise EngineCancelledError

    def _replace(self, child: ChildProcess, reason: str, *, guilty: str | None = None) -> None:
        """Drop a child that failed; the second lane to notice finds that it is gone already."""
        if not self._drop_child(child, guilty=guilty):
            return
        log.warning("engine_child_replaced", reason=reason)
        if self._on_restart is not None:
            self._on_restart(reason)

    def _drop_child(self, child: ChildProcess, *, guilty: str | None = None) -> bool:
        """End a child because of a task; tell whether it was still the one in use."""
        if guilty is not None:
            child.focus.blame(guilty)
        with self._changing:
            was_in_use = self._child is child
            if was_in_use:
                self._child = None
        child.kill()
        return was_in_use


def _progress(frame: Frame) -> StepProgress:
    header = frame.header
    preview = None
    if frame.kind == "preview":
        width, height = int(header["width"]), int(header["height"])
        preview = SmallPicture(width=width, height=height, rgb=frame.payload)
    return StepProgress(
        stage=str(header["stage"]),
        step=int(header["step"]),
        steps=int(header["steps"]),
        preview=preview,
    )


def _picture(frame: Frame) -> Picture:
    header = frame.header
    return Picture(
        index=int(header["index"]),
        width=int(header["width"]),
        height=int(header["height"]),
        seed=int(header["seed"]),
        rgb=frame.payload,
    )


def _frames(frame: Frame) -> Frames:
    header = frame.header
    return Frames(
        first=int(header["first"]),
        count=int(header["count"]),
        width=int(header["width"]),
        height=int(header["height"]),
        rgb=frame.payload,
    )


def _end(child: ChildProcess, task: Task) -> EngineError:
    reason = child.describe_end()
    is_guilty = child.focus.is_to_blame(task.task_id)
    return EngineCrashedError(reason) if is_guilty else EngineInterruptedError()


def _error(frame: Frame) -> EngineError:
    kind = getattr(errors, str(frame.header["error"]), None)
    if not (isinstance(kind, type) and issubclass(kind, EngineError)):
        return EngineFailedError(str(frame.header["error"]))
    return kind(**frame.header["facts"])
