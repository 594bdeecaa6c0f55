"""Stopping a running job: canceled, past its deadline, taken away, drained, cut off."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from gen_video.accounts.models import Caller
from gen_video.db.database import DatabaseUnavailableError
from gen_video.generation.models import Job
from gen_video.generation.runner import JobRunner, RunReport
from gen_video.generation.states import JobState
from gen_video.quotas.models import KindQuota
from gen_video.storage.memory import MemoryObjectStore
from gen_video.storage.objects import StorageUnavailableError
from tests.db.clocked import on_sqlite_only
from tests.generation.fakes import PATIENCE_SECONDS, FakeEngine, wait_until
from tests.generation.studio import LAKE, Studio, open_studio

NOTHING = KindQuota(limit=10, used=0, reserved=0)


@dataclass(frozen=True)
class Running:
    """A job of three pictures whose engine waits before the second."""

    studio: Studio
    engine: FakeEngine
    runner: JobRunner
    job: Job
    report: Future[RunReport]

    def result(self) -> RunReport:
        """Wait for the end of the run."""
        return self.report.result(timeout=PATIENCE_SECONDS)


@contextmanager
def running_job(studio: Studio, caller: Caller, *, lease: float = 60.0) -> Iterator[Running]:
    """Run a job on a thread until its engine waits."""
    studio = open_studio(studio.database, studio.objects, lease=timedelta(seconds=lease))
    engine = FakeEngine()
    engine.stalling_at = 1
    runner = JobRunner(
        execution=studio.execution, engine=engine, objects=studio.objects, version="9.9"
    )
    job = studio.submit(caller, replace(LAKE, n=3))
    with ThreadPoolExecutor(1) as threads:
        report = threads.submit(runner.run, studio.claim())
        engine.wait_until_stalled()
        try:
            yield Running(studio, engine, runner, job, report)
        finally:
            studio.database.is_down = False
            engine.resume()


@pytest.fixture
def running(studio: Studio, caller: Caller) -> Iterator[Running]:
    with running_job(studio, caller) as running:
        yield running


def test_progress_and_a_cancel_travel_while_the_engine_works(
    running: Running, caller: Caller
) -> None:
    studio, job_id = running.studio, running.job.id
    wait_until(lambda: studio.jobs.get(caller, job_id).progress.step == 4)
    assert studio.jobs.get(caller, job_id).progress.percent == 33.3
    assert len(studio.list_files()) == 1

    studio.jobs.cancel(caller, job_id)

    assert running.result().outcome == "canceled"
    assert running.engine.cancelled == [f"{job_id}.1"]
    assert studio.jobs.get(caller, job_id).state is JobState.CANCELED
    assert studio.list_files() == []
    assert studio.window(caller) == NOTHING
    assert studio.findings() == []


def test_a_job_that_finishes_in_spite_of_its_cancel_is_not_delivered_and_not_charged(
    running: Running, caller: Caller
) -> None:
    running.engine.is_obedient = False
    running.studio.jobs.cancel(caller, running.job.id)
    running.engine.wait_until_cancelled()
    running.engine.resume()

    running.result()

    job = running.studio.jobs.get(caller, running.job.id)
    assert (job.state, job.outputs) == (JobState.CANCELED, ())
    assert running.studio.list_files() == []
    assert running.studio.window(caller) == NOTHING
    assert running.studio.findings() == []


@on_sqlite_only
def test_the_report_of_a_job_that_was_canceled_at_its_very_end_says_so(
    running: Running, caller: Caller
) -> None:
    running.engine.is_obedient = False
    running.studio.jobs.cancel(caller, running.job.id)
    running.engine.resume()

    assert running.result().outcome == "canceled"


@on_sqlite_only
def test_a_job_past_its_deadline_is_stopped_and_costs_nothing(
    running: Running, caller: Caller
) -> None:
    """Also what it has drawn by then: a missed deadline gives the units back."""
    running.studio.database.moment = running.job.deadline_at + timedelta(seconds=1)

    running.result()

    job = running.studio.jobs.get(caller, running.job.id)
    assert running.engine.cancelled == [f"{running.job.id}.1"]
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.code == "deadline_exceeded"
    assert running.studio.list_files() == []
    assert running.studio.window(caller) == NOTHING
    assert running.studio.findings() == []


def test_a_run_whose_lease_was_taken_away_stops_its_engine_and_throws_its_files_away(
    running: Running, caller: Caller
) -> None:
    studio = running.studio
    assert len(studio.list_files()) == 1
    studio.sweeper._recover(studio.row(running.job.id))

    report = running.result()

    assert report.outcome == "lease_lost"
    assert running.engine.cancelled == [f"{running.job.id}.1"]
    assert studio.list_files() == []
    assert studio.jobs.get(caller, running.job.id).state is JobState.QUEUED
    assert studio.window(caller).reserved == 3
    assert studio.findings() == []


@on_sqlite_only
def test_a_run_that_learns_of_its_lost_lease_at_the_end_delivers_nothing(
    running: Running, caller: Caller
) -> None:
    running.engine.is_obedient = False
    running.studio.sweeper._recover(running.studio.row(running.job.id))
    heir = running.studio.claim("heir")
    running.engine.resume()

    assert running.result().outcome == "lease_lost"

    assert running.studio.list_files() == []
    running.studio.finish(heir)
    outputs = running.studio.jobs.get(caller, running.job.id).outputs
    assert {output.fence for output in outputs} == {heir.fence}
    assert running.studio.findings() == []


def test_a_drained_job_goes_back_to_the_queue_without_its_files(
    running: Running, caller: Caller
) -> None:
    running.runner.stop_for_drain()

    assert running.result().outcome == "given_back"

    row = running.studio.row(running.job.id)
    assert (row.state, row.attempt) == ("queued", 0)
    assert running.studio.list_files() == []
    assert running.studio.window(caller).reserved == 3
    assert running.studio.findings() == []


@on_sqlite_only
def test_a_job_that_is_done_by_the_time_it_is_drained_is_delivered(
    running: Running, caller: Caller
) -> None:
    running.engine.is_obedient = False
    running.runner.stop_for_drain()
    running.engine.resume()

    assert running.result().outcome == "succeeded"

    assert running.studio.window(caller) == KindQuota(limit=10, used=3, reserved=0)


@on_sqlite_only
def test_draining_a_runner_without_a_job_does_nothing(running: Running) -> None:
    running.engine.resume()
    assert running.result().outcome == "succeeded"

    running.runner.stop_for_drain()

    assert running.engine.cancelled == []


@on_sqlite_only
def test_a_worker_that_cannot_renew_for_half_a_lease_stops_its_engine(
    studio: Studio, caller: Caller
) -> None:
    """By the end of the lease somebody else may run the job."""
    with running_job(studio, caller, lease=1.0) as running:
        studio.database.is_down = True

        report = running.result()

        studio.database.is_down = False
        assert report.outcome == "lease_lost"
        assert running.engine.cancelled == [f"{running.job.id}.1"]
        assert studio.row(running.job.id).state == "running", "the sweeper will take it"
        assert studio.list_files() == []


@on_sqlite_only
def test_a_database_that_is_away_for_a_moment_costs_nothing(
    running: Running, caller: Caller
) -> None:
    running.studio.database.is_down = True
    wait_until(lambda: running.studio.database.refusals > 0)
    running.studio.database.is_down = False
    running.engine.resume()

    assert running.result().outcome == "succeeded"

    assert running.engine.cancelled == []
    assert running.studio.findings() == []


@on_sqlite_only
def test_files_are_kept_when_it_is_unknown_whether_the_job_has_succeeded(
    running: Running, caller: Caller
) -> None:
    running.studio.database.is_losing_answers = True
    running.engine.resume()

    with pytest.raises(DatabaseUnavailableError):
        running.result()

    running.studio.database.is_losing_answers = False
    assert running.studio.jobs.get(caller, running.job.id).state is JobState.SUCCEEDED
    assert running.studio.sweeper.sweep().published == 3
    assert running.studio.findings() == []


@on_sqlite_only
def test_a_store_that_cannot_even_delete_does_not_keep_a_job_open(
    running: Running, objects: MemoryObjectStore
) -> None:
    """The file that stays belongs to nobody; the sweeper removes it later."""
    objects.failure = StorageUnavailableError("unplugged")
    running.runner.stop_for_drain()

    assert running.result().outcome == "given_back"

    objects.failure = None
    assert running.studio.row(running.job.id).state == "queued"
    assert len(running.studio.list_files()) == 1
