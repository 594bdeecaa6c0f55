"""A real service with the test double, and real pages in a headless Chromium."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.console.journeys.chromium import Chromium, run_chromium
from tests.journeys.service import RunningService


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Return a running service; one for all journeys, each as a user of its own or as the guest."""
    folder: Path = tmp_path_factory.mktemp("site")
    with RunningService(folder, settings={"DEFAULT_VIDEO_MODEL": "test-double"}) as service:
        yield service


@pytest.fixture(scope="package")
def chromium() -> Iterator[Chromium]:
    """Return a browser; each journey opens windows of its own in it."""
    with run_chromium() as chromium:
        yield chromium
