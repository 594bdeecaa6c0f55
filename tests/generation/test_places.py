"""Places to compete: how many an account has, who gets a free one, and what mends them."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from gen_video.accounts.errors import TooManyJobsError
from gen_video.accounts.models import Caller
from gen_video.engines.errors import EngineFailedError, ModelUnavailableError
from gen_video.generation import mending
from gen_video.generation.shares import Rank
from gen_video.storage.memory import MemoryObjectStore
from tests.db.clocked import on_sqlite_only
from tests.generation.conftest import OpenDatabase
from tests.generation.shop import (
    SECOND_US,
    competing,
    has_place,
    set_speed,
    submit_in_turn,
    tenant,
)
from tests.generation.studio import (
    BATCH_AGEING,
    LAKE,
    LEASE,
    NOTHING_MENDED,
    SWEEP_GRACE,
    Studio,
    open_studio,
    profile,
)

SECOND = timedelta(seconds=1)
ARCHIVE = replace(LAKE, priority="batch")
OF_THE_RELEASE_BEFORE = (
    "UPDATE jobs SET queue = '', tier = '', predicted_us = 0, start_tag = NULL, rank = :rank"
    " WHERE id = :job"
)


def give_cap(studio: Studio, caller: Caller, max_running: int) -> None:
    plan = studio.accounts.get_plan(caller.plan.id)
    studio.accounts.save_plan(replace(plan, max_running=max_running))


@pytest.mark.parametrize("ending", ["finished", "failed", "canceled", "expired", "lost"])
def test_every_end_of_a_job_gives_its_place_to_the_next(studio: Studio, ending: str) -> None:
    ada = tenant(studio, "ada", max_running=2)
    first = studio.submit(ada, cancel_after=60 * SECOND).id
    others = submit_in_turn(studio, ada, 3)
    assert has_place(studio, [first, *others]) == [True, True, False, False]

    match ending:
        case "finished":
            studio.finish(studio.claim())
        case "failed":
            studio.execution.fail(studio.claim(), ModelUnavailableError("sketch", "no weights"))
        case "canceled":
            studio.jobs.cancel(ada, first)
        case "expired":
            studio.database.advance(61 * SECOND)
            studio.sweeper.sweep()
        case _:
            studio.claim()
            studio.jobs.cancel(ada, first)
            studio.database.advance(LEASE + SECOND)
            studio.sweeper.sweep()

    assert studio.row(first).finished_at is not None
    assert has_place(studio, others) == [True, True, False]
    assert studio.findings() == []


def test_a_job_that_is_tried_again_keeps_its_place(studio: Studio) -> None:
    ada = tenant(studio, "ada", max_running=1)
    job_ids = submit_in_turn(studio, ada, 2)

    studio.execution.fail(studio.claim(), EngineFailedError("no luck"))
    assert has_place(studio, job_ids) == [True, False]
    studio.database.advance(2 * SECOND)
    studio.execution.give_back(studio.claim())
    assert has_place(studio, job_ids) == [True, False]
    studio.claim()
    studio.database.advance(LEASE + SECOND)
    studio.sweeper.sweep()

    assert has_place(studio, job_ids) == [True, False]
    assert studio.claim().id == job_ids[0]


def test_accounts_take_no_places_from_each_other(studio: Studio) -> None:
    ada, bob = tenant(studio, "ada", max_running=1), tenant(studio, "bob", max_running=1)
    submit_in_turn(studio, ada, 3)

    job = studio.submit(bob)

    assert has_place(studio, [job.id]) == [True]


def test_a_job_that_waits_is_never_claimed(studio: Studio) -> None:
    ada = tenant(studio, "ada", max_running=1)
    submit_in_turn(studio, ada, 3)
    studio.claim()

    assert not studio.execution.has_due_job(profile())
    assert studio.execution.claim(profile()) is None


@pytest.mark.parametrize("max_running", [5, 0])
def test_a_cap_that_is_raised_or_removed_lets_more_compete_after_a_sweep(
    studio: Studio, max_running: int
) -> None:
    ada = tenant(studio, "ada", max_running=2)
    job_ids = submit_in_turn(studio, ada, 6)
    give_cap(studio, ada, max_running)
    studio.database.advance(SWEEP_GRACE)
    assert studio.findings() == ["I12"]

    report = studio.sweeper.sweep()

    allowed = max_running or 6
    assert report.moved == allowed - 2
    assert has_place(studio, job_ids) == [True] * allowed + [False] * (6 - allowed)
    assert studio.sweeper.sweep() == NOTHING_MENDED
    assert studio.findings() == []


def test_a_cap_that_is_lowered_takes_no_place_away_and_gives_none(studio: Studio) -> None:
    ada = tenant(studio, "ada", max_running=4)
    job_ids = submit_in_turn(studio, ada, 6)
    give_cap(studio, ada, 2)
    studio.database.advance(SWEEP_GRACE)
    assert studio.sweeper.sweep() == NOTHING_MENDED
    assert has_place(studio, job_ids) == [True] * 4 + [False] * 2

    counts = []
    for _ in job_ids:
        studio.finish(studio.claim())
        counts.append(competing(studio, ada))

    assert counts == [3, 2, 2, 2, 1, 0]
    assert studio.findings() == []


def test_a_plan_that_somebody_moves_to_counts_from_the_next_sweep(studio: Studio) -> None:
    ada = tenant(studio, "ada", max_running=1)
    job_ids = submit_in_turn(studio, ada, 3)
    tenant(studio, "roomy", max_running=3)

    studio.accounts.set_plan("ada", plan_id="roomy")
    studio.sweeper.sweep()

    assert has_place(studio, job_ids) == [True] * 3


@on_sqlite_only
def test_a_sweep_looks_at_a_part_of_the_accounts_and_the_next_at_the_others(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mending, "BATCH", 2)
    callers = [tenant(studio, f"user-{number}", max_running=1) for number in range(5)]
    for caller in callers:
        submit_in_turn(studio, caller, 2)
        give_cap(studio, caller, 2)

    moved = [studio.sweeper.sweep().moved for _ in range(4)]

    assert moved[:3] == [2, 2, 1]
    assert sum(moved) == 5


def test_racing_ends_leave_nobody_waiting(
    studio: Studio, open_database: OpenDatabase, objects: MemoryObjectStore
) -> None:
    ada = tenant(studio, "ada", max_running=4)
    job_ids = submit_in_turn(studio, ada, 12)
    other = open_studio(open_database(), objects)
    start = threading.Barrier(4)
    claimed = [studio.claim() for _ in range(4)]

    def finish(number: int) -> None:
        start.wait(timeout=30)
        (studio, other)[number % 2].finish(claimed[number])

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(finish, range(4)))

    assert has_place(studio, job_ids[4:]) == [True] * 4 + [False] * 4
    tags = [studio.row(job_id).start_tag for job_id in job_ids[4:8]]
    assert tags == sorted(set(tags)), (
        "who came earlier starts earlier, however fast the others were"
    )
    assert studio.findings() == []


def test_racing_admissions_take_as_many_places_as_there_are(
    studio: Studio, open_database: OpenDatabase, objects: MemoryObjectStore
) -> None:
    ada = tenant(studio, "ada", max_running=4)
    studios = (studio, open_studio(open_database(), objects))
    start = threading.Barrier(8)

    def submit(number: int) -> str:
        start.wait(timeout=30)
        return studios[number % 2].submit(ada).id

    with ThreadPoolExecutor(8) as threads:
        job_ids = list(threads.map(submit, range(8)))

    assert Counter(has_place(studio, job_ids)) == {True: 4, False: 4}
    assert len({studio.row(job_id).start_tag for job_id in job_ids}) == 5


def test_jobs_of_the_release_before_get_places_in_the_order_in_which_they_came(
    studio: Studio,
) -> None:
    ada = tenant(studio, "ada", max_running=2, tier="paid")
    set_speed(studio, seconds=1.0)
    job_ids = submit_in_turn(studio, ada, 3)
    for job_id in job_ids:
        studio.execute(OF_THE_RELEASE_BEFORE, job=job_id, rank=-10)
    assert not studio.execution.has_due_job(profile())
    assert studio.jobs.get(ada, job_ids[0]).progress.queue_position is None

    report = studio.sweeper.sweep()

    rows = [studio.row(job_id) for job_id in job_ids]
    assert report.moved == 3
    assert {(row.queue, row.rank, row.tier, row.predicted_us) for row in rows} == {
        ("default.image", Rank.INTERACTIVE, "paid", SECOND_US)
    }
    assert has_place(studio, job_ids) == [True, True, False]
    assert [studio.claim().id for _ in range(2)] == job_ids[:2]
    assert studio.findings() == []


def test_a_job_of_the_release_before_that_runs_ends_as_it_should(studio: Studio) -> None:
    ada = tenant(studio, "ada", max_running=1)
    job_ids = submit_in_turn(studio, ada, 2)
    running = [studio.claim()]
    studio.execute(OF_THE_RELEASE_BEFORE, job=job_ids[0], rank=0)
    studio.sweeper.sweep()
    assert has_place(studio, job_ids) == [False, True]

    studio.finish(running[0])
    studio.finish(studio.claim())

    assert [studio.jobs.get(ada, job_id).state.value for job_id in job_ids] == ["succeeded"] * 2
    assert studio.findings() == []


def test_a_job_of_the_release_before_whose_worker_vanished_is_given_a_place(
    studio: Studio,
) -> None:
    ada = tenant(studio, "ada")
    job = studio.submit(ada)
    studio.claim("of the release before")
    studio.execute(OF_THE_RELEASE_BEFORE, job=job.id, rank=0)
    studio.database.advance(LEASE + SECOND)

    report = studio.sweeper.sweep()

    assert (report.requeued, report.moved) == (1, 1)
    assert studio.claim().id == job.id


@on_sqlite_only
def test_jobs_whose_model_is_gone_keep_no_others_from_their_places(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mending, "BATCH", 2)
    ada = tenant(studio, "ada")
    job_ids = submit_in_turn(studio, ada, 4)
    for job_id in job_ids:
        studio.execute(OF_THE_RELEASE_BEFORE, job=job_id, rank=0)
    for job_id in job_ids[:3]:
        studio.execute("UPDATE jobs SET model = 'gone' WHERE id = :job", job=job_id)

    studio.sweeper.sweep()

    assert has_place(studio, job_ids) == [False, False, False, True]
    assert studio.sweeper.sweep() == NOTHING_MENDED


@on_sqlite_only
def test_a_low_priority_of_the_release_before_is_not_taken_for_batch(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rank of 1 is the one that batch jobs have now; such a job needs a queue first."""
    monkeypatch.setattr(mending, "BATCH", 1)
    ada = tenant(studio, "ada")
    job_ids = submit_in_turn(studio, ada, 3)
    for job_id in job_ids:
        studio.execute(OF_THE_RELEASE_BEFORE, job=job_id, rank=1)
    studio.database.advance(BATCH_AGEING)

    for _ in job_ids:
        studio.sweeper.sweep()

    assert {studio.row(job_id).queue for job_id in job_ids} == {"default.image"}
    assert {studio.claim().id for _ in job_ids} == set(job_ids)


