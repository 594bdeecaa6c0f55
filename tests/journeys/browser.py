"""A headless Chromium for pages: what it shows after its scripts have run, and a picture of it.

Time runs faster than on the clock for those two; a page that is kept open has real time.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
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
    "--window-size=1280,1600",
)
FAST = "--virtual-time-budget=15000"


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
    return _run(url, profile, FAST, "--dump-dom").stdout


def take_picture(url: str, profile: Path, file: Path) -> None:
    """Write a PNG of a page."""
    _run(url, profile, FAST, f"--screenshot={file}")


@contextmanager
def open_page(url: str, profile: Path) -> Iterator[None]:
    """Keep a page open while the block runs; its scripts tell somebody else what they find."""
    browser = subprocess.Popen(
        [require_chromium(), *FLAGS, f"--user-data-dir={profile}", url],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        browser.terminate()
        try:
            browser.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            browser.kill()
            browser.wait()


def _run(url: str, profile: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [require_chromium(), *FLAGS, f"--user-data-dir={profile}", *options, url],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
