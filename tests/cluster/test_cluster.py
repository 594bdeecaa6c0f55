"""Short versions of the long runs: real servers, real processes, really killed."""

from collections.abc import Mapping

import pytest

from tests.cluster.reckoning import Reckoning
from tests.cluster.run import run_cluster

pytestmark = [
    pytest.mark.journey,
    pytest.mark.postgresql,
    pytest.mark.timeout(600),  # a busy machine starts a cluster slowly
]

FAULTS = {"worker killed", "web killed", "database killed", "broker killed", "objects frozen"}


def _run(broker: str, seconds: Mapping[str, float]) -> Reckoning:
    reckoning = run_cluster(broker=broker, seconds=seconds, seed=7, tell=print)
    print(*reckoning.lines(), sep="\n")  # noqa: T201 - shown when the test fails
    return reckoning


@pytest.mark.redis
def test_every_promise_is_kept_with_redis_when_everything_dies_and_dead_workers_return() -> None:
    reckoning = _run("redis", {"storm": 10, "zombie": 5, "forged": 3})

    assert reckoning.lies == []
    assert reckoning.findings == []
    assert reckoning.faults.keys() >= FAULTS
    assert reckoning.faults["messages forged"] == 1000
    assert reckoning.figures["zombies turned away"] >= len(reckoning.zombies) >= 1
    assert reckoning.ends["succeeded"] >= 10


@pytest.mark.rabbitmq
def test_every_promise_is_kept_with_rabbitmq_when_everything_dies_and_is_then_upgraded() -> None:
    reckoning = _run("rabbitmq", {"storm": 10, "flush": 3, "forged": 3, "upgrade": 1})

    assert reckoning.lies == []
    assert reckoning.findings == []
    assert reckoning.faults.keys() >= FAULTS | {"broker emptied"}
    assert reckoning.faults["messages forged"] == 1000
    assert (reckoning.faults["web upgraded"], reckoning.faults["worker upgraded"]) == (2, 3)
    assert reckoning.ends["succeeded"] >= 10