def test_a_batch_job_that_has_waited_for_long_competes_like_others(studio: Studio) -> None:
    ada, bob = tenant(studio, "ada"), tenant(studio, "bob")
    archived = studio.submit(ada, ARCHIVE).id
    studio.database.advance(BATCH_AGEING)
    urgent = [studio.submit(bob).id for _ in range(3)]
    assert studio.sweeper.sweep() == NOTHING_MENDED
    assert studio.row(archived).rank == Rank.BATCH

    studio.database.advance(SECOND)
    report = studio.sweeper.sweep()

    row = studio.row(archived)
    assert (report.moved, row.rank, row.queue) == (1, Rank.INTERACTIVE, "default.image")
    order = [studio.claim().id for _ in range(4)]
    assert order.index(archived) <= 1
    assert set(order) == {archived, *urgent}
    assert studio.findings() == []


def test_a_batch_job_that_ages_gives_back_what_it_took_of_its_class(studio: Studio) -> None:
    set_speed(studio, seconds=1.0)
    ada = tenant(studio, "ada", max_running=1)
    aged = [studio.submit(ada, ARCHIVE).id for _ in range(2)]
    studio.database.advance(BATCH_AGEING + SECOND)
    young = studio.submit(ada, ARCHIVE).id
    assert has_place(studio, [*aged, young]) == [True, False, False]

    studio.sweeper.sweep()

    assert {studio.row(job_id).rank for job_id in aged} == {Rank.INTERACTIVE}
    assert Counter(has_place(studio, aged)) == {True: 1, False: 1}
    assert (studio.row(young).rank, studio.row(young).start_tag) == (Rank.BATCH, 0)
    assert studio.findings() == []


@on_sqlite_only
def test_a_running_batch_job_is_left_where_it_is(studio: Studio) -> None:
    ada = tenant(studio, "ada")
    job = studio.submit(ada, ARCHIVE)
    claimed = studio.claim()
    for _ in range(14):
        studio.database.advance(LEASE / 2)
        studio.execution.renew(claimed, progress=None)
    studio.database.advance(timedelta(seconds=1) + BATCH_AGEING - 7 * LEASE)
    studio.execution.renew(claimed, progress=None)

    studio.sweeper.sweep()

    assert studio.row(job.id).rank == Rank.BATCH
    studio.finish(claimed)
    assert studio.findings() == []


@on_sqlite_only
def test_a_full_account_is_still_told_so(studio: Studio) -> None:
    """Places to compete are not places to wait: those are counted by `max_in_flight`."""
    plan = replace(studio.accounts.get_plan("free"), max_in_flight=3, max_running=1)
    caller = studio.new_caller_with(plan)
    submit_in_turn(studio, caller, 3)

    with pytest.raises(TooManyJobsError):
        studio.submit(caller)
