"""Throttles: count requests of a bucket and say whether one more may pass.

A bucket is whoever shares an allowance: an account, the address of a stranger. What must stay
true: over all processes that share a throttle, no window lets more than the limit pass.

    Throttle
    ├── MemoryThrottle      one process, exact moving window, no I/O
    ├── RedisThrottle       many machines, exact moving window in Redis
    ├── DatabaseThrottle    many machines, windows of the clock, leased in chunks from a row
    └── GuardedThrottle     a shared one, and what holds while its store is away
"""

from dataclasses import dataclass
from typing import Protocol

STORE_SECONDS = 0.5
"""No request waits longer than this for a store that does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """An allowance: `limit` requests in every `window_seconds`.

    Attributes:
        is_strict: Nobody passes while the count is not known (guessing of keys and passwords).
    """

    limit: int
    window_seconds: int
    is_strict: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a request passes, and what is left.

    Attributes:
        limit: The limit that was applied; half of the rate's while a shared store is away.
        remaining: Requests that may still pass; what other processes take is known with a delay.
        reset_after_seconds: When more than `remaining` may pass; after a refusal, when to retry.
        is_blind: Refused because the count is not known, not because it is too high.
    """

    is_allowed: bool
    limit: int
    remaining: int
    reset_after_seconds: float
    is_blind: bool = False


class ThrottleUnavailableError(Exception):
    """The store of a shared throttle does not answer; `GuardedThrottle` decides what holds then."""


class Throttle(Protocol):
    """Counts the requests of every bucket; used by one event loop."""

    async def take(self, bucket: str, rate: Rate) -> Verdict:
        """Count one request, unless it is one too many.

        Args:
            bucket: Who asks, at most 120 characters; one name always comes with one rate's window.
            rate: The allowance. Its limit may change from call to call and counts at once.

        Raises:
            ThrottleUnavailableError: The store is away, within `STORE_SECONDS` or so.
        """
        ...
