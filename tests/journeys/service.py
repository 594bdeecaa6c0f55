"""A real service for tests: its processes, its port, its folders, and a client."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import psutil

from benchmarks.ports import find_free_port

PROJECT_FOLDER = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
STOP_SECONDS = 40.0
TEST_KEY = "test-key-123"

_UNTOUCHED = re.compile(r"^(?!GEN_VIDEO_)")


class RunningService:
    """`python -m gen_video serve` in folders of its own; use as a context manager.

    The model is the test double: it obeys directives in its prompt. Starting again after `stop`
    or `kill` finds the same folders.

    Args:
        folder: Where data, pictures and the log go.
        settings: More settings, without their prefix.
    """

    def __init__(self, folder: Path, *, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.port = find_free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.output_folder = folder / "outputs"
        self.log_file = folder / "service.log"
        self._settings = dict(settings or {})
        self._process: psutil.Popen | None = None
        self._seen: dict[int, psutil.Process] = {}
        self.client = httpx.Client(
            base_url=self.url, headers={"X-API-Key": TEST_KEY}, timeout=60, trust_env=False
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.client.close()
        self.stop()
        for process in self.living():
            process.kill()

    @property
    def environment(self) -> dict[str, str]:
        """Return what the processes see; settings of the developer's machine stay out."""
        inherited = {name: text for name, text in os.environ.items() if _UNTOUCHED.match(name)}  # noqa: TID251 - for a child
        chosen = {
            "DATA_DIR": str(self.folder / "data"),
            "OUTPUT_DIR": str(self.output_folder),
            "PORT": str(self.port),
            "ENABLE_TEST_MODEL": "1",
            "DEFAULT_IMAGE_MODEL": "test-double",
            "PRELOAD_MODELS": "",
            "LEASE_SECONDS": "3",
            "SWEEP_SECONDS": "0.5",
            "LOG_FORMAT": "json",
        } | self._settings
        return inherited | {f"GEN_VIDEO_{name}": text for name, text in chosen.items()}

    @property
    def supervisor(self) -> psutil.Popen:
        """Return the process that was started."""
        if self._process is None:
            raise RuntimeError("the service was not started")
        return self._process

    def start(self) -> None:
        """Start the service and wait until it answers."""
        self._process = self.launch()
        # First our own processes: those of a service that was killed may answer a last time.
        for name in ("web", "worker"):
            self.wait_until(partial(self._has_own, name), seconds=START_SECONDS)
        self.wait_until(self.is_answering, seconds=START_SECONDS)

    def launch(self) -> psutil.Popen:
        """Start the processes without waiting; what they print is added to the log."""
        with self.log_file.open("ab") as log:
            return psutil.Popen(
                [sys.executable, "-m", "gen_video", "serve"],
                cwd=PROJECT_FOLDER,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run_command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of `gen-video` on the service's folders."""
        return subprocess.run(
            [sys.executable, "-m", "gen_video", *arguments],
            cwd=PROJECT_FOLDER,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int | None:
        """Ask the service to stop; return its exit code, None when it never ran."""
        if self._process is None:
            return None
        self._note_processes()
        if self._process.poll() is None:
            self._process.send_signal(number)
        return int(self._process.wait(timeout=STOP_SECONDS))

    def kill_supervisor(self) -> None:
        """End the supervisor without a chance to tidy up."""
        self._note_processes()
        self.supervisor.kill()
        self.supervisor.wait(timeout=5)

    def children(self, name: str) -> list[psutil.Process]:
        """Return the living processes of one kind: `web`, `worker` or `engine`."""
        self._note_processes()
        word = {"engine": "gen_video.engines.child"}.get(name, name)
        return [process for process in self.living() if word in _arguments(process)]

    def living(self) -> list[psutil.Process]:
        """Return every process of this service that still lives, the supervisor excepted."""
        return [process for process in self._seen.values() if _is_alive(process)]

    def is_answering(self) -> bool:
        """Tell whether the web answers."""
        if self.supervisor.poll() is not None:
            raise AssertionError(f"the service ended:\n{self.read_log()[-3000:]}")
        try:
            return httpx.get(
                f"{self.url}/api/v1/health/live", timeout=2, trust_env=False
            ).is_success
        except httpx.TransportError:
            return False

    def read_log(self) -> str:
        """Return everything that the processes have printed."""
        return self.log_file.read_text(encoding="utf-8")

    def wait_until(self, condition: Callable[[], bool], *, seconds: float) -> None:
        """Wait for a condition; fail with the end of the log."""
        give_up_at = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > give_up_at:
                raise AssertionError(f"not within {seconds} s; log:\n{self.read_log()[-3000:]}")
            time.sleep(0.1)

    def _has_own(self, name: str) -> bool:
        own = {child.pid for child in self.supervisor.children()}
        return any(child.pid in own for child in self.children(name))

    def _note_processes(self) -> None:
        if self._process is None or not self._process.is_running():
            return
        try:
            found = self._process.children(recursive=True)
        except psutil.NoSuchProcess:
            return
        self._seen |= {process.pid: process for process in found}


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _arguments(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.NoSuchProcess:
        return []
