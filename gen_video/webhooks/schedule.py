"""The schedule: when a delivery is tried again, and what every answer means. Pure.

Source: the schedule that Standard Webhooks recommends.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from gen_video.webhooks.models import DeliveryState, Outcome

PAUSES = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""Between one attempt and the next; the first one is made at once. 75 hours in all."""

ATTEMPTS = 1 + len(PAUSES)
JITTER = 0.1
"""A pause is up to this part longer, so that what failed together does not come back together."""

FIRST_THROTTLE = timedelta(seconds=15)
LONGEST_THROTTLE = timedelta(minutes=10)
LONGEST_RETRY_AFTER = timedelta(hours=24)
DISABLED_AFTER = timedelta(days=5)
"""An endpoint that fails everything for so long is disabled when it fails one delivery for good."""

SUCCESS = range(200, 300)
GONE = 410
THROTTLING = frozenset({429, 502, 504})
REDIRECTING = range(300, 400)


class Effect(StrEnum):
    """What an attempt means for its endpoint and all that waits for it."""

    RECOVERED = "recovered"
    FAILED = "failed"
    THROTTLED = "throttled"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What follows from an attempt.

    Attributes:
        state: Of the delivery: `pending` when it is tried again at `next_attempt_at`.
        error: A stable word for the log, None for a success.
        throttled_until: Until when the endpoint is sent nothing.
    """

    state: DeliveryState
    effect: Effect
    error: str | None = None
    next_attempt_at: datetime | None = None
    throttled_until: datetime | None = None


def judge(
    outcome: Outcome, *, attempt: int, throttles: int, now: datetime, jitter: float
) -> Verdict:
    """Return what follows from an attempt.

    Args:
        outcome: What came of it.
        attempt: Its number, from 1.
        throttles: How often in a row the endpoint has asked for less before.
        now: When it ended.
        jitter: From 0 to 1.
    """
    status = outcome.status_code
    if status in SUCCESS:
        return Verdict(state=DeliveryState.DELIVERED, effect=Effect.RECOVERED)
    if status == GONE:
        return Verdict(state=DeliveryState.FAILED, effect=Effect.GONE, error="gone")
    retry_after = _asked_pause(outcome)
    until = None
    if status in THROTTLING or retry_after is not None:
        until = now + (retry_after or throttle_pause(throttles))
    return Verdict(
        state=DeliveryState.PENDING if attempt < ATTEMPTS else DeliveryState.FAILED,
        effect=Effect.FAILED if until is None else Effect.THROTTLED,
        error=outcome.error or _word_of(status),
        next_attempt_at=_next_attempt(attempt, now=now, jitter=jitter, not_before=until),
        throttled_until=until,
    )


def throttle_pause(throttles: int) -> timedelta:
    """Return how long an endpoint is left alone that asked for less: doubling, capped."""
    return min(LONGEST_THROTTLE, FIRST_THROTTLE * (1 << min(throttles, 10)))


def should_disable(verdict: Verdict, *, failing_since: datetime | None, now: datetime) -> bool:
    """Tell whether an endpoint is to be given up after an attempt."""
    if verdict.state is not DeliveryState.FAILED or failing_since is None:
        return False
    return now - failing_since >= DISABLED_AFTER


def _asked_pause(outcome: Outcome) -> timedelta | None:
    seconds = outcome.retry_after_seconds
    if seconds is None or seconds <= 0:
        return None
    return min(LONGEST_RETRY_AFTER, timedelta(seconds=seconds))


def _next_attempt(
    attempt: int, *, now: datetime, jitter: float, not_before: datetime | None
) -> datetime | None:
    if attempt >= ATTEMPTS:
        return None
    planned = now + PAUSES[attempt - 1] * (1 + JITTER * jitter)
    return planned if not_before is None else max(planned, not_before)


def _word_of(status: int | None) -> str:
    if status in REDIRECTING:
        return "redirected"
    return "throttled" if status in THROTTLING else "bad_status"
