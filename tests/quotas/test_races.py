"""Races for quota: many threads at once, and never one unit more than the day has."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from gen_video.accounts.models import Caller
from gen_video.quotas.models import Hold, KindQuota
from tests.db.clocked import ClockedDatabase
from tests.quotas.conftest import IMAGES_PER_DAY, Desk, open_desk

THREADS = 64
DAY = "2026-03-10"

Attempt = Callable[[int], Hold | None]


@pytest.fixture
def desks(desk: Desk, database_url: str) -> Iterator[tuple[Desk, Desk]]:
    """Return two desks with databases of their own, as two processes have."""
    database = ClockedDatabase(database_url)
    yield desk, open_desk(database)
    database.close()


def race(attempt: Attempt, *, racers: int = THREADS) -> list[Hold]:
    """Start all attempts at the same moment and return the holds that were granted."""
    start = threading.Barrier(racers)

    def run(number: int) -> Hold | None:
        start.wait(timeout=30)
        return attempt(number)

    with ThreadPoolExecutor(racers) as threads:
        return [hold for hold in threads.map(run, range(racers)) if hold is not None]


def account_window(desk: Desk, caller: Caller) -> KindQuota:
    return desk.database.read(desk.quotas.list_windows)[caller.account_id, "image", DAY]


def test_sixty_four_threads_race_for_the_last_unit_and_one_wins(
    desks: tuple[Desk, Desk], caller: Caller
) -> None:
    desk = desks[0]
    desk.settle(desk.reserve(caller, IMAGES_PER_DAY - 1), captured=IMAGES_PER_DAY - 1)

    granted = race(lambda number: desks[number % 2].try_reserve(caller, 1))

    assert len(granted) == 1
    assert account_window(desk, caller) == KindQuota(limit=10, used=9, reserved=1)


@pytest.mark.parametrize("racers", [4, IMAGES_PER_DAY, 40])
def test_of_n_requests_for_k_units_the_smaller_number_is_granted(
    desks: tuple[Desk, Desk], caller: Caller, racers: int
) -> None:
    """On a fresh day, whose row does not exist yet: the racers also race to make it."""
    granted = race(lambda number: desks[number % 2].try_reserve(caller, 1), racers=racers)

    expected = min(racers, IMAGES_PER_DAY)
    assert len(granted) == expected
    assert account_window(desks[0], caller) == KindQuota(limit=10, used=0, reserved=expected)


def test_requests_of_different_sizes_never_exceed_the_day_and_waste_none_of_it(
    desks: tuple[Desk, Desk], caller: Caller
) -> None:
    """Single units are among them, so the day must end up full."""
    sizes = [1, 2, 3, 7] * 8

    granted = race(
        lambda number: desks[number % 2].try_reserve(caller, sizes[number]), racers=len(sizes)
    )

    assert sum(hold.units for hold in granted) == IMAGES_PER_DAY
    assert account_window(desks[0], caller).remaining == 0


def test_a_keys_own_limit_holds_under_a_race_and_costs_the_user_no_more(
    desks: tuple[Desk, Desk], caller: Caller
) -> None:
    desk = desks[0]
    limited = desk.new_caller("ada", images_per_day=3)

    granted = race(lambda number: desks[number % 2].try_reserve(limited, 1), racers=24)

    assert len(granted) == 3
    assert account_window(desk, caller) == KindQuota(limit=10, used=0, reserved=3)


def test_units_that_come_back_during_a_race_are_granted_again_and_never_twice(
    desks: tuple[Desk, Desk], caller: Caller
) -> None:
    """Every racer holds, delivers half of the time, releases otherwise, and tries again."""
    delivered: list[int] = []

    def draw(number: int) -> None:
        desk = desks[number % 2]
        for turn in range(6):
            hold = desk.try_reserve(caller, 1)
            if hold is None:
                continue
            captured = (number + turn) % 2
            desk.settle(hold, captured=captured)
            delivered.append(captured)

    race(draw, racers=16)

    window = account_window(desks[0], caller)
    assert (window.used, window.reserved) == (sum(delivered), 0)
    assert 0 < window.used <= IMAGES_PER_DAY


def test_users_who_race_side_by_side_each_get_their_own_day(desks: tuple[Desk, Desk]) -> None:
    callers = [desks[0].new_caller(f"user{number}") for number in range(4)]

    race(lambda number: desks[number % 2].try_reserve(callers[number % 4], 1), racers=56)

    windows = [account_window(desks[0], caller) for caller in callers]
    assert windows == [KindQuota(limit=10, used=0, reserved=IMAGES_PER_DAY)] * 4
