"""The engine child: a process of its own, the only home of torch on this machine.

It has a socket to its worker and nothing else: no database, no keys. One thread works, one reads
the socket, one shows signs of life. When the worker is gone the child ends at once.
"""

import ctypes
import os
import re
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from gen_video.engines.catalogue import ModelSpec
from gen_video.engines.errors import (
    EngineCancelledError,
    EngineDeviceError,
    EngineError,
    EngineFailedError,
    EngineOutOfMemoryError,
)
from gen_video.engines.frames import Frame, FrameSocket
from gen_video.engines.makes import ChildConfig, Make, Supervision, build_make
from gen_video.engines.parcels import unpack_image_task, unpack_video_task
from gen_video.engines.tasks import StepProgress, Task
from gen_video.engines.turns import Outbox, StepReport, Tray, Turns
from gen_video.errors import ServiceError

ALIVE_SECONDS = 1.0
PR_SET_PDEATHSIG = 1
MAX_REASON = 500
_FOLDERS = re.compile(r"(?<![\w:/])/(?:[^\s/'\":]+/)+")
"""Users read these words: the folders of this machine are none of their business."""
BROKEN_DEVICE = ("cuda error", "cudnn", "cublas", "device-side assert", "hip error", "nccl")
"""After one of these every later call on the device fails or lies: only a new process helps."""


