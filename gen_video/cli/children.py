"""The processes of a service: started, restarted when they die, stopped together."""

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence

import structlog

CRASH_LIMIT = 5
CRASH_WINDOW_SECONDS = 30.0
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0

log = structlog.get_logger(__name__)


class Child:
    """One place among the processes: whoever fills it is replaced when it dies.

    Args:
        name: For logs and messages.
        arguments: Of `python -m gen_video`.
        descriptors: What the process inherits.
        environment: What it sees.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        descriptors: Sequence[int],
        environment: Mapping[str, str],
    ) -> None:
        self.name = name
        self._arguments = [sys.executable, "-m", "gen_video", *arguments]
        self._descriptors = tuple(descriptors)
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._deaths: deque[float] = deque(maxlen=CRASH_LIMIT)
        self._failures: deque[float] = deque(maxlen=CRASH_LIMIT)
        self._start_at = 0.0
        self.last_pid = 0

    def start(self) -> None:
        """Start the process, out of reach of the terminal's Ctrl-C, which is the supervisor's."""
        self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            self._arguments,
            pass_fds=self._descriptors,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.last_pid = self._process.pid

    def look_after(self) -> int | None:
        """Start the process if it is due; return the pid of one that was found dead."""
        now = time.monotonic()
        if self._process is None:
            if now >= self._start_at:
                self.start()
            return None
        code = self._process.poll()
        if code is None:
            return None
        self._note_death(now, code)
        return self.last_pid

    def _note_death(self, now: float, code: int) -> None:
        self._process = None
        self._deaths.append(now)
        if code != -signal.SIGKILL:
            self._failures.append(now)
        recent = sum(1 for moment in self._deaths if now - moment < CRASH_WINDOW_SECONDS)
        pause = min(FIRST_PAUSE_SECONDS * 2 ** (recent - 1), LONGEST_PAUSE_SECONDS)
        self._start_at = now + pause
        log.warning("process_ended", name=self.name, exit=describe_exit(code), pause_seconds=pause)

    def is_hopeless(self) -> bool:
        """Tell whether it failed so often that starting it again makes no sense.

        A process that somebody killed, the kernel's memory killer for one, did not fail: it is
        replaced for ever, only ever more slowly.
        """
        is_full = len(self._failures) == CRASH_LIMIT
        return is_full and self._failures[-1] - self._failures[0] < CRASH_WINDOW_SECONDS

    def is_running(self) -> bool:
        """Tell whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self, number: signal.Signals) -> None:
        """Send a signal to the process, if there is one."""
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, number)

    def reap(self) -> None:
        """Wait for the end of a process that was killed."""
        if self._process is not None:
            self._process.wait()


def describe_exit(code: int) -> str:
    """Say how a process ended."""
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"code {code}"
