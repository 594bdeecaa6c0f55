"""A shared throttle, and what holds while its store is away.

Then each process counts by itself: half the rate, so that two of them let through no more than
the one limit, and nobody for strict rates. What passed before counts on, and the half rate holds
for a window longer than the outage, because a store that was restarted may have forgotten
everything. The store is asked again every few seconds by one request; all others answer at once.
"""

import time
from collections.abc import Callable
from dataclasses import replace

import structlog
from typing_extensions import override

from gen_video.throttles.memory import MemoryThrottle
from gen_video.throttles.throttle import Rate, Throttle, ThrottleUnavailableError, Verdict

RETRY_SECONDS = 3.0

log = structlog.get_logger(__name__)


class GuardedThrottle(Throttle):
    """Wraps a shared throttle; never raises.

    Args:
        shared: The throttle whose store may be away.
        retry_seconds: How often a store that is away is asked again.
        monotonic: Tells seconds; a test passes one that it can move.
    """

    def __init__(
        self,
        shared: Throttle,
        *,
        retry_seconds: float = RETRY_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shared = shared
        self._retry_seconds = retry_seconds
        self._monotonic = monotonic
        self._own = MemoryThrottle(monotonic=monotonic)
        self._is_away = False
        self._retry_at = 0.0
        self._came_back_at: float | None = None

    @override
    async def take(self, bucket: str, rate: Rate) -> Verdict:
        if not self._may_ask():
            return self._take_alone(bucket, rate)
        try:
            verdict = await self._shared.take(bucket, rate)
        except ThrottleUnavailableError as error:
            self._note_away(error)
            return self._take_alone(bucket, rate)
        self._note_back()
        if not verdict.is_allowed:
            return verdict
        # Counted here too: that is what an outage starts from.
        own = self._own.take_now(bucket, self._own_rate(rate))
        return own if own.remaining < verdict.remaining or not own.is_allowed else verdict

    def _may_ask(self) -> bool:
        """Tell whether to ask the store; while it is away, one request at a time finds out."""
        if not self._is_away:
            return True
        now = self._monotonic()
        if now < self._retry_at:
            return False
        self._retry_at = now + self._retry_seconds
        return True

    def _take_alone(self, bucket: str, rate: Rate) -> Verdict:
        if rate.is_strict:
            seconds = max(0.0, self._retry_at - self._monotonic())
            return Verdict(
                is_allowed=False,
                limit=rate.limit,
                remaining=0,
                reset_after_seconds=seconds,
                is_blind=True,
            )
        return self._own.take_now(bucket, _half(rate))

    def _own_rate(self, rate: Rate) -> Rate:
        """Return the rate of this process alone: half for a window after an outage."""
        back = self._came_back_at
        if back is not None and self._monotonic() - back < rate.window_seconds:
            return _half(rate)
        return rate

    def _note_away(self, error: ThrottleUnavailableError) -> None:
        self._retry_at = self._monotonic() + self._retry_seconds
        if not self._is_away:
            self._is_away = True
            log.warning("rate_store_away", reason=str(error))

    def _note_back(self) -> None:
        if self._is_away:
            self._is_away = False
            self._came_back_at = self._monotonic()
            log.info("rate_store_back")


def _half(rate: Rate) -> Rate:
    return replace(rate, limit=max(1, rate.limit // 2))
