"""The engine host: the worker's handle on its engine child.

The child may die at any moment, by a segmentation fault, by the kernel's memory killer or by our
own hand; the host says what happened and starts a new one. Every failure that may have poisoned
the device costs the child its life.
"""

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass

import structlog
from typing_extensions import override

from gen_video.engines import errors
from gen_video.engines.catalogue import Catalogue
from gen_video.engines.errors import (
    EngineCancelledError,
    EngineCrashedError,
    EngineError,
    EngineFailedError,
    EngineHungError,
)
from gen_video.engines.frames import Frame, FrameSocket
from gen_video.engines.makes import ChildConfig
from gen_video.engines.tasks import Engine, ImageTask, Picture, ProgressListener, StepProgress

ALIVE_LIMIT_SECONDS = 60.0
POLL_SECONDS = 0.05
CHILD_ENVIRONMENT = (
    "PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES",
    "CUDA_HOME", "NVIDIA_VISIBLE_DEVICES", "HF_HOME", "HF_HUB_CACHE", "HF_ENDPOINT",
    "HF_HUB_OFFLINE", "HF_TOKEN", "MODELSCOPE_CACHE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
    "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE",
)  # fmt: skip
"""The child inherits these and nothing else: no database address, no secret of the service."""

log = structlog.get_logger(__name__)
RestartListener = Callable[[str], None]


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


