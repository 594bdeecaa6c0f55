"""Reserve, capture, release: the arithmetic of one day, for accounts and for keys."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from gen_video.accounts.models import Caller
from gen_video.quotas.models import KindQuota, QuotaExceededError
from tests.db.clocked import on_sqlite_only
from tests.quotas.conftest import IMAGES_PER_DAY, VIDEOS_PER_DAY, Desk

DAY = "2026-03-10"


def images(desk: Desk, caller: Caller) -> tuple[int, int, int]:
    """Return used, reserved and remaining."""
    quota = desk.quotas.read(caller).images
    return quota.used, quota.reserved, quota.remaining


# One hold


def test_a_fresh_day_is_whole_and_looking_at_it_writes_nothing(desk: Desk, caller: Caller) -> None:
    view = desk.quotas.read(caller)

    assert view.remaining == {"images": IMAGES_PER_DAY, "videos": VIDEOS_PER_DAY}
    assert desk.database.read(desk.quotas.list_windows) == {}


def test_reserved_units_are_gone_before_the_job_runs(desk: Desk, caller: Caller) -> None:
    hold = desk.reserve(caller, 4)

    assert images(desk, caller) == (0, 4, 6)
    assert (hold.account_id, hold.kind, hold.units) == (caller.account_id, "image", 4)
    assert (hold.window_date, hold.is_key_limited) == (DAY, False)


@pytest.mark.parametrize(
    ("captured", "expected"),
    [
        pytest.param(4, (4, 0, 6), id="all delivered"),
        pytest.param(3, (3, 0, 7), id="one picture failed"),
        pytest.param(0, (0, 0, 10), id="released"),
    ],
)
def test_an_ended_hold_costs_what_was_delivered(
    desk: Desk, caller: Caller, captured: int, expected: tuple[int, int, int]
) -> None:
    hold = desk.reserve(caller, 4)

    desk.settle(hold, captured=captured)

    assert images(desk, caller) == expected


@on_sqlite_only
def test_holds_end_in_any_order(desk: Desk, caller: Caller) -> None:
    first, second, third = (desk.reserve(caller, units) for units in (1, 2, 3))

    desk.settle(third, captured=3)
    assert images(desk, caller) == (3, 3, 4)

    desk.settle(first, captured=0)
    desk.settle(second, captured=2)
    assert images(desk, caller) == (5, 0, 5)


@on_sqlite_only
def test_pictures_and_videos_are_counted_apart(desk: Desk, caller: Caller) -> None:
    desk.reserve(caller, IMAGES_PER_DAY)
    desk.reserve(caller, 1, kind="video")

    assert desk.quotas.read(caller).remaining == {"images": 0, "videos": VIDEOS_PER_DAY - 1}
    assert desk.try_reserve(caller, 2, kind="video") is None


@on_sqlite_only
def test_users_are_counted_apart(desk: Desk, caller: Caller) -> None:
    bob = desk.new_caller("bob")

    desk.reserve(caller, IMAGES_PER_DAY)

    assert images(desk, bob) == (0, 0, IMAGES_PER_DAY)
    assert desk.try_reserve(bob, IMAGES_PER_DAY) is not None


@on_sqlite_only
def test_keys_of_one_user_share_the_users_quota(desk: Desk, caller: Caller) -> None:
    second_key = desk.new_caller("ada")

    desk.reserve(caller, 7)

    assert images(desk, second_key) == (0, 7, 3)
    assert desk.try_reserve(second_key, 4) is None


# What does not fit


@pytest.mark.parametrize(("taken", "asked"), [(0, 11), (9, 2), (10, 1)])
def test_a_request_that_does_not_fit_is_refused_whole(
    desk: Desk, caller: Caller, taken: int, asked: int
) -> None:
    if taken:
        desk.settle(desk.reserve(caller, taken), captured=taken)

    with pytest.raises(QuotaExceededError):
        desk.reserve(caller, asked)

    assert images(desk, caller) == (taken, 0, IMAGES_PER_DAY - taken)


@on_sqlite_only
def test_a_request_that_just_fits_is_granted(desk: Desk, caller: Caller) -> None:
    desk.reserve(caller, 9)

    assert desk.try_reserve(caller, 1) is not None
    assert images(desk, caller) == (0, 10, 0)


@on_sqlite_only
def test_who_is_refused_learns_what_is_left_and_when_it_resets(desk: Desk, caller: Caller) -> None:
    desk.reserve(caller, 8)

    with pytest.raises(QuotaExceededError) as caught:
        desk.reserve(caller, 3)

    error = caught.value
    assert (error.status, error.code, error.kind) == (429, "quota_exceeded", "image")
    assert error.quota == KindQuota(limit=IMAGES_PER_DAY, used=0, reserved=8)
    assert "2 of 10 left, 3 asked for" in error.message("en")
    assert "2026-03-11T00:00:00+08:00" in error.message("en")
    assert "图像配额不足：上限 10，剩余 2，本次需要 3" in error.message("zh")
    assert error.retry_after_seconds == 4 * 60 * 60 + 1


@on_sqlite_only
def test_released_units_can_be_asked_for_again(desk: Desk, caller: Caller) -> None:
    hold = desk.reserve(caller, IMAGES_PER_DAY)
    assert desk.try_reserve(caller, 1) is None

    desk.settle(hold, captured=0)

    assert desk.try_reserve(caller, IMAGES_PER_DAY) is not None


def test_a_hold_of_a_transaction_that_failed_was_never_placed(desk: Desk, caller: Caller) -> None:
    def work(connection: Connection) -> None:
        desk.quotas.place_hold(connection, caller, kind="image", units=4)
        raise LookupError

    with pytest.raises(LookupError):
        desk.database.write(work)

    assert images(desk, caller) == (0, 0, IMAGES_PER_DAY)


# Keys with limits of their own


@pytest.fixture
def limited(desk: Desk, caller: Caller) -> Caller:
    """Return ada through a key that may make three pictures a day."""
    return desk.new_caller("ada", images_per_day=3)


def test_a_key_stops_at_its_own_limit_and_the_user_goes_on(
    desk: Desk, caller: Caller, limited: Caller
) -> None:
    desk.reserve(limited, 3)

    with pytest.raises(QuotaExceededError) as caught:
        desk.reserve(limited, 1)

    assert caught.value.quota == KindQuota(limit=3, used=0, reserved=3)
    assert desk.try_reserve(caller, 7) is not None


def test_a_key_within_its_limit_stops_where_the_users_quota_ends(
    desk: Desk, caller: Caller, limited: Caller
) -> None:
    desk.reserve(caller, 9)

    assert images(desk, limited) == (0, 9, 1)
    assert desk.try_reserve(limited, 2) is None
    assert desk.try_reserve(limited, 1) is not None


def test_a_request_that_only_the_key_refuses_costs_the_user_nothing(
    desk: Desk, caller: Caller, limited: Caller
) -> None:
    """The user's row is changed first; the whole transaction rolls back."""
    assert desk.try_reserve(limited, 4) is None

    assert images(desk, caller) == (0, 0, IMAGES_PER_DAY)
    assert images(desk, limited) == (0, 0, 3)


