"""The sweeper and jobs: what vanished workers and passed deadlines leave is mended, once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from gen_video.accounts.models import Caller
from gen_video.generation import sweeper as sweeper_module
from gen_video.generation.states import JobState
from gen_video.generation.submission import IDEMPOTENCY_HOURS
from gen_video.generation.sweeper import LOST_WORKERS_LIMIT, SweepReport
from gen_video.quotas.models import KindQuota
from gen_video.storage.memory import MemoryObjectStore
from tests.db.clocked import START, on_sqlite_only
from tests.generation.conftest import OpenDatabase
from tests.generation.studio import (
    DEADLINE,
    LAKE,
    LEASE,
    MODELS,
    NOTHING_MENDED,
    Studio,
    open_studio,
    profile,
)

SECOND = timedelta(seconds=1)


def lose_worker(studio: Studio) -> None:
    """Claim the next job and let its lease run out."""
    studio.claim("lost")
    studio.database.advance(LEASE + SECOND)


def test_a_job_whose_worker_vanished_goes_back_to_the_queue_under_a_new_fence(
    studio: Studio, caller: Caller
) -> None:
    job_id = studio.submit(caller).id
    lose_worker(studio)

    report = studio.sweeper.sweep()

    row = studio.row(job_id)
    assert report == replace(NOTHING_MENDED, requeued=1)
    assert (row.state, row.fence, row.lost_count, row.attempt) == ("queued", 2, 1, 0)
    assert row.not_before == studio.database.moment, "it is claimed at once"
    assert studio.outcomes(job_id) == [(1, "lost")]
    assert studio.window(caller).reserved == studio.in_flight(caller) == 1
    assert studio.claim("heir").id == job_id
    assert studio.findings() == []


def test_a_vanished_worker_costs_no_attempt_and_is_no_crash(studio: Studio, caller: Caller) -> None:
    studio.submit(caller)
    for _ in range(3):
        lose_worker(studio)
        studio.sweeper.sweep()

    heir = studio.claim()

    assert (heir.attempt, heir.crash_count) == (1, 0)


def test_a_job_that_was_canceled_when_its_worker_vanished_is_canceled(
    studio: Studio, caller: Caller
) -> None:
    job_id = studio.submit(caller).id
    studio.claim("lost")
    studio.jobs.cancel(caller, job_id)
    studio.database.advance(LEASE + SECOND)

    report = studio.sweeper.sweep()

    assert report == replace(NOTHING_MENDED, canceled=1)
    assert studio.jobs.get(caller, job_id).state is JobState.CANCELED
    assert studio.window(caller) == KindQuota(limit=10, used=0, reserved=0)
    assert studio.findings() == []


def test_a_job_that_lost_eight_workers_is_poison(studio: Studio, caller: Caller) -> None:
    job_id = studio.submit(caller, replace(LAKE, n=2)).id

    reports = []
    for _ in range(LOST_WORKERS_LIMIT):
        lose_worker(studio)
        reports.append(studio.sweeper.sweep())

    job = studio.jobs.get(caller, job_id)
    assert LOST_WORKERS_LIMIT == 8
    assert reports == [replace(NOTHING_MENDED, requeued=1)] * 7 + [
        replace(NOTHING_MENDED, given_up=1)
    ]
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.code == "poison"
    assert "8" in job.error.en
    assert studio.window(caller) == KindQuota(limit=10, used=0, reserved=0)
    assert studio.in_flight(caller) == 0
    assert studio.findings() == []


def test_a_job_that_did_not_start_before_its_deadline_expires_and_costs_nothing(
    studio: Studio, caller: Caller
) -> None:
    job_id = studio.submit(caller, replace(LAKE, n=2)).id
    studio.database.advance(DEADLINE)
    assert studio.sweeper.sweep() == NOTHING_MENDED

    studio.database.advance(SECOND)
    report = studio.sweeper.sweep()

    job = studio.jobs.get(caller, job_id)
    assert report == replace(NOTHING_MENDED, expired_jobs=1)
    assert (job.state, job.units_delivered) == (JobState.EXPIRED, 0)
    assert job.error is not None
    assert job.error.code == "deadline_exceeded"
    assert studio.window(caller) == KindQuota(limit=10, used=0, reserved=0)
    assert studio.in_flight(caller) == 0
    assert studio.execution.claim(profile("worker", MODELS)) is None
    assert studio.findings() == []


def test_a_lost_job_past_its_deadline_expires_in_the_same_sweep(
    studio: Studio, caller: Caller
) -> None:
    job_id = studio.submit(caller, cancel_after=30 * SECOND).id
    lose_worker(studio)

    report = studio.sweeper.sweep()

    assert report == replace(NOTHING_MENDED, requeued=1, expired_jobs=1)
    assert studio.jobs.get(caller, job_id).state is JobState.EXPIRED
    assert studio.findings() == []


def test_a_job_canceled_while_it_is_swept_does_not_get_stuck(
    studio: Studio, caller: Caller
) -> None:
    """The sweeper has read the row when the owner cancels; the job must still end."""
    job_id = studio.submit(caller).id
    lose_worker(studio)
    seen = studio.row(job_id)
    studio.jobs.cancel(caller, job_id)

    studio.sweeper._recover(seen)
    studio.sweeper.sweep()

    assert studio.jobs.get(caller, job_id).state is JobState.CANCELED
    assert studio.findings() == []


def test_a_job_that_ended_while_it_is_swept_is_left_alone(studio: Studio, caller: Caller) -> None:
    job_id = studio.submit(caller).id
    claimed = studio.claim()
    studio.database.advance(LEASE + SECOND)
    seen = studio.row(job_id)
    studio.finish(claimed)
    before = studio.row(job_id)

    assert studio.sweeper._recover(seen) is None
    assert not studio.sweeper._expire_job(job_id)

    assert studio.row(job_id) == before
    assert studio.findings() == []


def test_sweepers_that_run_at_once_mend_everything_once(
    studio: Studio, caller: Caller, open_database: OpenDatabase, objects: MemoryObjectStore
) -> None:
    for _ in range(4):
        studio.submit(caller, cancel_after=30 * SECOND)
    lost = {studio.submit(studio.new_caller("bob")).id for _ in range(4)}
    for _ in range(8):
        studio.claim("lost")
    studio.database.advance(LEASE + SECOND)
    other = open_studio(open_database(), objects)
    other.database.moment = studio.database.moment
    start = threading.Barrier(4)

    def sweep(sweeping: Studio) -> SweepReport:
        start.wait(timeout=30)
        return sweeping.sweeper.sweep()

    with ThreadPoolExecutor(4) as threads:
        reports = list(threads.map(sweep, [studio, other, studio, other]))

    assert sum(report.requeued for report in reports) == 8
    assert sum(report.expired_jobs for report in reports) == 4
    assert {studio.row(job_id).lost_count for job_id in lost} == {1}
    assert {studio.row(job_id).fence for job_id in lost} == {2}
    assert studio.window(caller) == KindQuota(limit=10, used=0, reserved=0)
    assert studio.findings() == []


@on_sqlite_only
@pytest.mark.parametrize(("batches", "expected"), [(20, [5, 0]), (2, [4, 1, 0]), (1, [2, 2, 1, 0])])
def test_one_sweep_mends_all_lost_jobs_within_bounds(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, batches: int, expected: list[int]
) -> None:
    monkeypatch.setattr(sweeper_module, "BATCH", 2)
    monkeypatch.setattr(sweeper_module, "LOST_BATCHES", batches)
    caller = studio.new_caller("bob", plan_id="paid")
    for _ in range(5):
        studio.submit(caller)
    for _ in range(5):
        studio.claim("lost")
    studio.database.advance(LEASE + SECOND)

    requeued = [studio.sweeper.sweep().requeued for _ in expected]

    assert requeued == expected


def test_idempotency_keys_and_silent_workers_are_forgotten_in_time(
    studio: Studio, caller: Caller
) -> None:
    studio.submit(caller, key="order-1")
    studio.execution.see_worker(profile("old"), host="host", pid=1, resident=[], state="running")
    studio.database.moment = START + sweeper_module.WORKER_FORGOTTEN_AFTER
    studio.sweeper.sweep()
    assert studio.count_rows()["workers"] == 1

    studio.database.moment = START + timedelta(hours=IDEMPOTENCY_HOURS) - SECOND
    studio.sweeper.sweep()
    assert (studio.count_rows()["workers"], studio.count_rows()["idempotency"]) == (0, 1)

    studio.database.advance(SECOND)
    studio.sweeper.sweep()
    assert studio.count_rows()["idempotency"] == 0
    assert studio.findings() == []
