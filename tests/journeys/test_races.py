"""Many clients, few units: exactly as many get in as there are units, in every process."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.load import count_statuses, make_keys, post_at_once
from tests.journeys.service import RunningService

pytestmark = pytest.mark.journey

CLIENTS = 64
ROUNDS = 50
WEB_PROCESSES = "2"


@pytest.fixture
def wide_service(database_url: str, tmp_path: Path) -> Iterator[RunningService]:
    """Return a service with two web processes, on SQLite and on PostgreSQL."""
    settings = {"WEB_PROCESSES": WEB_PROCESSES}
    if database_url.startswith("postgresql"):
        settings["DATABASE_URL"] = database_url
    with RunningService(tmp_path, settings=settings) as running:
        yield running


@pytest.mark.timeout(1200)
def test_64_clients_race_for_the_last_unit_and_one_wins(wide_service: RunningService) -> None:
    keys = make_keys(wide_service, ROUNDS, images_per_day=1)
    assert len(wide_service.children("web")) == int(WEB_PROCESSES)

    outcomes = [
        count_statuses(asyncio.run(post_at_once(wide_service.url, [key] * CLIENTS, prompt="race")))
        for key in keys
    ]

    assert outcomes == [{202: 1, 429: CLIENTS - 1}] * ROUNDS
    audit = wide_service.run_command("audit")
    assert audit.returncode == 0, audit.stdout + audit.stderr


def test_as_many_get_in_as_there_are_units(wide_service: RunningService) -> None:
    [key] = make_keys(wide_service, 1, images_per_day=17)

    responses = asyncio.run(post_at_once(wide_service.url, [key] * CLIENTS, prompt="race"))

    assert count_statuses(responses) == {202: 17, 429: CLIENTS - 17}
