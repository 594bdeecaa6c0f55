"""A headless Chromium for pages: what it shows after its scripts have run, and a picture of it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.services import IS_CI, SKIP_WORDS

NAMES = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 90
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=15000",
    "--window-size=1280,1600",
)


def require_chromium() -> str:
    """Return the browser's path; without one skip, or fail under CI."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None and IS_CI:
        pytest.fail("CI=true needs Chromium")
    if found is None:
        pytest.skip(f"Chromium {SKIP_WORDS}")
    return found


def read_page(url: str, profile: Path) -> str:
    """Return a page's document after its scripts have run."""
    return _run(url, profile, "--dump-dom").stdout


def take_picture(url: str, profile: Path, file: Path) -> None:
    """Write a PNG of a page."""
    _run(url, profile, f"--screenshot={file}")


def _run(url: str, profile: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [require_chromium(), *FLAGS, f"--user-data-dir={profile}", *options, url],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
