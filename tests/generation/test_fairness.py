"""Fairness: who has much waiting delays nobody, weights are kept, and wrong guesses are settled."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gen_video.accounts.models import Caller
from gen_video.engines.errors import EngineFailedError, ModelUnavailableError
from tests.db.clocked import on_sqlite_only
from tests.generation.shop import SECOND_US, Shop, set_speed, tenant
from tests.generation.studio import DEADLINE, LAKE, LEASE, Studio

SECOND = timedelta(seconds=1)
ARCHIVE = replace(LAKE, priority="batch")


def tag_of(studio: Studio, job_id: str) -> int | None:
    tag: int | None = studio.row(job_id).start_tag
    return tag


@pytest.mark.parametrize("max_running", [0, 4])
def test_a_newcomer_is_next_however_much_others_have_waiting(
    studio: Studio, max_running: int
) -> None:
    set_speed(studio, seconds=1.0)
    whale = tenant(studio, "whale", max_running=max_running)
    for _ in range(30):
        studio.submit(whale)
    shop = Shop(studio, slots=2)
    shop.work(5)
    shop.fill()
    newcomer = tenant(studio, "newcomer")

    job = studio.submit(newcomer)
    shop.finish_one()

    assert studio.claim().id == job.id


@on_sqlite_only
def test_many_newcomers_share_what_is_left_with_whoever_was_there(studio: Studio) -> None:
    set_speed(studio, seconds=1.0)
    accounts = [tenant(studio, name) for name in ("a", "b", "c")]
    for caller in accounts:
        for _ in range(20):
            studio.submit(caller)
    shop = Shop(studio)

    shop.work(30)

    assert sorted(shop.used.values()) == [10, 10, 10]
    assert all(len(set(shop.started[i : i + 3])) == 3 for i in range(0, 30, 3)), "in turn"


@pytest.mark.parametrize("max_running", [0, 2])
def test_device_time_is_given_in_the_proportion_of_the_weights(
    studio: Studio, max_running: int
) -> None:
    set_speed(studio, seconds=1.0)
    light = tenant(studio, "light", weight=1, max_running=max_running)
    heavy = tenant(studio, "heavy", weight=4, max_running=max_running)
    for _ in range(20):
        studio.submit(light)
    for _ in range(60):
        studio.submit(heavy)
    shop = Shop(studio)

    shop.work(50)

    assert shop.used[heavy.account_id] == pytest.approx(40, abs=1)
    assert shop.used[light.account_id] == pytest.approx(10, abs=1)


@on_sqlite_only
def test_big_jobs_count_as_much_as_they_take(studio: Studio) -> None:
    set_speed(studio, seconds=1.0)
    big, small = tenant(studio, "big"), tenant(studio, "small")
    for _ in range(20):
        studio.submit(big, replace(LAKE, n=4))
        studio.submit(small)
        studio.submit(small)
    seconds = {big.account_id: 4.0, small.account_id: 1.0}
    shop = Shop(studio, seconds_of=lambda account_id: seconds[account_id])

    shop.work(40)

    assert shop.used[big.account_id] == pytest.approx(shop.used[small.account_id], abs=4)


@on_sqlite_only
def test_what_was_predicted_wrongly_is_settled_with_the_next_jobs(studio: Studio) -> None:
    """Both are predicted alike; the jobs of one take three times as long."""
    set_speed(studio, seconds=1.0)
    slow, fast = tenant(studio, "slow", max_running=2), tenant(studio, "fast", max_running=2)
    for _ in range(45):
        studio.submit(slow)
        studio.submit(fast)
    seconds = {slow.account_id: 3.0, fast.account_id: 1.0}
    shop = Shop(studio, seconds_of=lambda account_id: seconds[account_id])

    shop.work(56)

    assert shop.used[slow.account_id] == pytest.approx(shop.used[fast.account_id], rel=0.15)
    assert shop.started.count(fast.account_id) > 2.5 * shop.started.count(slow.account_id)


def test_a_canceled_job_gives_its_share_back(studio: Studio) -> None:
    set_speed(studio, seconds=1.0)
    caller = tenant(studio, "ada")
    jobs = [studio.submit(caller).id for _ in range(3)]
    assert [tag_of(studio, job_id) for job_id in jobs] == [0, SECOND_US, 2 * SECOND_US]

    for job_id in jobs[1:]:
        studio.jobs.cancel(caller, job_id)

    assert tag_of(studio, studio.submit(caller).id) == SECOND_US


def test_a_job_that_expired_unseen_gives_its_share_back(studio: Studio) -> None:
    set_speed(studio, seconds=1.0)
    caller = tenant(studio, "ada")
    studio.submit(caller)
    studio.submit(caller, cancel_after=SECOND)
    studio.database.advance(2 * SECOND)
    studio.sweeper.sweep()

    assert tag_of(studio, studio.submit(caller).id) == SECOND_US


def test_canceling_what_waits_behind_changes_nothing(studio: Studio) -> None:
    set_speed(studio, seconds=1.0)
    caller = tenant(studio, "ada", max_running=1)
    studio.submit(caller)
    behind = studio.submit(caller)
    assert tag_of(studio, behind.id) is None

    studio.jobs.cancel(caller, behind.id)
    studio.database.advance(SECOND)
    last = studio.submit(caller)
    studio.finish(studio.claim())

    assert tag_of(studio, last.id) is not None
    assert studio.findings() == []


@pytest.mark.parametrize("ending", ["failed", "canceled", "succeeded"])
def test_a_job_that_ran_pays_with_what_it_took(studio: Studio, ending: str) -> None:
    set_speed(studio, seconds=1.0)
    caller = tenant(studio, "ada")
    job = studio.submit(caller)
    claimed = studio.claim()
    studio.database.advance(3 * SECOND)

    match ending:
        case "failed":
            studio.execution.fail(claimed, ModelUnavailableError("sketch", "no weights"))
        case "canceled":
            studio.jobs.cancel(caller, job.id)
            studio.execution.cancel(claimed)
        case _:
            studio.finish(claimed)

    assert tag_of(studio, studio.submit(caller).id) == 3 * SECOND_US


def test_a_job_that_goes_back_to_the_queue_keeps_its_place(studio: Studio) -> None:
    caller = tenant(studio, "ada")
    job = studio.submit(caller)
    later = studio.submit(caller)
    tag = tag_of(studio, job.id)

    studio.execution.give_back(studio.claim())
    assert tag_of(studio, job.id) == tag
    studio.execution.fail(studio.claim(), EngineFailedError("no luck"))
    assert tag_of(studio, job.id) == tag
    studio.database.advance(2 * SECOND)
    assert studio.claim().id == job.id
    studio.database.advance(LEASE + SECOND)
    studio.sweeper.sweep()

    assert tag_of(studio, job.id) == tag
    assert [studio.claim().id for _ in range(2)] == [job.id, later.id]


@on_sqlite_only
def test_who_was_away_has_saved_nothing_up(studio: Studio) -> None:
    """An account that asks for nothing for an hour cannot then have the devices for an hour."""
    set_speed(studio, seconds=1.0)
    steady, returning = tenant(studio, "steady"), tenant(studio, "returning")
    studio.submit(returning)
    for _ in range(40):
        studio.submit(steady)
    shop = Shop(studio)
    shop.work(20)
    for _ in range(20):
        studio.submit(returning)
    before = len(shop.started)

    shop.work(20)

    shares = shop.started[before:]
    assert shares.count(steady.account_id) == pytest.approx(10, abs=1)


@on_sqlite_only
def test_an_empty_queue_does_not_punish_who_used_it_alone(studio: Studio) -> None:
    set_speed(studio, seconds=1.0)
    lonely = tenant(studio, "lonely")
    for _ in range(10):
        studio.submit(lonely)
    shop = Shop(studio)
    shop.work(10)
    newcomer = tenant(studio, "newcomer")

    for _ in range(6):
        studio.submit(newcomer)
        studio.submit(lonely)
    shop.work(12)

    last = shop.started[10:16]
    assert last.count(lonely.account_id) == pytest.approx(3, abs=1)


def test_batch_waits_for_everybody_in_a_hurry_and_for_nobody_else(
    studio: Studio, caller: Caller
) -> None:
    archive = [studio.submit(caller, ARCHIVE).id for _ in range(2)]
    studio.database.advance(SECOND)
    urgent = [studio.submit(studio.new_caller("bob")).id for _ in range(2)]
    studio.database.advance(SECOND)
    later = studio.submit(studio.new_caller("eve"), ARCHIVE).id

    claimed = [studio.claim().id for _ in range(5)]

    assert claimed[:2] == urgent
    assert set(claimed[2:4]) == {archive[0], later}
    assert claimed[4] == archive[1]


def test_batch_and_interactive_jobs_have_places_of_their_own(
    studio: Studio, caller: Caller
) -> None:
    jobs = [studio.submit(caller, ARCHIVE).id for _ in range(4)]

    urgent = studio.submit(caller)

    assert None not in {tag_of(studio, job_id) for job_id in jobs}
    assert tag_of(studio, urgent.id) == 0
    assert studio.claim().id == urgent.id


@on_sqlite_only
def test_deadlines_of_jobs_that_wait_behind_are_kept_too(studio: Studio) -> None:
    caller = tenant(studio, "ada", max_running=1)
    jobs = [studio.submit(caller).id for _ in range(3)]
    studio.database.advance(DEADLINE + SECOND)

    report = studio.sweeper.sweep()

    assert report.expired_jobs == 3
    assert {studio.row(job_id).state for job_id in jobs} == {"expired"}
    assert studio.findings() == []
