"""Rates in memory: exact in every window, from any thread, in microseconds, in bounded memory."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from gen_video.throttles.memory import MemoryThrottle
from gen_video.throttles.throttle import Rate

TEN = Rate(limit=10, window_seconds=60)


class Hand:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_32_threads_never_pass_more_than_the_limit() -> None:
    throttle, rate = MemoryThrottle(), Rate(limit=1000, window_seconds=3600)

    with ThreadPoolExecutor(32) as pool:
        verdicts = list(pool.map(lambda _: throttle.take_now("a", rate), range(4000)))

    assert sum(verdict.is_allowed for verdict in verdicts) == 1000


def test_no_window_at_all_has_more_than_the_limit() -> None:
    hand = Hand()
    throttle = MemoryThrottle(monotonic=hand)
    passed = []

    for _ in range(600):
        hand.seconds += 0.7
        if throttle.take_now("a", TEN).is_allowed:
            passed.append(hand.seconds)

    assert len(passed) >= 60
    assert all(later - earlier >= 60 for earlier, later in zip(passed, passed[10:], strict=False))


def test_a_refusal_says_when_the_next_one_passes() -> None:
    hand = Hand()
    throttle = MemoryThrottle(monotonic=hand)
    throttle.take_now("a", TEN)
    hand.seconds += 20
    for _ in range(9):
        throttle.take_now("a", TEN)

    refused = throttle.take_now("a", TEN)
    hand.seconds += refused.reset_after_seconds

    assert not refused.is_allowed
    assert refused.reset_after_seconds == 40
    assert throttle.take_now("a", TEN).is_allowed
    assert not throttle.take_now("a", TEN).is_allowed


def test_a_lowered_limit_counts_what_has_passed() -> None:
    hand = Hand()
    throttle = MemoryThrottle(monotonic=hand)
    for _ in range(6):
        throttle.take_now("a", TEN)
        hand.seconds += 5
    four = Rate(limit=4, window_seconds=60)

    refused = throttle.take_now("a", four)
    hand.seconds += refused.reset_after_seconds

    assert (refused.is_allowed, refused.remaining) == (False, 0)
    assert throttle.take_now("a", four).is_allowed


def test_a_refused_request_costs_nothing() -> None:
    hand = Hand()
    throttle = MemoryThrottle(monotonic=hand)
    for _ in range(500):
        throttle.take_now("a", TEN)

    hand.seconds += 60

    assert throttle.take_now("a", TEN).remaining == 9


def test_idle_buckets_are_forgotten() -> None:
    hand = Hand()
    throttle = MemoryThrottle(monotonic=hand)
    for number in range(100):
        throttle.take_now(f"stranger {number}", TEN)
    hand.seconds += 61

    for _ in range(60):
        throttle.take_now("a", TEN)

    assert throttle.bucket_count == 1


def test_a_flood_of_buckets_is_bounded_and_forgets_the_most_idle_first() -> None:
    throttle = MemoryThrottle(max_buckets=50)
    throttle.take_now("busy", TEN)

    for number in range(1000):
        throttle.take_now(f"stranger {number}", TEN)
        throttle.take_now("busy", TEN)

    assert throttle.bucket_count == 50
    assert not throttle.take_now("busy", TEN).is_allowed


def test_taking_costs_microseconds_with_many_buckets() -> None:
    throttle, rate = MemoryThrottle(), Rate(limit=1200, window_seconds=60)
    names = [f"account:{number}" for number in range(10_000)]

    async def run() -> float:
        started = time.perf_counter()
        for number in range(50_000):
            await throttle.take(names[number % 10_000], rate)
        return (time.perf_counter() - started) / 50_000

    assert asyncio.run(run()) < 50e-6
