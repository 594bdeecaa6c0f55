"""Short versions of the long runs: real servers, real processes, really killed."""

from collections.abc import Mapping

import pytest

from tests.cluster.reckoning import Reckoning
from tests.cluster.run import run_cluster

pytestmark = [pytest.mark.journey, pytest.mark.postgresql]


def _run(broker: str, seconds: Mapping[str, float]) -> Reckoning:
    reckoning = run_cluster(broker=broker, seconds=seconds, seed=7, tell=print)
    print(*reckoning.lines(), sep="\n")  # noqa: T201 - shown when the test fails
    return reckoning


@pytest.mark.redis
def test_every_promise_is_kept_with_redis_when_everything_dies() -> None:
    reckoning = _run("redis", {"storm": 16, "flush": 4, "forged": 4})

    assert reckoning.lies == []
    assert reckoning.findings == []
    assert reckoning.faults.total() >= 1000 + 3 + 6
    assert reckoning.ends["succeeded"] >= 10


@pytest.mark.rabbitmq
def test_every_promise_is_kept_with_rabbitmq_when_everything_dies() -> None:
    reckoning = _run("rabbitmq", {"storm": 16, "flush": 3, "forged": 4})

    assert reckoning.lies == []
    assert reckoning.findings == []
    assert reckoning.faults.total() >= 1000 + 2 + 6
    assert reckoning.ends["succeeded"] >= 10


@pytest.mark.redis
def test_a_worker_that_wakes_up_after_its_lease_changes_nothing_and_an_upgrade_is_not_noticed() -> (
    None
):
    reckoning = _run("redis", {"zombie": 8, "upgrade": 1})

    assert reckoning.lies == []
    assert reckoning.findings == []
    assert len(reckoning.zombies) >= 1
    assert reckoning.figures["zombies turned away"] >= 1
    assert reckoning.faults["web upgraded"] == 2
    assert reckoning.faults["worker upgraded"] == 3