def test_a_limited_keys_hold_is_settled_for_key_and_user(
    desk: Desk, caller: Caller, limited: Caller
) -> None:
    hold = desk.reserve(limited, 3)
    assert hold.is_key_limited

    desk.settle(hold, captured=2)

    windows = desk.database.read(desk.quotas.list_windows)
    assert windows == {
        (caller.account_id, "image", DAY): KindQuota(limit=IMAGES_PER_DAY, used=2, reserved=0),
        (limited.key_id, "image", DAY): KindQuota(limit=3, used=2, reserved=0),
    }
    assert desk.database.read(lambda connection: desk.quotas.remaining_of(connection, hold)) == {
        "images": 1,
        "videos": VIDEOS_PER_DAY,
    }


@on_sqlite_only
def test_a_limit_for_pictures_does_not_limit_videos(desk: Desk, limited: Caller) -> None:
    hold = desk.reserve(limited, VIDEOS_PER_DAY, kind="video")

    assert not hold.is_key_limited
    assert desk.quotas.read(limited).videos.limit == VIDEOS_PER_DAY


@on_sqlite_only
def test_a_key_with_limit_zero_makes_nothing(desk: Desk) -> None:
    caller = desk.new_caller("bob", images_per_day=0)

    assert desk.quotas.read(caller).images.remaining == 0
    assert desk.try_reserve(caller, 1) is None


@on_sqlite_only
def test_a_key_limit_above_the_plan_gives_no_more_than_the_plan(desk: Desk) -> None:
    caller = desk.new_caller("bob", images_per_day=1_000)

    assert desk.quotas.read(caller).images.remaining == IMAGES_PER_DAY
    assert desk.try_reserve(caller, IMAGES_PER_DAY + 1) is None


# Plans that change during the day


def test_an_upgrade_counts_at_once(desk: Desk, caller: Caller) -> None:
    desk.settle(desk.reserve(caller, IMAGES_PER_DAY), captured=IMAGES_PER_DAY)

    upgraded = replace(caller, plan=desk.accounts.get_plan("paid"))

    assert images(desk, upgraded) == (10, 0, 90)
    assert desk.try_reserve(upgraded, 90) is not None
    assert desk.try_reserve(upgraded, 1) is None


def test_a_downgrade_counts_from_the_next_day(desk: Desk, caller: Caller) -> None:
    upgraded = replace(caller, plan=desk.accounts.get_plan("paid"))
    desk.reserve(upgraded, 50)

    assert images(desk, caller) == (0, 50, 50)
    assert desk.try_reserve(caller, 50) is not None

    desk.database.advance(timedelta(days=1))
    assert images(desk, caller) == (0, 0, IMAGES_PER_DAY)
    assert desk.try_reserve(caller, IMAGES_PER_DAY + 1) is None


# Mistakes of the program


def test_a_hold_that_ends_twice_is_stopped_before_reserved_is_negative(
    desk: Desk, caller: Caller
) -> None:
    hold = desk.reserve(caller, 4)
    desk.settle(hold, captured=4)

    with pytest.raises(IntegrityError):
        desk.settle(hold, captured=0)

    assert images(desk, caller) == (4, 0, 6)


@on_sqlite_only
@pytest.mark.parametrize("captured", [-1, 3])
def test_a_capture_outside_of_its_hold_is_refused_although_the_day_has_room(
    desk: Desk, caller: Caller, captured: int
) -> None:
    """A negative one would give used units back, a larger one would take somebody's."""
    desk.settle(desk.reserve(caller, 5), captured=5)
    hold = desk.reserve(caller, 2)

    with pytest.raises(ValueError, match=f"cannot capture {captured} of 2"):
        desk.settle(hold, captured=captured)

    assert images(desk, caller) == (5, 2, 3)


@on_sqlite_only
@pytest.mark.parametrize("units", [0, -1])
def test_a_hold_of_nothing_is_refused(desk: Desk, caller: Caller, units: int) -> None:
    """A negative one would free what other jobs hold."""
    desk.reserve(caller, 5)

    with pytest.raises(ValueError, match="at least one unit"):
        desk.reserve(caller, units)

    assert images(desk, caller) == (0, 5, 5)
