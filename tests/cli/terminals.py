"""`gen-video` as somebody runs it: real processes, with or without a terminal."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.cli.conftest import Outcome
from tests.journeys.service import PROJECT_FOLDER

PROGRAM = (sys.executable, "-m", "gen_video")
SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class Shell:
    """A person's shell: a home of its own, and what is set there."""

    home: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def logins(self) -> Path:
        """Return where the logins are kept."""
        return self.home / ".config" / "gen-video" / "logins.json"

    def run(self, *arguments: str, typed: str = "", **variables: str) -> Outcome:
        """Run a command to its end, without a terminal."""
        done = subprocess.run(
            [*PROGRAM, *arguments],
            input=typed,
            env=self._environment(variables),
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            [*PROGRAM, *arguments],
            env=self._environment({}),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run_on_terminal(self, *arguments: str, typed: str = "", **variables: str) -> Outcome:
        """Run a command on a terminal; all that it shows is its output."""
        controller, terminal = pty.openpty()
        process = subprocess.Popen(
            [*PROGRAM, *arguments],
            env=self._environment({"TERM": "xterm-256color", "COLUMNS": "120"} | variables),
            cwd=self.home,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        shown = _show(controller, typed)
        return Outcome(process.wait(timeout=SECONDS), shown, "")

    def _environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        own = {
            "HOME": str(self.home),
            "PATH": os.defpath,
            "PYTHONPATH": str(PROJECT_FOLDER),
            "LANG": "C.UTF-8",
        }
        return own | dict(self.variables) | dict(variables)


def _show(controller: int, typed: str) -> str:
    """Read a terminal until nobody writes to it; type once a question stands there.

    The blank behind the colon comes when the terminal has stopped to echo.
    """
    shown = b""
    give_up_at = time.monotonic() + SECONDS
    while time.monotonic() < give_up_at:
        if not select.select([controller], [], [], 1.0)[0]:
            continue
        try:
            chunk = os.read(controller, 4096)
        except OSError:
            break
        if not chunk:
            break
        shown += chunk
        if typed and shown.endswith(b": "):
            os.write(controller, f"{typed}\n".encode())
            typed = ""
    os.close(controller)
    return shown.decode("utf-8", "replace")
