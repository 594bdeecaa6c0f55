"""Claims and leases: who gets which job, how long it is theirs, and when it is not any more."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from gen_video.accounts.models import Caller
from gen_video.engines.errors import EngineFailedError
from gen_video.generation.errors import LeaseLostError
from gen_video.generation.models import JobProgress, LeaseState
from gen_video.generation.states import JobState
from gen_video.storage.memory import MemoryObjectStore
from tests.db.clocked import START, on_sqlite_only
from tests.generation.conftest import OpenDatabase
from tests.generation.studio import (
    LAKE,
    LEASE,
    MODELS,
    NOTHING_MENDED,
    Studio,
    open_studio,
    profile,
)

SECOND = timedelta(seconds=1)
HALFWAY = JobProgress(stage="denoising", step=2, steps=4)


def test_a_claimed_job_is_leased_under_a_new_fence(studio: Studio, caller: Caller) -> None:
    job = studio.submit(caller)
    studio.database.advance(SECOND)

    claimed = studio.claim("worker-1")

    row = studio.row(job.id)
    assert (claimed.id, claimed.fence, claimed.attempt) == (job.id, 1, 1)
    assert (claimed.input, claimed.deadline_at) == (job.input, job.deadline_at)
    assert (row.state, row.fence, row.lease_owner) == ("running", 1, "worker-1")
    assert row.lease_expires_at == START + SECOND + LEASE
    assert row.started_at == START + SECOND
    assert studio.outcomes(job.id) == [(1, None)]


def test_an_empty_queue_gives_nothing(studio: Studio) -> None:
    assert not studio.execution.has_due_job(profile(models=MODELS))
    assert studio.execution.claim(profile("worker", MODELS)) is None


def test_the_jobs_of_an_account_are_claimed_in_the_order_in_which_they_came(
    studio: Studio, caller: Caller
) -> None:
    """Even those of the same moment, and those that had to wait for a place to compete."""
    submitted = [studio.submit(caller).id for _ in range(4)]
    for _ in range(2):
        studio.database.advance(SECOND)
        submitted.append(studio.submit(caller).id)

    claimed = [studio.claim() for _ in range(4)]
    studio.database.advance(studio.row(submitted[0]).predicted_us * timedelta(microseconds=1))
    for job in claimed[:2]:
        studio.finish(job)
    claimed += [studio.claim() for _ in range(2)]

    assert [job.id for job in claimed] == submitted


def test_a_worker_claims_only_jobs_of_its_models(studio: Studio, caller: Caller) -> None:
    studio.submit(caller)
    painted = studio.submit(caller, replace(LAKE, model="paint"))

    assert studio.claim(models=["paint"]).id == painted.id
    assert not studio.execution.has_due_job(profile(models=["paint"]))
    assert studio.execution.claim(profile("worker", ["paint"])) is None
    assert studio.execution.has_due_job(profile(models=["sketch"]))


def test_a_job_that_waits_for_its_next_attempt_is_not_claimed_before(
    studio: Studio, caller: Caller
) -> None:
    job = studio.submit(caller)
    studio.execution.fail(studio.claim(), EngineFailedError("no luck"))
    not_before = studio.row(job.id).not_before

    studio.database.moment = not_before - timedelta(microseconds=1)
    assert not studio.execution.has_due_job(profile(models=MODELS))
    assert studio.execution.claim(profile("worker", MODELS)) is None

    studio.database.moment = not_before
    assert studio.execution.has_due_job(profile(models=MODELS))
    assert studio.claim().id == job.id


def test_workers_that_race_never_claim_the_same_job(
    studio: Studio, caller: Caller, open_database: OpenDatabase, objects: MemoryObjectStore
) -> None:
    caller = studio.new_caller_with(replace(caller.plan, max_running=0))
    submitted = {studio.submit(caller).id for _ in range(10)}
    studios = (studio, open_studio(open_database(), objects))

    def work(number: int) -> list[str]:
        mine: list[str] = []
        execution = studios[number % 2].execution
        while (job := execution.claim(profile(f"w{number}", MODELS))) is not None:
            mine.append(job.id)
        return mine

    with ThreadPoolExecutor(8) as threads:
        claimed = [job_id for mine in threads.map(work, range(8)) for job_id in mine]

    assert sorted(claimed) == sorted(submitted)
    assert all(studio.outcomes(job_id) == [(1, None)] for job_id in submitted)


def test_a_renewal_moves_the_lease_and_writes_progress(studio: Studio, caller: Caller) -> None:
    job = studio.submit(caller)
    claimed = studio.claim()
    studio.database.advance(20 * SECOND)

    state = studio.execution.renew(claimed, progress=HALFWAY)

    row = studio.row(job.id)
    assert state == LeaseState(is_cancel_requested=False, is_past_deadline=False)
    assert row.lease_expires_at == START + 20 * SECOND + LEASE
    assert row.progress_at == START + 20 * SECOND
    assert (row.progress_stage, row.progress_step, row.progress_steps) == ("denoising", 2, 4)


def test_a_renewal_without_progress_keeps_what_was_written(studio: Studio, caller: Caller) -> None:
    job = studio.submit(caller)
    claimed = studio.claim()
    studio.execution.renew(claimed, progress=HALFWAY)

    studio.execution.renew(claimed, progress=None)

    assert studio.jobs.get(caller, job.id).progress.step == 2


def test_a_renewal_hears_of_a_cancel_and_of_the_deadline(studio: Studio, caller: Caller) -> None:
    job = studio.submit(caller, cancel_after=10 * SECOND)
    claimed = studio.claim()
    studio.database.advance(10 * SECOND)
    assert studio.execution.check_lease(claimed) == LeaseState(
        is_cancel_requested=False, is_past_deadline=False
    )

    studio.jobs.cancel(caller, job.id)
    studio.database.advance(SECOND)

    over = LeaseState(is_cancel_requested=True, is_past_deadline=True)
    assert studio.execution.check_lease(claimed) == over
    assert studio.execution.renew(claimed, progress=None) == over


def test_a_worker_that_comes_back_before_anybody_noticed_keeps_its_job(
    studio: Studio, caller: Caller
) -> None:
    studio.submit(caller)
    claimed = studio.claim()
    studio.database.advance(2 * LEASE)

    studio.execution.renew(claimed, progress=None)

    assert studio.sweeper.sweep() == NOTHING_MENDED


@pytest.mark.parametrize("is_claimed_again", [True, False])
def test_a_worker_that_was_thought_dead_can_do_nothing_to_its_job(
    studio: Studio, caller: Caller, *, is_claimed_again: bool
) -> None:
    """Whether the job waits for its next worker or has one: the old fence opens nothing."""
    job = studio.submit(caller)
    zombie = studio.claim("zombie")
    delivery = studio.deliver(zombie)
    studio.database.advance(LEASE + SECOND)
    assert studio.sweeper.sweep().requeued == 1
    heir = studio.claim("heir") if is_claimed_again else None
    before = (studio.row(job.id), studio.outcomes(job.id), studio.count_rows())

    with pytest.raises(LeaseLostError):
        studio.execution.renew(zombie, progress=HALFWAY)
    with pytest.raises(LeaseLostError):
        studio.execution.check_lease(zombie)
    with pytest.raises(LeaseLostError):
        studio.execution.finish(zombie, [delivery])
    assert studio.execution.fail(zombie, EngineFailedError("late")) is None
    assert studio.execution.fail(replace(zombie, attempt=3), EngineFailedError("late")) is None
    assert not studio.execution.cancel(zombie)
    assert not studio.execution.give_back(zombie)

    assert (studio.row(job.id), studio.outcomes(job.id), studio.count_rows()) == before
    if heir is not None:
        studio.finish(heir)
        assert studio.jobs.get(caller, job.id).outputs[0].fence == heir.fence
    assert studio.findings() == []


def test_a_worker_can_do_nothing_to_a_job_that_has_ended(studio: Studio, caller: Caller) -> None:
    job = studio.submit(caller)
    late = studio.claim()
    studio.finish(late)
    before = studio.row(job.id)

    with pytest.raises(LeaseLostError):
        studio.execution.renew(late, progress=None)
    with pytest.raises(LeaseLostError):
        studio.execution.finish(late, [])
    assert studio.execution.fail(late, EngineFailedError("late")) is None
    assert not studio.execution.cancel(late)
    assert not studio.execution.give_back(late)

    assert studio.row(job.id) == before
    assert studio.window(caller).used == 1


@on_sqlite_only
def test_the_start_of_the_first_attempt_is_the_start_of_the_job(
    studio: Studio, caller: Caller
) -> None:
    job = studio.submit(caller)
    studio.execution.fail(studio.claim(), EngineFailedError("no luck"))
    studio.database.advance(timedelta(minutes=2))

    second = studio.claim()

    assert (second.fence, second.attempt) == (3, 2)
    assert studio.row(job.id).started_at == START
    assert studio.jobs.get(caller, job.id).state is JobState.RUNNING
