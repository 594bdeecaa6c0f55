"""Jobs for their owners: read, cancel, delete, files; and nothing of anybody else's."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gen_video.accounts.models import Caller
from gen_video.engines.errors import ModelUnavailableError
from gen_video.generation.errors import (
    FileGoneError,
    FileNotFoundInServiceError,
    JobFinishedError,
    JobNotFoundError,
    JobUnfinishedError,
)
from gen_video.generation.states import JobState
from gen_video.ids import new_id
from gen_video.quotas.models import KindQuota
from tests.db.clocked import START, on_sqlite_only
from tests.generation.studio import LAKE, RETENTION, Studio

NO_IDS = ["", "job_", "job_short", "acc_0123456789abcdefghijAB", "job_0123456789abcdefghijA'", "湖"]


def test_a_queued_job_is_canceled_at_once_and_costs_nothing(studio: Studio, caller: Caller) -> None:
    job_id = studio.submit(caller, replace(LAKE, n=3)).id
    studio.database.advance(timedelta(seconds=1))

    job = studio.jobs.cancel(caller, job_id)

    assert (job.state, job.units_delivered, job.error) == (JobState.CANCELED, 0, None)
    assert job.cancel_requested_at == job.finished_at == START + timedelta(seconds=1)
    assert job.quota_remaining == {"images": 10, "videos": 2}
    assert studio.window(caller) == KindQuota(limit=10, used=0, reserved=0)
    assert studio.in_flight(caller) == 0
    assert studio.findings() == []


def test_a_running_job_is_asked_to_stop_and_its_worker_ends_it(
    studio: Studio, caller: Caller
) -> None:
    job_id = studio.submit(caller).id
    claimed = studio.claim()

    asked = studio.jobs.cancel(caller, job_id)
    assert (asked.state, asked.cancel_requested_at) == (JobState.RUNNING, START)
    assert studio.window(caller).reserved == 1
    assert studio.execution.cancel(claimed)

    assert studio.jobs.get(caller, job_id).state is JobState.CANCELED
    assert studio.outcomes(job_id) == [(1, "canceled")]
    assert studio.window(caller) == KindQuota(limit=10, used=0, reserved=0)
    assert studio.findings() == []


def test_canceling_twice_is_canceling_once(studio: Studio, caller: Caller) -> None:
    queued, running = studio.submit(caller), studio.submit(caller)
    claimed = studio.claim()
    waiting = queued if claimed.id == running.id else running
    for job_id in (waiting.id, claimed.id):
        studio.jobs.cancel(caller, job_id)
    studio.database.advance(timedelta(seconds=5))

    again = [studio.jobs.cancel(caller, job_id) for job_id in (waiting.id, claimed.id)]

    assert [job.state for job in again] == [JobState.CANCELED, JobState.RUNNING]
    assert [job.cancel_requested_at for job in again] == [START, START]
    assert studio.findings() == []


@pytest.mark.parametrize("ending", [JobState.SUCCEEDED, JobState.FAILED, JobState.EXPIRED])
def test_a_job_that_ended_otherwise_cannot_be_canceled(
    studio: Studio, caller: Caller, ending: JobState
) -> None:
    job_id = ended_job(studio, caller, ending)
    before = studio.row(job_id)

    with pytest.raises(JobFinishedError, match=ending.value):
        studio.jobs.cancel(caller, job_id)

    assert studio.row(job_id) == before


def ended_job(studio: Studio, caller: Caller, ending: JobState) -> str:
    """Bring a new job to an end; return its id."""
    job = studio.submit(caller)
    match ending:
        case JobState.SUCCEEDED:
            studio.finish(studio.claim())
        case JobState.FAILED:
            studio.execution.fail(studio.claim(), ModelUnavailableError("sketch", "gone"))
        case JobState.CANCELED:
            studio.jobs.cancel(caller, job.id)
        case _:
            studio.database.moment = job.deadline_at + timedelta(seconds=1)
            studio.sweeper.sweep()
    assert studio.jobs.get(caller, job.id).state is ending
    return job.id


def test_deleting_a_finished_job_removes_its_files_and_keeps_its_charge(
    studio: Studio, caller: Caller
) -> None:
    job = studio.finished_job(caller, replace(LAKE, n=2))
    assert len(studio.list_files()) == 2

    deleted = studio.jobs.delete(caller, job.id)

    assert studio.list_files() == []
    assert deleted.deleted_at == START
    assert [output.state for output in deleted.outputs] == ["deleted", "deleted"]
    for output in job.outputs:
        assert not studio.objects.is_published(output.public_name)
        with pytest.raises(FileGoneError):
            studio.jobs.get_file(output.public_name)
    assert studio.window(caller).used == 2
    assert studio.jobs.list_jobs(caller).jobs == ()
    assert studio.findings() == []


@on_sqlite_only
def test_deleting_twice_is_deleting_once(studio: Studio, caller: Caller) -> None:
    job = studio.finished_job(caller)
    studio.jobs.delete(caller, job.id)
    studio.database.advance(timedelta(seconds=5))

    assert studio.jobs.delete(caller, job.id).deleted_at == START


@on_sqlite_only
@pytest.mark.parametrize("ending", [JobState.FAILED, JobState.CANCELED, JobState.EXPIRED])
def test_a_job_without_files_can_be_deleted_too(
    studio: Studio, caller: Caller, ending: JobState
) -> None:
    job_id = ended_job(studio, caller, ending)

    studio.jobs.delete(caller, job_id)

    assert studio.jobs.list_jobs(caller).jobs == ()


@on_sqlite_only
@pytest.mark.parametrize("is_running", [True, False])
def test_an_unfinished_job_cannot_be_deleted(
    studio: Studio, caller: Caller, *, is_running: bool
) -> None:
    job_id = studio.submit(caller).id
    if is_running:
        studio.claim()

    with pytest.raises(JobUnfinishedError):
        studio.jobs.delete(caller, job_id)

    assert studio.jobs.get(caller, job_id).deleted_at is None


def test_the_quota_that_a_job_shows_is_that_of_its_end_and_never_changes(
    studio: Studio, caller: Caller
) -> None:
    job = studio.submit(caller, replace(LAKE, n=2))
    studio.submit(caller, replace(LAKE, n=3))
    assert studio.jobs.get(caller, job.id).quota_remaining == {"images": 8, "videos": 2}
    ends = {claimed.id: claimed for claimed in (studio.claim(), studio.claim())}

    studio.finish(ends[job.id], delivered=1)
    at_the_end = studio.jobs.get(caller, job.id)
    studio.submit(caller)
    studio.accounts.save_plan(replace(studio.accounts.get_plan("free"), images_per_day=50))
    studio.jobs.delete(caller, job.id)

    assert at_the_end.quota_remaining == {"images": 6, "videos": 2}
    assert studio.jobs.get(caller, job.id).quota_remaining == at_the_end.quota_remaining


def test_a_file_is_found_by_its_public_name_until_its_time_is_over(
    studio: Studio, caller: Caller
) -> None:
    output = studio.finished_job(caller).outputs[0]
    assert studio.jobs.get_file(output.public_name) == output
    assert studio.jobs.get_file_of(caller, output.public_name) == output

    studio.database.advance(RETENTION)

    with pytest.raises(FileGoneError):
        studio.jobs.get_file(output.public_name)


@on_sqlite_only
@pytest.mark.parametrize(
    "name", ["", "images/", "images/../x.png", "images/job_0123456789abcdefghijAB.png", "湖"]
)
def test_a_name_without_a_file_is_not_found(studio: Studio, name: str) -> None:
    with pytest.raises(FileNotFoundInServiceError):
        studio.jobs.get_file(name)


@on_sqlite_only
def test_a_foreign_job_and_a_missing_one_are_the_same_thing(studio: Studio, caller: Caller) -> None:
    bob = studio.new_caller("bob")
    theirs = studio.finished_job(bob)
    running = studio.submit(bob).id
    before = (studio.row(theirs.id), studio.row(running))

    for job_id in (theirs.id, running, new_id("job"), *NO_IDS):
        for call in (studio.jobs.get, studio.jobs.cancel, studio.jobs.delete):
            with pytest.raises(JobNotFoundError):
                call(caller, job_id)
        with pytest.raises(JobNotFoundError):
            studio.jobs.list_jobs(caller, after=job_id)

    assert (studio.row(theirs.id), studio.row(running)) == before
    assert studio.jobs.list_jobs(caller).jobs == ()


@on_sqlite_only
def test_a_foreign_file_and_a_missing_one_are_the_same_thing(
    studio: Studio, caller: Caller
) -> None:
    theirs = studio.finished_job(studio.new_caller("bob")).outputs[0].public_name

    for name in (theirs, f"images/{new_id('job')}.png"):
        with pytest.raises(FileNotFoundInServiceError):
            studio.jobs.get_file_of(caller, name)


def test_keys_of_one_account_see_the_same_jobs(studio: Studio, caller: Caller) -> None:
    job = studio.submit(caller)

    assert studio.jobs.get(studio.new_caller("ada"), job.id) == job


def test_snapshots_are_read_for_many_jobs_at_once(studio: Studio, caller: Caller) -> None:
    first, second = studio.submit(caller).id, studio.submit(caller).id
    claimed = studio.claim()
    other = second if claimed.id == first else first

    found = studio.jobs.read_snapshots([first, second, new_id("job")])

    assert set(found) == {first, second}
    assert (found[claimed.id].state, found[claimed.id].fence) == (JobState.RUNNING, 1)
    assert (found[other].state, found[other].stage) == (JobState.QUEUED, "queued")
