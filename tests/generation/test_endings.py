"""How an attempt ends: finished, failed, given back or canceled, and what each one costs."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gen_video.accounts.models import Caller
from gen_video.engines.errors import (
    EngineCrashedError,
    EngineFailedError,
    EngineHungError,
    EngineOutOfMemoryError,
    ModelUnavailableError,
)
from gen_video.errors import ServiceError
from gen_video.generation.backoff import MAX_BACKOFF_SECONDS, backoff
from gen_video.generation.errors import LeaseLostError
from gen_video.generation.states import JobState
from gen_video.quotas.models import KindQuota
from tests.db.clocked import START, on_sqlite_only
from tests.generation.studio import (
    LAKE,
    LEASE,
    MODELS,
    NOTHING_MENDED,
    RETENTION,
    Studio,
    open_studio,
    profile,
)

FAILED = EngineFailedError("no luck")
CRASHES = (EngineCrashedError("SIGSEGV"), EngineOutOfMemoryError(), EngineHungError(180.0))
PAUSE = timedelta(minutes=2)


def test_a_finished_job_has_its_file_its_charge_and_a_free_slot(
    studio: Studio, caller: Caller
) -> None:
    job_id = studio.submit(caller).id
    claimed = studio.claim()
    studio.database.advance(timedelta(seconds=4))

    names = studio.finish(claimed)

    job = studio.jobs.get(caller, job_id)
    assert names == (f"images/{job_id}.png",)
    assert [(output.public_name, output.fence, output.state) for output in job.outputs] == [
        (names[0], claimed.fence, "live")
    ]
    assert (job.state, job.units_delivered, job.error) == (JobState.SUCCEEDED, 1, None)
    assert job.finished_at == START + timedelta(seconds=4)
    assert job.expires_at == job.finished_at + RETENTION
    assert (job.elapsed_seconds, job.progress.percent) == (4.0, 100.0)
    assert studio.window(caller) == KindQuota(limit=10, used=1, reserved=0)
    assert studio.in_flight(caller) == 0
    assert studio.outcomes(job_id) == [(1, "succeeded")]
    assert studio.findings() == []


def test_what_was_delivered_is_charged_and_the_rest_is_given_back(
    studio: Studio, caller: Caller
) -> None:
    job_id = studio.submit(caller, replace(LAKE, n=4)).id
    assert studio.window(caller).reserved == 4

    names = studio.finish(studio.claim(), delivered=3)

    job = studio.jobs.get(caller, job_id)
    assert names == tuple(f"images/{job_id}_{number}.png" for number in (1, 2, 3))
    assert [output.public_name for output in job.outputs] == list(names)
    assert [output.seed for output in job.outputs] == [7, 8, 9]
    assert (job.units, job.units_delivered) == (4, 3)
    assert job.quota_remaining == {"images": 7, "videos": 2}
    assert studio.window(caller) == KindQuota(limit=10, used=3, reserved=0)
    assert studio.findings() == []


def test_the_limit_of_a_key_is_charged_with_the_account(studio: Studio) -> None:
    limited = studio.new_caller(images_per_day=3)
    studio.finished_job(limited, replace(LAKE, n=2))

    windows = studio.database.read(studio.quotas.list_windows)
    used = {owner: (quota.used, quota.reserved) for (owner, _, _), quota in windows.items()}
    assert used == {limited.account_id: (2, 0), limited.key_id: (2, 0)}
    assert studio.findings() == []


@on_sqlite_only
def test_files_are_kept_for_ever_where_the_operator_says_so(studio: Studio) -> None:
    keeping = open_studio(studio.database, studio.objects, retention=None)

    job = keeping.finished_job(keeping.new_caller())

    assert job.expires_at is None
    assert job.outputs[0].expires_at is None


@on_sqlite_only
def test_a_job_that_crosses_midnight_is_charged_to_the_day_it_was_accepted(
    studio: Studio, caller: Caller
) -> None:
    studio.submit(caller, replace(LAKE, n=2))
    claimed = studio.claim()
    studio.database.advance(timedelta(hours=6))

    studio.finish(claimed)

    assert studio.window(caller) == KindQuota(limit=10, used=2, reserved=0)
    assert studio.findings() == []


def test_a_job_that_was_canceled_meanwhile_does_not_succeed_and_costs_nothing(
    studio: Studio, caller: Caller
) -> None:
    job_id = studio.submit(caller).id
    claimed = studio.claim()
    studio.jobs.cancel(caller, job_id)

    with pytest.raises(LeaseLostError):
        studio.finish(claimed)

    job = studio.jobs.get(caller, job_id)
    assert (job.state, job.units_delivered, job.outputs) == (JobState.CANCELED, 0, ())
    assert studio.window(caller) == KindQuota(limit=10, used=0, reserved=0)
    assert studio.in_flight(caller) == 0
    assert studio.findings() == []


def test_a_failure_that_may_pass_is_tried_again_later_under_the_same_hold(
    studio: Studio, caller: Caller
) -> None:
    job_id = studio.submit(caller, replace(LAKE, n=2)).id

    state = studio.execution.fail(studio.claim(), FAILED)

    row = studio.row(job_id)
    assert (state, row.state, row.attempt, row.fence) == (JobState.QUEUED, "queued", 1, 2)
    assert START < row.not_before <= START + timedelta(seconds=1)
    assert studio.window(caller) == KindQuota(limit=10, used=0, reserved=2)
    assert studio.in_flight(caller) == 1
    assert studio.outcomes(job_id) == [(1, "generation_failed")]
    assert studio.findings() == []


def test_the_last_attempt_that_fails_ends_the_job_and_gives_everything_back(
    studio: Studio, caller: Caller
) -> None:
    job_id = studio.submit(caller, replace(LAKE, n=2)).id

    states = []
    for _ in range(3):
        states.append(studio.execution.fail(studio.claim(), FAILED))
        studio.database.advance(PAUSE)

    job = studio.jobs.get(caller, job_id)
    assert states == [JobState.QUEUED, JobState.QUEUED, JobState.FAILED]
    assert job.error is not None
    assert (job.error.code, job.units_delivered) == ("generation_failed", 0)
    assert "no luck" in job.error.en
    assert job.error.zh != job.error.en
    assert studio.window(caller) == KindQuota(limit=10, used=0, reserved=0)
    assert studio.in_flight(caller) == 0
    assert studio.findings() == []


def test_a_failure_that_cannot_pass_ends_the_job_at_once(studio: Studio, caller: Caller) -> None:
    job_id = studio.submit(caller).id

    state = studio.execution.fail(studio.claim(), ModelUnavailableError("sketch", "no weights"))

    job = studio.jobs.get(caller, job_id)
    assert state is job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.code == "model_unavailable"
    assert studio.execution.claim(profile("worker", MODELS)) is None
    assert studio.findings() == []


@pytest.mark.parametrize("crash", CRASHES, ids=lambda crash: crash.code)
def test_a_job_that_kills_its_engine_three_times_is_poison(
    studio: Studio, caller: Caller, crash: ServiceError
) -> None:
    """Even where the operator allows more attempts."""
    patient = open_studio(studio.database, studio.objects, attempts=10)
    job_id = studio.submit(caller).id

    states = []
    for _ in range(3):
        states.append(patient.execution.fail(patient.claim(), crash))
        studio.database.advance(PAUSE)

    job = studio.jobs.get(caller, job_id)
    assert states == [JobState.QUEUED, JobState.QUEUED, JobState.FAILED]
    assert job.error is not None
    assert job.error.code == "poison"
    assert studio.row(job_id).crash_count == 3
    assert studio.window(caller) == KindQuota(limit=10, used=0, reserved=0)
    assert studio.findings() == []


@on_sqlite_only
def test_failures_that_kill_nobody_make_no_job_poison(studio: Studio, caller: Caller) -> None:
    patient = open_studio(studio.database, studio.objects, attempts=10)
    job_id = studio.submit(caller).id

    for _ in range(5):
        assert patient.execution.fail(patient.claim(), FAILED) is JobState.QUEUED
        studio.database.advance(PAUSE)

    assert studio.row(job_id).crash_count == 0


def test_a_job_that_is_given_back_is_free_at_once_and_has_lost_no_attempt(
    studio: Studio, caller: Caller
) -> None:
    job_id = studio.submit(caller).id

    assert studio.execution.give_back(studio.claim("stopping"))

    assert studio.outcomes(job_id) == [(1, "given_back")]
    assert studio.window(caller).reserved == studio.in_flight(caller) == 1
    again = studio.claim("other")
    assert (again.id, again.attempt, again.fence) == (job_id, 1, 3)
    assert studio.findings() == []


@on_sqlite_only
def test_a_job_that_succeeds_after_a_failure_shows_no_error(studio: Studio, caller: Caller) -> None:
    job_id = studio.submit(caller).id
    studio.execution.fail(studio.claim(), FAILED)
    assert studio.jobs.get(caller, job_id).error is None
    studio.database.advance(PAUSE)

    claimed = studio.claim()
    assert studio.jobs.get(caller, job_id).error is None, "its second attempt may well succeed"
    studio.finish(claimed)

    assert studio.jobs.get(caller, job_id).error is None


@pytest.mark.parametrize("way", ["fails", "is given back"])
def test_a_job_that_goes_back_after_its_owner_canceled_is_canceled(
    studio: Studio, caller: Caller, way: str
) -> None:
    """The cancel was acknowledged; in the queue nobody would claim, cancel or end the job."""
    job_id = studio.submit(caller).id
    claimed = studio.claim()
    studio.jobs.cancel(caller, job_id)

    if way == "fails":
        studio.execution.fail(claimed, FAILED)
    else:
        studio.execution.give_back(claimed)

    assert studio.jobs.get(caller, job_id).state is JobState.CANCELED
    assert studio.window(caller) == KindQuota(limit=10, used=0, reserved=0)
    assert studio.findings() == []


@pytest.mark.parametrize("attempt", range(1, 12))
def test_the_pause_before_the_next_attempt_doubles_up_to_a_minute(attempt: int) -> None:
    longest = min(MAX_BACKOFF_SECONDS, 2.0 ** (attempt - 1))

    pauses = [backoff(attempt).total_seconds() for _ in range(50)]

    assert all(longest / 2 <= pause <= longest for pause in pauses)
    assert len(set(pauses)) > 1, "jobs that failed together must not come back together"


@on_sqlite_only
def test_an_attempt_within_its_lease_is_nobody_elses(studio: Studio, caller: Caller) -> None:
    studio.submit(caller)
    studio.claim()
    studio.database.advance(LEASE)

    assert studio.sweeper.sweep() == NOTHING_MENDED
    assert studio.execution.claim(profile("other", MODELS)) is None