class EngineChild:
    """Serves tasks one after another until the worker is gone."""

    def __init__(self, frames: FrameSocket) -> None:
        self._frames = frames
        self._tray = Tray()
        self._outboxes: dict[str, Outbox] = {}
        self._cancelled: set[str] = set()
        self._makes: dict[str, Make] = {}
        self._config = ChildConfig()
        self._specs: dict[str, ModelSpec] = {}

    def serve(self) -> None:
        """Work until the socket closes."""
        threading.Thread(target=self._read, name="reader", daemon=True).start()
        threading.Thread(target=self._show_life, name="life", daemon=True).start()
        while True:
            frame = self._tray.take()
            match frame.kind:
                case "configure":
                    self._configure(frame.header)
                case "warm":
                    self._warm(str(frame.header["model"]))
                case "unload":
                    self._unload(str(frame.header["model"]))
                case "generate":
                    self._generate(frame)
                case "film":
                    self._film(frame)
                case unknown:
                    raise ValueError(f"unknown frame {unknown}")

    def _read(self) -> None:
        while True:
            frame = self._frames.receive()
            if frame is None:
                # The worker is gone. Nothing here is worth finishing, and torch may be deep in
                # native code: leave without asking anybody.
                os._exit(0)
            if frame.kind == "cancel":
                self._cancelled.add(str(frame.header["task_id"]))
            elif frame.kind == "taken":
                self._take_note(str(frame.header["task_id"]))
            else:
                self._tray.put(frame)

    def _take_note(self, task_id: str) -> None:
        outbox = self._outboxes.get(task_id)
        if outbox is not None:
            outbox.taken()

    def _show_life(self) -> None:
        pause = threading.Event()
        while not pause.wait(ALIVE_SECONDS):
            self._frames.send("alive")

    def _configure(self, header: dict[str, Any]) -> None:
        self._config = ChildConfig(**header["config"])
        specs = [ModelSpec.model_validate(entry) for entry in header["models"]]
        self._specs = {spec.id: spec for spec in specs}

    def _make_of(self, spec: ModelSpec) -> Make:
        if spec.engine not in self._makes:
            self._makes[spec.engine] = build_make(spec.engine, self._config)
        return self._makes[spec.engine]

    def _warm(self, model_id: str) -> None:
        try:
            spec = self._specs[model_id]
            self._make_of(spec).load(spec)
        except Exception as error:  # noqa: BLE001 - the first real task will say what is wrong
            self._frames.send("warm_failed", model=model_id, reason=_reason(error))
        self._tell_residents()

    def _unload(self, model_id: str) -> None:
        for make in self._makes.values():
            make.unload(model_id)
        self._tell_residents()

    def _generate(self, frame: Frame, *, outer: StepReport | None = None) -> None:
        """Draw the pictures of a task; `outer` is the progress of a video that waits meanwhile."""
        task = unpack_image_task(frame)

        def work(make: Make, spec: ModelSpec) -> None:
            watch = Supervision(
                report=lambda progress: self._report(task, progress, outer=outer),
                check=lambda: self._check(task),
            )
            for picture in make.run(spec, task, watch):
                self._frames.send(
                    "picture",
                    picture.rgb,
                    task_id=task.task_id,
                    index=picture.index,
                    width=picture.width,
                    height=picture.height,
                    seed=picture.seed,
                )

        self._serve_task(task, work)

    def _film(self, frame: Frame) -> None:
        """Make a clip; pictures that come meanwhile are drawn between its steps."""
        task = unpack_video_task(frame)
        latest = StepReport(task=task, progress=StepProgress(stage="loading", step=0, steps=1))
        turns = Turns(video_share=self._config.video_share)

        def report(progress: StepProgress) -> None:
            latest.progress = progress
            self._report(task, progress)

        def check() -> None:
            self._check(task)
            while turns.is_pictures_turn() and self._draw_waiting(turns, latest):
                self._check(task)

        outbox = self._outboxes[task.task_id] = Outbox()

        def work(make: Make, spec: ModelSpec) -> None:
            for part in make.film(spec, task, Supervision(report=report, check=check)):
                outbox.wait(check)
                outbox.sent()
                self._frames.send(
                    "frames",
                    part.rgb,
                    task_id=task.task_id,
                    first=part.first,
                    count=part.count,
                    width=part.width,
                    height=part.height,
                )

        try:
            self._serve_task(task, work)
        finally:
            del self._outboxes[task.task_id]

    def _draw_waiting(self, turns: Turns, video: StepReport) -> bool:
        """Draw for one waiting picture task, if there is one and room for its model."""
        frame = self._tray.take_first("generate", self._has_room)
        if frame is None:
            return False
        with turns.picture():
            self._generate(frame, outer=video)
        return True

    def _has_room(self, frame: Frame) -> bool:
        try:
            spec = self._specs[str(frame.header["task"]["model"])]
            return self._make_of(spec).has_room_for(spec)
        except Exception:  # noqa: BLE001 - no failure of the video: the picture's own turn tells it
            return True

    def _serve_task(self, task: Task, work: Callable[[Make, ModelSpec], None]) -> None:
        try:
            spec = self._specs[task.model]
            self._frames.send("progress", task_id=task.task_id, stage="loading", step=0, steps=1)
            self._check(task)  # it may have waited for long: load nothing for nobody
            work(self._make_of(spec), spec)
            self._frames.send("done", task_id=task.task_id)
        except Exception as error:  # noqa: BLE001 - outer edge of the child: everything is reported
            self._report_failure(task, error)
        finally:
            self._cancelled.discard(task.task_id)
        self._tell_residents()

    def _report(
        self, task: Task, progress: StepProgress, *, outer: StepReport | None = None
    ) -> None:
        self._send_progress(task, progress)
        if outer is not None:  # the video that waits has not hung
            self._send_progress(outer.task, replace(outer.progress, preview=None))

    def _send_progress(self, task: Task, progress: StepProgress) -> None:
        send = partial(
            self._frames.send,
            task_id=task.task_id,
            stage=progress.stage,
            step=progress.step,
            steps=progress.steps,
        )
        send("progress")
        preview = progress.preview
        if preview is not None:
            send("preview", preview.rgb, width=preview.width, height=preview.height)

    def _check(self, task: Task) -> None:
        if task.task_id in self._cancelled:
            raise EngineCancelledError

    def _report_failure(self, task: Task, error: Exception) -> None:
        if not isinstance(error, ServiceError):
            traceback.print_exception(error)
        error = as_engine_error(error)
        self._frames.send(
            "failed",
            task_id=task.task_id,
            error=type(error).__name__,
            facts=error.facts,
        )

    def _tell_residents(self) -> None:
        models = [name for make in self._makes.values() for name in make.resident_models()]
        self._frames.send("resident", models=models)


def as_engine_error(error: Exception) -> ServiceError:
    """Tell out-of-memory and broken devices from ordinary failures."""
    if isinstance(error, EngineError):
        return error
    text = f"{type(error).__name__}: {error}"
    is_memory = isinstance(error, MemoryError) or "out of memory" in text.lower()
    if is_memory or "can't allocate memory" in text.lower():
        return EngineOutOfMemoryError()
    if isinstance(error, RuntimeError) and any(word in text.lower() for word in BROKEN_DEVICE):
        return EngineDeviceError(_reason(error))
    return EngineFailedError(_reason(error))


def _reason(error: Exception) -> str:
    text = f"{type(error).__name__}: {error}"
    return _FOLDERS.sub("", text)[:MAX_REASON]


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent ends; Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    """Serve on the socket whose descriptor is the first argument."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = socket.socket(fileno=int(sys.argv[1]))
    EngineChild(FrameSocket(connection)).serve()


if __name__ == "__main__":
    main()
