"""Business days: when one begins and ends in the operator's time zone, and what that means."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gen_video.accounts.models import Caller
from gen_video.quotas.models import QuotaExceededError
from tests.db.clocked import on_sqlite_only
from tests.quotas.conftest import IMAGES_PER_DAY, SHANGHAI, Desk, open_desk

MOMENT = timedelta(microseconds=1)
LAST_MOMENT = datetime(2026, 3, 10, 16, tzinfo=UTC) - MOMENT
"""One microsecond before midnight in Shanghai."""


@on_sqlite_only
@pytest.mark.parametrize(
    ("timezone", "moment", "window_date", "resets_at"),
    [
        # Shanghai, always eight hours ahead
        ("Asia/Shanghai", "2026-03-10T15:59:59.999999", "2026-03-10", "2026-03-10T16:00"),
        ("Asia/Shanghai", "2026-03-10T16:00:00", "2026-03-11", "2026-03-11T16:00"),
        ("Asia/Shanghai", "2026-03-10T00:00:00", "2026-03-10", "2026-03-10T16:00"),
        # UTC, over a year's end and a leap day
        ("UTC", "2026-12-31T23:59:59.999999", "2026-12-31", "2027-01-01T00:00"),
        ("UTC", "2027-01-01T00:00:00", "2027-01-01", "2027-01-02T00:00"),
        ("UTC", "2028-02-28T23:59:59", "2028-02-28", "2028-02-29T00:00"),
        ("UTC", "2028-02-29T23:59:59", "2028-02-29", "2028-03-01T00:00"),
        # New York in spring: a day of 23 hours
        ("America/New_York", "2026-03-08T04:59:59", "2026-03-07", "2026-03-08T05:00"),
        ("America/New_York", "2026-03-08T05:00:00", "2026-03-08", "2026-03-09T04:00"),
        ("America/New_York", "2026-03-09T03:59:59", "2026-03-08", "2026-03-09T04:00"),
        ("America/New_York", "2026-03-09T04:00:00", "2026-03-09", "2026-03-10T04:00"),
        # New York in autumn: a day of 25 hours, half past one comes twice
        ("America/New_York", "2026-11-01T04:00:00", "2026-11-01", "2026-11-02T05:00"),
        ("America/New_York", "2026-11-01T05:30:00", "2026-11-01", "2026-11-02T05:00"),
        ("America/New_York", "2026-11-01T06:30:00", "2026-11-01", "2026-11-02T05:00"),
        ("America/New_York", "2026-11-02T04:59:59", "2026-11-01", "2026-11-02T05:00"),
        # Cairo in spring: midnight does not exist, the day begins at one o'clock
        ("Africa/Cairo", "2026-04-23T21:59:59", "2026-04-23", "2026-04-23T22:00"),
        ("Africa/Cairo", "2026-04-23T22:00:00", "2026-04-24", "2026-04-24T21:00"),
        # Havana in autumn: midnight comes twice, the first one counts
        ("America/Havana", "2026-11-01T03:59:59", "2026-10-31", "2026-11-01T04:00"),
        ("America/Havana", "2026-11-01T04:00:00", "2026-11-01", "2026-11-02T05:00"),
        ("America/Havana", "2026-11-01T05:00:00", "2026-11-01", "2026-11-02T05:00"),
        # The far ends and a crooked offset
        ("Pacific/Kiritimati", "2026-03-10T10:00:00", "2026-03-11", "2026-03-11T10:00"),
        ("Pacific/Niue", "2026-03-10T10:59:59", "2026-03-09", "2026-03-10T11:00"),
        ("Asia/Kathmandu", "2026-03-10T18:14:59", "2026-03-10", "2026-03-10T18:15"),
        ("Asia/Kathmandu", "2026-03-10T18:15:00", "2026-03-11", "2026-03-11T18:15"),
    ],
)
def test_a_moment_belongs_to_the_business_day_of_the_operators_time_zone(
    desk: Desk, caller: Caller, *, timezone: str, moment: str, window_date: str, resets_at: str
) -> None:
    desk.database.moment = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    quotas = open_desk(desk.database, ZoneInfo(timezone)).quotas

    view = quotas.read(caller)

    assert (view.window_date, view.timezone) == (window_date, timezone)
    assert view.resets_at.astimezone(UTC) == datetime.fromisoformat(resets_at).replace(tzinfo=UTC)
    hold = desk.database.write(
        lambda connection: quotas.place_hold(connection, caller, kind="image", units=1)
    )
    assert hold.window_date == window_date


def test_what_is_used_up_today_is_whole_again_at_midnight(desk: Desk, caller: Caller) -> None:
    desk.database.moment = LAST_MOMENT
    desk.settle(desk.reserve(caller, IMAGES_PER_DAY), captured=IMAGES_PER_DAY)
    assert desk.try_reserve(caller, 1) is None

    desk.database.advance(MOMENT)

    assert desk.quotas.read(caller).images.remaining == IMAGES_PER_DAY
    assert desk.try_reserve(caller, IMAGES_PER_DAY) is not None


def test_a_job_that_crosses_midnight_settles_on_its_own_day(desk: Desk, caller: Caller) -> None:
    desk.database.moment = LAST_MOMENT
    hold = desk.reserve(caller, 4)
    desk.database.advance(MOMENT)
    desk.reserve(caller, 1)

    desk.settle(hold, captured=3)

    windows = desk.database.read(desk.quotas.list_windows)
    yesterday, today = (
        windows[caller.account_id, "image", day] for day in ("2026-03-10", "2026-03-11")
    )
    assert (yesterday.used, yesterday.reserved) == (3, 0)
    assert (today.used, today.reserved) == (0, 1)


@on_sqlite_only
def test_what_is_left_after_a_job_is_told_for_the_day_of_the_job(
    desk: Desk, caller: Caller
) -> None:
    desk.database.moment = LAST_MOMENT
    hold = desk.reserve(caller, 4)
    desk.database.advance(timedelta(hours=1))

    left = desk.database.read(lambda connection: desk.quotas.remaining_of(connection, hold))

    assert left == {"images": IMAGES_PER_DAY - 4, "videos": 2}


def test_a_clock_that_goes_back_over_midnight_gives_no_quota(desk: Desk, caller: Caller) -> None:
    desk.database.moment = LAST_MOMENT + MOMENT
    desk.reserve(caller, IMAGES_PER_DAY)

    desk.database.advance(-MOMENT)

    assert desk.quotas.read(caller).images.remaining == 0
    assert desk.try_reserve(caller, 1) is None


@on_sqlite_only
def test_after_a_clock_went_back_the_reset_is_the_one_that_will_happen(
    desk: Desk, caller: Caller
) -> None:
    """The day that counts has begun already; its end is what the caller waits for."""
    desk.database.moment = LAST_MOMENT + MOMENT
    desk.reserve(caller, IMAGES_PER_DAY)
    desk.database.advance(-MOMENT)

    with pytest.raises(QuotaExceededError) as caught:
        desk.reserve(caller, 1)

    midnight = datetime(2026, 3, 12, tzinfo=SHANGHAI)
    assert desk.quotas.read(caller).resets_at == midnight
    assert caught.value.resets_at == midnight
    assert caught.value.retry_after_seconds == 24 * 60 * 60 + 1


@pytest.mark.parametrize(
    ("before_midnight", "retry_after_seconds"),
    [(timedelta(hours=8), 8 * 3600 + 1), (timedelta(seconds=1), 2), (MOMENT, 1)],
)
@on_sqlite_only
def test_who_comes_back_when_told_meets_the_new_day(
    desk: Desk, caller: Caller, before_midnight: timedelta, retry_after_seconds: int
) -> None:
    desk.database.moment = LAST_MOMENT + MOMENT - before_midnight
    desk.reserve(caller, IMAGES_PER_DAY)

    with pytest.raises(QuotaExceededError) as caught:
        desk.reserve(caller, 1)
    desk.database.advance(timedelta(seconds=retry_after_seconds))

    assert caught.value.retry_after_seconds == retry_after_seconds
    assert desk.try_reserve(caller, 1) is not None
