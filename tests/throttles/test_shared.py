"""What every shared throttle promises, on Redis, SQLite and PostgreSQL."""

import asyncio
import subprocess
import sys
import time

import pytest

from gen_video.throttles.throttle import Rate, Throttle
from tests.throttles.conftest import OpenNode
from tests.throttles.makes import LONG, count_allowed, new_bucket, take_many

HUNDRED = Rate(limit=100, window_seconds=LONG)


def test_32_tasks_at_once_never_pass_more_than_the_limit(open_node: OpenNode) -> None:
    bucket = new_bucket()

    verdicts = asyncio.run(take_many(open_node().throttle, bucket, HUNDRED, count=400))

    assert count_allowed(verdicts) == 100


def test_two_nodes_share_one_limit_to_the_last_request(open_node: OpenNode) -> None:
    first, second, bucket = open_node().throttle, open_node().throttle, new_bucket()

    async def run() -> int:
        both = await asyncio.gather(
            take_many(first, bucket, HUNDRED, count=200),
            take_many(second, bucket, HUNDRED, count=200),
        )
        return count_allowed([*both[0], *both[1]])

    assert asyncio.run(run()) == 100


@pytest.mark.parametrize("limit", [1, 3, 19, 20, 21, 125])
def test_a_limit_that_is_no_multiple_of_a_lease_is_used_up(open_node: OpenNode, limit: int) -> None:
    rate = Rate(limit=limit, window_seconds=LONG)

    verdicts = asyncio.run(take_many(open_node().throttle, new_bucket(), rate, count=limit + 30))

    assert count_allowed(verdicts) == limit


def test_two_processes_never_pass_more_than_the_limit(store_url: str) -> None:
    command = [sys.executable, "-m", "tests.throttles.makes", store_url, new_bucket(), "500", "300"]

    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60)[0] for process in processes]

    assert sum(map(int, answers)) == 500


def test_buckets_do_not_touch_each_other(open_node: OpenNode) -> None:
    throttle, one = open_node().throttle, Rate(limit=1, window_seconds=LONG)

    async def run() -> list[bool]:
        buckets = [new_bucket(), new_bucket()]
        return [(await throttle.take(bucket, one)).is_allowed for bucket in buckets * 2]

    assert asyncio.run(run()) == [True, True, False, False]


def test_the_rest_counts_down_and_a_refusal_says_when_to_come_back(open_node: OpenNode) -> None:
    throttle, bucket = open_node().throttle, new_bucket()
    three = Rate(limit=3, window_seconds=LONG)

    async def run() -> None:
        verdicts = [await throttle.take(bucket, three) for _ in range(4)]

        assert [verdict.remaining for verdict in verdicts] == [2, 1, 0, 0]
        assert [verdict.is_allowed for verdict in verdicts] == [True, True, True, False]
        assert all(0 < verdict.reset_after_seconds <= LONG for verdict in verdicts)
        assert {verdict.limit for verdict in verdicts} == {3}

    asyncio.run(run())


def test_the_next_window_lets_as_many_pass_again(open_node: OpenNode) -> None:
    throttle, bucket = open_node().throttle, new_bucket()
    short = Rate(limit=40, window_seconds=2)

    async def run() -> None:
        await _use_up(throttle, bucket, short)
        refused = await throttle.take(bucket, short)
        await asyncio.sleep(refused.reset_after_seconds + 0.05)
        again = await throttle.take(bucket, short)

        assert not refused.is_allowed
        assert refused.reset_after_seconds <= 2
        assert again.is_allowed

    asyncio.run(run())


def test_a_raised_limit_counts_at_once_and_only_for_the_difference(open_node: OpenNode) -> None:
    throttle, bucket = open_node().throttle, new_bucket()
    larger = Rate(limit=160, window_seconds=LONG)

    async def run() -> tuple[int, int]:
        before = count_allowed(await take_many(throttle, bucket, HUNDRED, count=150))
        after = count_allowed(await take_many(throttle, bucket, larger, count=150))
        return before, after

    assert asyncio.run(run()) == (100, 60)


def test_a_refused_bucket_is_answered_fast(open_node: OpenNode) -> None:
    throttle, bucket = open_node().throttle, new_bucket()

    async def run() -> float:
        await take_many(throttle, bucket, HUNDRED, count=150)
        started = time.perf_counter()
        await take_many(throttle, bucket, HUNDRED, count=200)
        return (time.perf_counter() - started) / 200

    assert asyncio.run(run()) < 0.005


async def _use_up(throttle: Throttle, bucket: str, rate: Rate) -> None:
    while (await throttle.take(bucket, rate)).is_allowed:
        pass
