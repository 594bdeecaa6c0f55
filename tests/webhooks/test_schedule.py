"""When a delivery is tried again, and what every answer means."""

from datetime import timedelta

import pytest

from gen_video.webhooks.models import DeliveryState, Outcome
from gen_video.webhooks.schedule import (
    ATTEMPTS,
    DISABLED_AFTER,
    LONGEST_RETRY_AFTER,
    LONGEST_THROTTLE,
    PAUSES,
    Effect,
    Verdict,
    judge,
    should_disable,
    throttle_pause,
)
from tests.db.clocked import START

TIMEOUT = Outcome(error="timeout", seconds=15.0)
ERROR = Outcome(status_code=500)


def after(
    outcome: Outcome, *, attempt: int = 1, throttles: int = 0, jitter: float = 0.0
) -> Verdict:
    return judge(outcome, attempt=attempt, throttles=throttles, now=START, jitter=jitter)


def test_ten_attempts_over_more_than_three_days() -> None:
    moments = [START]
    for attempt in range(1, ATTEMPTS):
        verdict = judge(ERROR, attempt=attempt, throttles=0, now=moments[-1], jitter=0.0)
        assert verdict.next_attempt_at is not None
        moments.append(verdict.next_attempt_at)

    assert len(moments) == 10
    assert moments[-1] - START >= timedelta(hours=72)
    assert after(ERROR, attempt=ATTEMPTS).state is DeliveryState.FAILED
    assert after(ERROR, attempt=ATTEMPTS).next_attempt_at is None


@pytest.mark.parametrize("attempt", range(1, ATTEMPTS))
def test_jitter_makes_a_pause_longer_never_shorter(attempt: int) -> None:
    pause = PAUSES[attempt - 1]

    assert after(ERROR, attempt=attempt, jitter=0.0).next_attempt_at == START + pause
    assert after(ERROR, attempt=attempt, jitter=1.0).next_attempt_at == START + 1.1 * pause


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_success(status: int) -> None:
    verdict = after(Outcome(status_code=status, retry_after_seconds=None))

    assert (verdict.state, verdict.effect, verdict.error) == (
        DeliveryState.DELIVERED,
        Effect.RECOVERED,
        None,
    )


@pytest.mark.parametrize(
    ("outcome", "effect", "error"),
    [
        (ERROR, Effect.FAILED, "bad_status"),
        (Outcome(status_code=404), Effect.FAILED, "bad_status"),
        (Outcome(status_code=101), Effect.FAILED, "bad_status"),
        (Outcome(status_code=301), Effect.FAILED, "redirected"),
        (Outcome(status_code=304), Effect.FAILED, "redirected"),
        (Outcome(status_code=308), Effect.FAILED, "redirected"),
        (TIMEOUT, Effect.FAILED, "timeout"),
        (Outcome(error="address_not_allowed"), Effect.FAILED, "address_not_allowed"),
        (Outcome(status_code=429), Effect.THROTTLED, "throttled"),
        (Outcome(status_code=502), Effect.THROTTLED, "throttled"),
        (Outcome(status_code=504), Effect.THROTTLED, "throttled"),
        (Outcome(status_code=503, retry_after_seconds=60), Effect.THROTTLED, "bad_status"),
    ],
)
def test_what_is_no_success_is_tried_again(outcome: Outcome, effect: Effect, error: str) -> None:
    verdict = after(outcome)

    assert (verdict.state, verdict.effect, verdict.error) == (DeliveryState.PENDING, effect, error)


def test_410_fails_at_once() -> None:
    verdict = after(Outcome(status_code=410, retry_after_seconds=60))

    assert (verdict.state, verdict.effect, verdict.error) == (
        DeliveryState.FAILED,
        Effect.GONE,
        "gone",
    )
    assert verdict.next_attempt_at is None


@pytest.mark.parametrize(
    ("asked", "pause"),
    [
        (60, timedelta(seconds=60)),
        (1, timedelta(seconds=5)),
        (10**7, LONGEST_RETRY_AFTER),
    ],
)
def test_retry_after_moves_an_attempt_back_never_forward(asked: int, pause: timedelta) -> None:
    verdict = after(Outcome(status_code=429, retry_after_seconds=asked))

    assert verdict.next_attempt_at == START + pause
    assert verdict.throttled_until == START + min(timedelta(seconds=asked), LONGEST_RETRY_AFTER)


def test_an_endpoint_that_asks_for_less_is_left_alone_ever_longer() -> None:
    pauses = [throttle_pause(throttles) for throttles in (0, 1, 2, 100)]

    assert pauses == [
        timedelta(seconds=15),
        timedelta(seconds=30),
        timedelta(seconds=60),
        LONGEST_THROTTLE,
    ]
    assert after(Outcome(status_code=429), throttles=1).throttled_until == START + pauses[1]


@pytest.mark.parametrize(
    ("failing_for", "attempt", "expected"),
    [
        (DISABLED_AFTER, ATTEMPTS, True),
        (DISABLED_AFTER, 1, False),
        (DISABLED_AFTER - timedelta(seconds=1), ATTEMPTS, False),
        (None, ATTEMPTS, False),
    ],
)
def test_an_endpoint_is_given_up_after_days_of_nothing_but_failures(
    failing_for: timedelta | None, attempt: int, *, expected: bool
) -> None:
    since = None if failing_for is None else START - failing_for

    verdict = after(TIMEOUT, attempt=attempt)

    assert should_disable(verdict, failing_since=since, now=START) is expected
