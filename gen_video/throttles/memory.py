"""Rates counted in this process: an exact moving window, in microseconds and without any I/O.

The memory storage of `limits` was measured here: 20 to 90 µs a request, and a thread hop per bucket
in the background, because every hit starts a sweep over all of them.
"""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from typing_extensions import override

from gen_video.throttles.throttle import Rate, Throttle, Verdict

MAX_BUCKETS = 50_000
FORGOTTEN_PER_TAKE = 2


@dataclass(slots=True)
class _Passed:
    """When the requests of one bucket passed, oldest first, and when the last is out of sight."""

    times: deque[float] = field(default_factory=deque)
    ends_at: float = 0.0


class MemoryThrottle(Throttle):
    """The throttle of a service with one web process.

    Args:
        max_buckets: Beyond this many, the bucket that was idle longest is forgotten.
        monotonic: Tells seconds; a test passes one that it can move.
    """

    def __init__(
        self,
        *,
        max_buckets: int = MAX_BUCKETS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_buckets = max_buckets
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, _Passed] = OrderedDict()
        self._guard = threading.Lock()

    @override
    async def take(self, bucket: str, rate: Rate) -> Verdict:
        return self.take_now(bucket, rate)

    def take_now(self, bucket: str, rate: Rate) -> Verdict:
        """Count one request at once; safe on any thread."""
        with self._guard:
            now = self._monotonic()
            passed = self._touch(bucket, now)
            _drop_old(passed.times, now - rate.window_seconds)
            is_allowed = len(passed.times) < rate.limit
            if is_allowed:
                passed.times.append(now)
                passed.ends_at = now + rate.window_seconds
            return _verdict(passed.times, rate, now=now, is_allowed=is_allowed)

    @property
    def bucket_count(self) -> int:
        """Return how many buckets are remembered."""
        return len(self._buckets)

    def _touch(self, bucket: str, now: float) -> _Passed:
        """Return a bucket as the one used last, and forget some that need no memory any more."""
        passed = self._buckets.get(bucket)
        if passed is None:
            passed = self._buckets[bucket] = _Passed()
        self._buckets.move_to_end(bucket)
        for _ in range(FORGOTTEN_PER_TAKE):
            idle = next(iter(self._buckets))
            is_over = len(self._buckets) > self._max_buckets or self._buckets[idle].ends_at <= now
            if idle == bucket or not is_over:
                break
            del self._buckets[idle]
        return passed


def _drop_old(times: deque[float], until: float) -> None:
    while times and times[0] <= until:
        times.popleft()


def _verdict(times: deque[float], rate: Rate, *, now: float, is_allowed: bool) -> Verdict:
    # A limit that was lowered leaves more in the window than it allows: the next one passes
    # when all but `limit - 1` of them are out of sight.
    blocking = times[max(0, len(times) - rate.limit)] if times else now
    return Verdict(
        is_allowed=is_allowed,
        limit=rate.limit,
        remaining=max(0, rate.limit - len(times)),
        reset_after_seconds=blocking + rate.window_seconds - now,
    )
