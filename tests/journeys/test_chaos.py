"""A short storm in every run of the suite; `make chaos` runs the long one."""

from pathlib import Path

import pytest

from tests.chaos.run import run_chaos

pytestmark = pytest.mark.journey

STORM_SECONDS = 20.0


def test_every_promise_is_kept_when_processes_are_killed(database_url: str, tmp_path: Path) -> None:
    settings = {}
    if database_url.startswith("postgresql"):
        settings["DATABASE_URL"] = database_url

    reckoning = run_chaos(tmp_path, seconds=STORM_SECONDS, seed=7, settings=settings)

    assert reckoning.findings == []
    assert reckoning.kills.total() >= 5
    assert reckoning.ends["succeeded"] >= 10