class EngineHost(Engine):
    """An engine in a child process, one task at a time.

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
        self._busy = threading.Lock()
        self._cancelling = threading.Lock()
        self._cancelled: dict[str, float] = {}
        self._running: str | None = None
        self._child: _Child | None = None

    @override
    def generate(self, task: ImageTask, *, on_progress: ProgressListener) -> Iterator[Picture]:
        with self._busy:
            child = self._begin(task)
            finished = False
            try:
                yield from self._follow(child, task, on_progress)
                finished = True
            except EngineError as error:
                finished = not error.is_crash
                if error.is_crash:
                    self._replace(error.code)
                raise
            finally:
                self._forget(task.task_id)
                if not finished:
                    self._drop_child()

    @override
    def cancel(self, task_id: str) -> None:
        with self._cancelling:
            is_new = task_id not in self._cancelled
            self._cancelled.setdefault(task_id, time.monotonic())
            child = self._child
            if is_new and child is not None and self._running == task_id:
                child.cancel(task_id)

    @override
    def warm(self, model_id: str) -> None:
        self._require_child().warm(model_id)

    @override
    def resident_models(self) -> tuple[str, ...]:
        child = self._child
        return () if child is None else child.resident

    @override
    def close(self) -> None:
        self._drop_child()

    def _begin(self, task: ImageTask) -> "_Child":
        """Hand a task to a child; one that died before it could take the task costs nothing."""
        child = self._require_child()
        if not self._start(child, task):
            self._drop_child()
            child = self._require_child()
            self._start(child, task)
        return child

    def _start(self, child: "_Child", task: ImageTask) -> bool:
        """Hand a task to the child, with its cancel if that came first; tell whether it went."""
        with self._cancelling:
            for other in self._cancelled.keys() - {task.task_id}:
                del self._cancelled[other]  # it named a task that was over, or never came
            was_sent = child.start_task(task)
            self._running = task.task_id
            if task.task_id in self._cancelled:
                child.cancel(task.task_id)
            return was_sent

    def _forget(self, task_id: str) -> None:
        with self._cancelling:
            self._running = None
            self._cancelled.pop(task_id, None)

    def _require_child(self) -> "_Child":
        if self._child is not None and not self._child.is_alive():
            self._drop_child()
        if self._child is None:
            self._child = _Child(self._catalogue, self._config, self._environment)
        return self._child

    def _follow(
        self, child: "_Child", task: ImageTask, on_progress: ProgressListener
    ) -> Iterator[Picture]:
        patience = self._limits.load
        moved_at = time.monotonic()
        while True:
            frame = child.next_frame(task.task_id)
            if frame is None:
                self._check_patience(child, task, moved_at=moved_at, patience=patience)
                continue
            moved_at = time.monotonic()
            match frame.kind:
                case "progress":
                    progress = _progress(frame)
                    is_loading = progress.stage == "loading"
                    patience = self._limits.load if is_loading else self._limits.hang
                    on_progress(progress)
                case "picture":
                    yield _picture(frame)
                    moved_at = time.monotonic()
                case "done":
                    return
                case "failed":
                    raise _error(frame)
                case _:
                    raise EngineCrashedError(child.describe_end())

    def _check_patience(
        self, child: "_Child", task: ImageTask, *, moved_at: float, patience: float
    ) -> None:
        now = time.monotonic()
        cancelled_at = self._cancelled.get(task.task_id)
        if cancelled_at is not None and now - cancelled_at > self._limits.cancel_grace:
            self._replace("cancel_ignored")
            raise EngineCancelledError
        silent = max(now - moved_at - patience, now - child.alive_at - ALIVE_LIMIT_SECONDS)
        if silent > 0:
            raise EngineHungError(now - moved_at)

    def _replace(self, reason: str) -> None:
        log.warning("engine_child_replaced", reason=reason)
        self._drop_child()
        if self._on_restart is not None:
            self._on_restart(reason)

    def _drop_child(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()


class _Child:
    """One life of the child process, with the threads that listen to it."""

    def __init__(
        self, catalogue: Catalogue, config: ChildConfig, environment: Mapping[str, str]
    ) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
                [sys.executable, "-m", "gen_video.engines.child", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                env=child_environment(environment, config),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._frames = FrameSocket(ours)
        self._inbox: queue.Queue[Frame] = queue.Queue()
        self.resident: tuple[str, ...] = ()
        self.alive_at = time.monotonic()
        threading.Thread(target=self._listen, name="engine-frames", daemon=True).start()
        threading.Thread(target=self._forward_output, name="engine-output", daemon=True).start()
        models = [spec.model_dump(mode="json") for spec in catalogue.list_models()]
        self._send("configure", config=asdict(config), models=models)

    def start_task(self, task: ImageTask) -> bool:
        """Hand a task over; tell whether anybody was there to take it."""
        fields = asdict(task)
        reference = fields.pop("reference_image") or b""
        return self._send("generate", reference, task=fields)

    def cancel(self, task_id: str) -> None:
        """Ask for a task to stop."""
        self._send("cancel", task_id=task_id)

    def warm(self, model_id: str) -> None:
        """Ask for a model to be loaded."""
        self._send("warm", model=model_id)

    def next_frame(self, task_id: str) -> Frame | None:
        """Wait briefly for the next frame of a task; None when there is none."""
        try:
            frame = self._inbox.get(timeout=POLL_SECONDS)
        except queue.Empty:
            return None
        is_ours = frame.kind == "gone" or frame.header.get("task_id") == task_id
        return frame if is_ours else None

    def is_alive(self) -> bool:
        """Tell whether the process runs."""
        return self._process.poll() is None

    def describe_end(self) -> str:
        """Say how the process ended."""
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "it closed its socket"
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def kill(self) -> None:
        """End the process and everything that it started."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            log.debug("engine_child_already_gone", pid=self._process.pid)
        self._process.wait()
        self._frames.close()

    def _send(self, kind: str, payload: bytes = b"", **fields: object) -> bool:
        try:
            self._frames.send(kind, payload, **fields)
        except OSError:
            # The listening thread reports the end of the child to whoever waits.
            log.debug("engine_child_unreachable", kind=kind)
            return False
        return True

    def _listen(self) -> None:
        while True:
            frame = self._frames.receive()
            if frame is None:
                self._inbox.put(Frame({"type": "gone"}))
                return
            self.alive_at = time.monotonic()
            if frame.kind == "resident":
                self.resident = tuple(frame.header["models"])
            elif frame.kind == "warm_failed":
                log.warning("model_not_warmed", **_without_type(frame))
            elif frame.kind != "alive":
                self._inbox.put(frame)

    def _forward_output(self) -> None:
        if self._process.stdout is None:
            return
        for line in self._process.stdout:
            log.info("engine_output", line=line.decode(errors="replace").rstrip()[:1000])


def child_environment(environment: Mapping[str, str], config: ChildConfig) -> dict[str, str]:
    """Return what the child sees of the environment.

    `OMP_WAIT_POLICY=PASSIVE` is worth a factor of thirty on a machine whose cores are shared.
    """
    chosen = {name: environment[name] for name in CHILD_ENVIRONMENT if name in environment}
    chosen |= {
        "OMP_WAIT_POLICY": "PASSIVE",
        "DIFFUSERS_DISABLE_REMOTE_CODE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTHONUNBUFFERED": "1",
    }
    if config.is_hub_offline:
        chosen["HF_HUB_OFFLINE"] = "1"
    if config.threads:
        chosen["OMP_NUM_THREADS"] = str(config.threads)
    return chosen


def _progress(frame: Frame) -> StepProgress:
    header = frame.header
    return StepProgress(
        stage=str(header["stage"]), step=int(header["step"]), steps=int(header["steps"])
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


def _error(frame: Frame) -> EngineError:
    kind = getattr(errors, str(frame.header["error"]), None)
    if not (isinstance(kind, type) and issubclass(kind, EngineError)):
        return EngineFailedError(str(frame.header["error"]))
    return kind(**frame.header["facts"])


def _without_type(frame: Frame) -> dict[str, object]:
    return {name: value for name, value in frame.header.items() if name != "type"}
