"""A reader of the documents: copies code into a file of an empty folder and runs it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.journeys.service import PROJECT_FOLDER, RunningService
from tests.quickstarts.code import Block

ADDRESS = "http://localhost:8000"
SECONDS = 120
SUFFIXES = {"bash": "sh", "python": "py", "javascript": "mjs"}


class Reader:
    """Runs code against one service, wherever the document says that it listens.

    Args:
        service: In place of the one at the documents' address.
    """

    def __init__(self, service: RunningService) -> None:
        self._service = service

    def run(
        self, block: Block, folder: Path, *, packages: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a block; `packages` is a folder of Python packages to import from first."""
        file = folder / f"code.{SUFFIXES[block.language]}"
        file.write_text(self._at_this_service(block.code), encoding="utf-8")
        return subprocess.run(
            [*_interpreter(block.language), str(file)],
            cwd=folder,
            env=self._environment(packages),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def _at_this_service(self, code: str) -> str:
        script = "gen_video/api/test_mvp.py"
        code = code.replace(f"python {script}", f"python {PROJECT_FOLDER / script} {ADDRESS}")
        return code.replace(ADDRESS, self._service.url)

    def _environment(self, packages: Path | None) -> dict[str, str]:
        environment = dict(os.environ)  # noqa: TID251 - for a child
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
        if packages is not None:
            environment["PYTHONPATH"] = str(packages)
        return environment


def _interpreter(language: str) -> list[str]:
    match language:
        case "bash":
            return ["bash", "-euo", "pipefail"]
        case "python":
            return [sys.executable]
        case _:
            return [shutil.which("node") or "node"]
