"""One service for all documents, with a quota that suffices for every piece of code in them."""

from collections.abc import Iterator

import pytest

from tests.journeys.service import RunningService
from tests.quickstarts.reader import Reader


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("reader")
    settings = {"DEFAULT_VIDEO_MODEL": "test-double"}
    with RunningService(folder, settings=settings) as service:
        more = ("--images-per-day", "1000", "--videos-per-day", "1000")
        changed = service.run_command("plans", "set", "free", *more)
        assert changed.returncode == 0, changed.stderr
        yield Reader(service)
