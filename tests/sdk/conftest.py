"""A real service for the real SDKs, and the scripts that people would run against it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.journeys.service import RunningService
from tests.sdk.packages import npm_sdk, python_sdk
from tests.services import IS_CI

SCRIPTS = Path(__file__).with_name("scripts")
PAID_KEY = "demo-key-456"
MAJORS = (2, 3)
SCRIPT_SECONDS = 120
SIDE = 256


@dataclass(frozen=True, kw_only=True)
class Script:
    """Runs scripts that know the hosted service only; address and key come from outside.

    Attributes:
        service: The service that answers.
        folder: Where scripts put what they made.
    """

    service: RunningService
    folder: Path

    def python(self, major: int, name: str, *arguments: str, **settings: str) -> str:
        """Run a script with one major of the Python SDK; return what it printed."""
        given = {"PYTHONPATH": str(python_sdk(major))} | self._settings(settings)
        return _run([sys.executable, str(SCRIPTS / name), *arguments], given)

    def javascript(self, name: str, *arguments: str, **settings: str) -> str:
        """Run a script with the JavaScript SDK; return what it printed."""
        node = shutil.which("node")
        if node is None and not IS_CI:
            pytest.skip("Node.js is not installed")
        # Packages are looked for beside the script.
        script = shutil.copy(SCRIPTS / name, npm_sdk())
        return _run([node or "node", str(script), *arguments], self._settings(settings))

    def _settings(self, settings: dict[str, str]) -> dict[str, str]:
        return {
            "OPENAI_BASE_URL": f"{self.service.url}/v1",
            "OPENAI_API_KEY": PAID_KEY,
            "SERVICE": self.service.url,
        } | settings


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Return the real processes with the test double as every default model."""
    folder = tmp_path_factory.mktemp("service")
    settings = {
        "DEFAULT_VIDEO_MODEL": "test-double",
        "WORKER_CONCURRENCY": "2",
        "JOB_ATTEMPTS": "1",
    }
    with RunningService(folder, settings=settings) as running:
        yield running


@pytest.fixture
def script(service: RunningService, tmp_path: Path) -> Script:
    """Return what runs scripts, with a mask in their folder: the right half is drawn anew."""
    mask = Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (SIDE // 2, 0, SIDE, SIDE))
    mask.save(tmp_path / "mask.png")
    return Script(service=service, folder=tmp_path)


def parse(printed: str) -> dict[str, Any]:
    """Read a script's report."""
    report: dict[str, Any] = json.loads(printed)
    return report


def _run(command: list[str], settings: dict[str, str]) -> str:
    done = subprocess.run(
        command,
        env={"PATH": "/usr/bin:/bin", **settings},
        capture_output=True,
        text=True,
        timeout=SCRIPT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
