"""A store that is away: half the rate, nobody for strict rates, fast answers, then back."""

import asyncio
import signal
import socket
import time

import pytest
from structlog.testing import capture_logs

from benchmarks.ports import find_free_port
from gen_video.throttles.guarded import GuardedThrottle
from gen_video.throttles.redis import RedisThrottle
from gen_video.throttles.throttle import STORE_SECONDS, Rate, Throttle, Verdict
from tests.throttles.makes import (
    LONG,
    Node,
    PrivateRedis,
    count_allowed,
    make_table,
    new_bucket,
    take_many,
)

LIMIT = 200
RATE = Rate(limit=LIMIT, window_seconds=LONG)
STRICT = Rate(limit=60, window_seconds=60, is_strict=True)
RETRY = 0.3


def _guard(url: str) -> GuardedThrottle:
    return GuardedThrottle(RedisThrottle(url), retry_seconds=RETRY)


async def _slowest(throttle: Throttle, bucket: str, rate: Rate, count: int) -> float:
    async def take() -> float:
        started = time.perf_counter()
        await throttle.take(bucket, rate)
        return time.perf_counter() - started

    return max(await asyncio.gather(*(take() for _ in range(count))))


@pytest.mark.redis
@pytest.mark.parametrize("killed_after", [0, 40, 60, 200])
def test_killing_redis_in_a_burst_lets_no_more_than_the_limit_pass(
    private_redis: PrivateRedis, killed_after: int
) -> None:
    bucket = new_bucket()

    async def run() -> list[Verdict]:
        nodes = [_guard(private_redis.url), _guard(private_redis.url)]
        verdicts = []
        for number in range(600):
            if number == killed_after:
                private_redis.send(signal.SIGKILL)
            started = time.perf_counter()
            verdicts.append(await nodes[number % 2].take(bucket, RATE))
            assert time.perf_counter() - started < 1
            if number == 400:
                private_redis.start()
                await asyncio.sleep(RETRY)
        return verdicts

    passed = count_allowed(asyncio.run(run()))

    assert LIMIT / 2 <= passed <= 1.1 * LIMIT


@pytest.mark.redis
def test_killing_redis_under_concurrent_requests_stays_within_the_limit(
    private_redis: PrivateRedis,
) -> None:
    bucket = new_bucket()

    async def run() -> int:
        throttle = _guard(private_redis.url)
        burst = asyncio.create_task(take_many(throttle, bucket, RATE, count=2000))
        await asyncio.sleep(0.02)
        private_redis.send(signal.SIGKILL)
        return count_allowed(await burst)

    assert asyncio.run(run()) <= 1.1 * LIMIT


@pytest.mark.redis
def test_strict_rates_let_nobody_pass_while_redis_is_away(private_redis: PrivateRedis) -> None:
    async def run() -> None:
        throttle, bucket = _guard(private_redis.url), new_bucket()
        before = await throttle.take(bucket, STRICT)
        private_redis.send(signal.SIGKILL)
        during = [await throttle.take(bucket, STRICT) for _ in range(5)]
        private_redis.start()
        await asyncio.sleep(RETRY)
        after = await throttle.take(bucket, STRICT)

        assert before.is_allowed
        assert [verdict.is_allowed for verdict in during] == [False] * 5
        assert all(verdict.is_blind for verdict in during)
        assert all(0 <= verdict.reset_after_seconds <= RETRY for verdict in during)
        assert after.is_allowed

    asyncio.run(run())


@pytest.mark.redis
def test_an_outage_is_logged_once_and_redis_counts_again_after_it(
    private_redis: PrivateRedis,
) -> None:
    async def run() -> list[bool]:
        first, second = _guard(private_redis.url), _guard(private_redis.url)
        await first.take("warm up", RATE)
        private_redis.send(signal.SIGKILL)
        await take_many(first, "during", RATE, count=300)
        private_redis.start()
        await asyncio.sleep(RETRY)
        one = Rate(limit=1, window_seconds=LONG)
        return [(await node.take("after", one)).is_allowed for node in (first, second)]

    with capture_logs() as logs:
        shared_again = asyncio.run(run())

    assert shared_again == [True, False]
    assert [entry["event"] for entry in logs] == ["rate_store_away", "rate_store_back"]


@pytest.mark.redis
def test_a_restart_between_two_requests_is_no_outage(private_redis: PrivateRedis) -> None:
    async def run() -> Verdict:
        throttle = _guard(private_redis.url)
        await throttle.take("a", RATE)
        private_redis.send(signal.SIGKILL)
        private_redis.start()
        return await throttle.take("a", RATE)

    with capture_logs() as logs:
        verdict = asyncio.run(run())

    assert verdict.is_allowed
    assert logs == []


@pytest.mark.redis
def test_a_redis_that_hangs_costs_one_wait_and_then_nothing(private_redis: PrivateRedis) -> None:
    async def run() -> tuple[float, float]:
        throttle = GuardedThrottle(RedisThrottle(private_redis.url), retry_seconds=30)
        await take_many(throttle, "warm up", RATE, count=40)
        private_redis.send(signal.SIGSTOP)
        together = await _slowest(throttle, "a", RATE, 200)
        afterwards = await _slowest(throttle, "a", RATE, 200)
        private_redis.send(signal.SIGCONT)
        return together, afterwards

    together, afterwards = asyncio.run(run())

    assert together < 1
    assert afterwards < 0.1


def test_an_address_that_swallows_everything_is_given_up_in_half_a_second() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:

        async def run() -> float:
            throttle = _guard(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
            return await _slowest(throttle, "a", RATE, 50)

        assert asyncio.run(run()) < 1


def test_without_any_redis_each_process_allows_half() -> None:
    async def run() -> list[Verdict]:
        throttle = _guard(f"redis://127.0.0.1:{find_free_port()}/0")
        return await take_many(throttle, "a", RATE, count=300)

    verdicts = asyncio.run(run())

    assert count_allowed(verdicts) == LIMIT // 2
    assert {verdict.limit for verdict in verdicts} == {LIMIT // 2}


def test_a_database_that_is_away_leaves_half_too() -> None:
    node = Node(f"postgresql+psycopg://nobody@127.0.0.1:{find_free_port()}/none")

    async def run() -> list[Verdict]:
        return await take_many(GuardedThrottle(node.throttle), "a", RATE, count=300)

    assert count_allowed(asyncio.run(run())) == LIMIT // 2
    node.close()


def test_a_database_that_is_locked_for_seconds_keeps_nobody_waiting(tmp_path: object) -> None:
    url = f"sqlite:///{tmp_path}/rates.sqlite3"
    make_table(url)
    blocker, node = Node(url), Node(url, patience=STORE_SECONDS)
    assert blocker.database is not None

    async def run() -> float:
        throttle = GuardedThrottle(node.throttle, retry_seconds=30)
        return await _slowest(throttle, "a", RATE, 100)

    with blocker.database.engine.connect() as connection:
        connection.execution_options(gv_write=True)
        with connection.begin():
            slowest = asyncio.run(run())

    assert slowest < 1
    node.close()
    blocker.close()
