"""One life of the engine child: the process, its socket, and the threads that listen to it."""

import os
import queue
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict

import structlog

from gen_video.engines.catalogue import Catalogue
from gen_video.engines.focus import Focus
from gen_video.engines.frames import Frame, FrameSocket
from gen_video.engines.makes import ChildConfig
from gen_video.engines.parcels import pack_task
from gen_video.engines.tasks import Task

POLL_SECONDS = 0.05
SEND_SECONDS = 30
CHILD_ENVIRONMENT = (
    "PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES",
    "CUDA_HOME", "NVIDIA_VISIBLE_DEVICES", "HF_HOME", "HF_HUB_CACHE", "HF_ENDPOINT",
    "HF_HUB_OFFLINE", "HF_TOKEN", "MODELSCOPE_CACHE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
    "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE",
)  # fmt: skip
"""The child inherits these and nothing else: no database address, no secret of the service."""

KEPT_BYTES = 2**30
"""Freed memory that the child keeps for its next tensors instead of giving it back."""

log = structlog.get_logger(__name__)


class ChildProcess:
    """A running child; messages about a task are kept in a box of its own until asked for."""

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
        # A child that reads nothing must not keep whoever sends to it, and whoever waits for them.
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_SECONDS, 0))
        self._frames = FrameSocket(ours)
        self._boxes: dict[str, queue.Queue[Frame]] = {}
        self._sorting = threading.Lock()
        self._is_gone = False
        self.focus = Focus()
        self.resident: tuple[str, ...] = ()
        self.warm_failures: dict[str, str] = {}
        self.alive_at = time.monotonic()
        threading.Thread(target=self._listen, name="engine-frames", daemon=True).start()
        threading.Thread(target=self._forward_output, name="engine-output", daemon=True).start()
        models = [spec.model_dump(mode="json") for spec in catalogue.list_models()]
        self._send("configure", config=asdict(config), models=models)

    def start_task(self, task: Task) -> bool:
        """Hand a task over; tell whether anybody was there to take it."""
        self._open_box(task.task_id)
        parcel = pack_task(task)
        return self._send(parcel.kind, parcel.payload, **parcel.fields)

    def cancel(self, task_id: str) -> None:
        """Ask for a task to stop."""
        self._send("cancel", task_id=task_id)

    def tell_taken(self, task_id: str) -> None:
        """Say that one part of a task's output was used: the child may send another."""
        self._send("taken", task_id=task_id)

    def warm(self, model_id: str) -> None:
        """Ask for a model to be loaded."""
        self.warm_failures.pop(model_id, None)
        self._send("warm", model=model_id)

    def unload(self, model_id: str) -> None:
        """Ask for a model's memory to be let go of."""
        self._send("unload", model=model_id)

    def next_frame(self, task_id: str) -> Frame | None:
        """Wait briefly for the next frame of a task; None when there is none."""
        try:
            return self._boxes[task_id].get(timeout=POLL_SECONDS)
        except queue.Empty:
            return None

    def _open_box(self, task_id: str) -> None:
        with self._sorting:
            box = self._boxes[task_id] = queue.Queue()
            if self._is_gone:
                box.put(Frame({"type": "gone"}))

    def close_box(self, task_id: str) -> None:
        """Throw away what is still said about a task."""
        with self._sorting:
            self._boxes.pop(task_id, None)

    def _sort(self, frame: Frame) -> None:
        task_id = str(frame.header.get("task_id"))
        self.focus.note(task_id, frame)
        with self._sorting:
            box = self._boxes.get(task_id)
            if box is not None:
                box.put(frame)

    def _tell_gone(self) -> None:
        with self._sorting:
            self._is_gone = True
            for box in self._boxes.values():
                box.put(Frame({"type": "gone"}))

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
            # Half a message may have gone out: nothing after it would be understood. The
            # listening thread reports the end of the child to whoever waits.
            log.debug("engine_child_unreachable", kind=kind)
            self._frames.close()
            return False
        return True

    def _listen(self) -> None:
        while True:
            frame = self._frames.receive()
            if frame is None:
                self._tell_gone()
                return
            self.alive_at = time.monotonic()
            if frame.kind == "resident":
                self.resident = tuple(frame.header["models"])
            elif frame.kind == "warm_failed":
                self.warm_failures[str(frame.header["model"])] = str(frame.header["reason"])
                log.warning("model_not_warmed", **_without_type(frame))
            elif frame.kind != "alive":
                self._sort(frame)

    def _forward_output(self) -> None:
        if self._process.stdout is None:
            return
        for line in self._process.stdout:
            log.info("engine_output", line=line.decode(errors="replace").rstrip()[:1000])


def child_environment(environment: Mapping[str, str], config: ChildConfig) -> dict[str, str]:
    """Return what the child sees of the environment.

    `OMP_WAIT_POLICY=PASSIVE` is worth a factor of thirty on a machine whose cores are shared. glibc
    gives every large block back to the kernel and gets it again, zeroed: on the CPU a decoder
    spent more than half of its time there (1.13 s of processor time a picture, now 0.47 s).
    """
    chosen = {name: environment[name] for name in CHILD_ENVIRONMENT if name in environment}
    chosen |= {
        "OMP_WAIT_POLICY": "PASSIVE",
        "MALLOC_MMAP_MAX_": "0",
        "MALLOC_TRIM_THRESHOLD_": str(KEPT_BYTES),
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


def _without_type(frame: Frame) -> dict[str, object]:
    return {name: value for name, value in frame.header.items() if name != "type"}
