"""Programs: processes that the harness starts, stops, kills, freezes and thaws by their ids."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

PROJECT_FOLDER = Path(__file__).resolve().parents[2]
POLL_SECONDS = 0.05
REAP_SECONDS = 10.0

_FOREIGN = re.compile(r"^(?!GEN_VIDEO_|RABBITMQ_|AWS_)")


class ClusterError(AssertionError):
    """A part of the cluster did not do what the harness needs."""


class Program:
    """One place in the cluster: whoever fills it may be killed and started again.

    Args:
        name: For messages and the log's file name.
        arguments: The command line.
        folder: Where the log goes, and where it runs.
        environment: Added to what the harness itself sees, settings of a developer excepted.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        working_folder: Path = PROJECT_FOLDER,
    ) -> None:
        self.name = name
        self.folder = folder
        self.log_file = folder / f"{name}.log"
        self._arguments = list(arguments)
        self._environment = inherited_environment() | dict(environment or {})
        self._working_folder = working_folder
        self._process: psutil.Popen | None = None
        self._seen: dict[int, psutil.Process] = {}

    @property
    def pid(self) -> int:
        """Return the id of the process that runs or ran here last, 0 before the first."""
        return 0 if self._process is None else int(self._process.pid)

    def start(self) -> None:
        """Start the process; what it prints is added to its log."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            self._process = psutil.Popen(
                self._arguments,
                cwd=self._working_folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def poll(self) -> int | None:
        """Return the exit code of the process, None while it runs or before it was started."""
        return None if self._process is None else self._process.poll()

    def is_running(self) -> bool:
        """Tell whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def ask_to_stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send the signal, and do not wait."""
        self._note_descendants()
        if self.is_running():
            os.kill(self.pid, number)

    def wait(self, *, seconds: float) -> int:
        """Wait for the end of the process and return its exit code."""
        if self._process is None:
            return 0
        try:
            return int(self._process.wait(timeout=seconds))
        except (psutil.TimeoutExpired, subprocess.TimeoutExpired) as error:
            raise ClusterError(
                f"{self.name} does not end; log:\n{self.read_log()[-3000:]}"
            ) from error

    def kill(self) -> None:
        """End the process without a chance to tidy up; its children have to notice themselves."""
        self._note_descendants()
        if self.is_running():
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self.wait(seconds=REAP_SECONDS)

    def kill_tree(self) -> None:
        """End the process and everything that it started."""
        self._note_descendants()
        self.kill()
        for process in self.living():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        # Its port must be free before somebody starts the next one.
        wait_until(lambda: not self.living(), seconds=REAP_SECONDS, what=f"{self.name} is gone")

    def freeze(self, *, has_children: bool = True) -> None:
        """Stop the clock of the process, and of its children, as when a machine is paused."""
        self._note_descendants()
        self._signal_living(signal.SIGSTOP, has_children=has_children)

    def thaw(self) -> None:
        """Let everything here go on."""
        self._signal_living(signal.SIGCONT, has_children=True)

    def descendants(self) -> list[psutil.Process]:
        """Return the living processes that this one started."""
        self._note_descendants()
        return [process for process in self.living() if process.pid != self.pid]

    def living(self) -> list[psutil.Process]:
        """Return every process ever seen here that still lives."""
        return [process for process in self._seen.values() if is_alive(process)]

    def read_log(self) -> str:
        """Return everything that was printed here."""
        if not self.log_file.exists():
            return ""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def _signal_living(self, number: signal.Signals, *, has_children: bool) -> None:
        # The parent first: a stopped one starts no further children.
        pids = [self.pid, *(process.pid for process in self.living() if process.pid != self.pid)]
        for pid in pids if has_children else pids[:1]:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _note_descendants(self) -> None:
        if self._process is None or not self._process.is_running():
            return
        with suppress(psutil.NoSuchProcess):
            own = psutil.Process(self.pid)
            self._seen |= {found.pid: found for found in (own, *own.children(recursive=True))}


def inherited_environment() -> dict[str, str]:
    """Return what children may see of the harness's own environment."""
    return {name: text for name, text in os.environ.items() if _FOREIGN.match(name)}  # noqa: TID251 - for children


def is_listening(port: int) -> bool:
    """Tell whether somebody accepts connections on this machine's port."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0):
        return True
    return False


def wait_until(
    condition: Callable[[], bool], *, seconds: float, what: str, pause_seconds: float = POLL_SECONDS
) -> None:
    """Wait for a condition; say what did not come."""
    give_up_at = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up_at:
            raise ClusterError(f"not within {seconds:g} s: {what}")
        time.sleep(pause_seconds)


def is_alive(process: psutil.Process) -> bool:
    """Tell whether a process lives; one that waits to be reaped does not."""
    with suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def describe(processes: Iterable[psutil.Process]) -> list[str]:
    """Say what processes are, for a finding."""
    texts = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            texts.append(f"{process.pid} {' '.join(process.cmdline())[:120]}")
    return texts
