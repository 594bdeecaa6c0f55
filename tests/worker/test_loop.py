"""The loop: one job after another, asleep in between, and stopped without losing any."""

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

import pytest

from gen_video.accounts.models import Caller
from gen_video.engines.errors import ModelUnavailableError
from gen_video.generation.execution import WorkerProfile
from gen_video.generation.models import ClaimedJob
from gen_video.generation.states import JobState
from gen_video.queues.slots import Slots
from gen_video.wiring import Services
from gen_video.worker import loop as loop_module
from gen_video.worker.desk import Desk
from tests.generation.fakes import FakeEngine, wait_until
from tests.generation.studio import LAKE, LEASE, Studio, profile
from tests.worker.conftest import Shift, build_loop, shift_of

NEVER_SECONDS = 3600.0


def test_waiting_jobs_are_done_one_after_another_oldest_first(
    studio: Studio, services: Services, engine: FakeEngine, caller: Caller
) -> None:
    submitted = []
    for _ in range(3):
        submitted.append(studio.submit(caller).id)
        studio.database.advance(timedelta(seconds=1))

    with shift_of(studio, services, engine) as shift:
        for job_id in submitted:
            shift.wait_for(caller, job_id, JobState.SUCCEEDED)

    assert [task.task_id for task in engine.tasks] == [f"{job_id}.1" for job_id in submitted]
    assert studio.findings() == []


def test_an_idle_worker_wakes_when_a_job_comes(
    studio: Studio, services: Services, engine: FakeEngine, caller: Caller
) -> None:
    with shift_of(studio, services, engine, idle_seconds=NEVER_SECONDS) as shift:
        for _ in range(2):
            job_id = studio.submit(caller).id

            shift.wait_for(caller, job_id, JobState.SUCCEEDED)


def test_a_wake_up_that_is_lost_costs_no_more_than_the_next_look(
    studio: Studio, services: Services, engine: FakeEngine, caller: Caller
) -> None:
    with shift_of(studio, services, engine, idle_seconds=0.05, is_deaf=True) as shift:
        job_id = studio.submit(caller).id

        shift.wait_for(caller, job_id, JobState.SUCCEEDED)


def test_a_worker_takes_only_jobs_of_models_that_it_offers(
    studio: Studio, services: Services, engine: FakeEngine, caller: Caller
) -> None:
    painted = studio.submit(caller, replace(LAKE, model="paint")).id
    sketched = studio.submit(caller).id

    with shift_of(studio, services, engine, worker=profile(models=["sketch"])) as shift:
        shift.wait_for(caller, sketched, JobState.SUCCEEDED)

    assert studio.jobs.get(caller, painted).state is JobState.QUEUED


def test_a_job_that_fails_does_not_keep_the_worker_from_the_next(
    shift: Shift, caller: Caller
) -> None:
    shift.engine.failure = ModelUnavailableError("sketch", "no weights")
    failed = shift.studio.submit(caller).id
    shift.wait_for(caller, failed, JobState.FAILED)
    shift.engine.failure = None

    job_id = shift.studio.submit(caller).id

    shift.wait_for(caller, job_id, JobState.SUCCEEDED)


def test_a_worker_that_is_stopped_finishes_its_job_and_claims_no_other(
    shift: Shift, caller: Caller
) -> None:
    shift.engine.stalling_at = 0
    running = shift.studio.submit(caller).id
    shift.engine.wait_until_stalled()
    waiting = shift.studio.submit(caller).id
    shift.loop.stop()
    assert not shift.loop.wait_until_idle(0.05)

    shift.engine.resume()

    assert shift.loop.wait_until_idle(30)
    shift.end()
    assert shift.state(caller, running) is JobState.SUCCEEDED
    assert shift.state(caller, waiting) is JobState.QUEUED
    assert shift.engine.cancelled == []


def test_an_idle_worker_stops_at_once(
    studio: Studio, services: Services, engine: FakeEngine
) -> None:
    with shift_of(studio, services, engine, idle_seconds=NEVER_SECONDS) as shift:
        assert shift.loop.wait_until_idle(30)

        shift.end()


def test_a_job_that_takes_too_long_is_given_back(shift: Shift, caller: Caller) -> None:
    shift.engine.stalling_at = 0
    job_id = shift.studio.submit(caller).id
    shift.engine.wait_until_stalled()

    shift.loop.stop()
    shift.loop.give_back()

    shift.end()
    row = shift.studio.row(job_id)
    assert (row.state, row.attempt) == ("queued", 0)
    assert shift.studio.outcomes(job_id) == [(1, "given_back")]
    assert shift.studio.findings() == []


def test_a_worker_with_a_job_in_its_hands_is_not_idle(
    studio: Studio, services: Services, engine: FakeEngine, caller: Caller
) -> None:
    """Who drains at the very moment of a claim must still see that there is a job."""
    studio.submit(caller)
    loop = build_loop(services, engine, desk=Desk(Slots(1)))
    claim, was_idle = studio.execution.claim, []

    def drain_meanwhile(worker: WorkerProfile, *, resident: Collection[str]) -> ClaimedJob | None:
        job = claim(worker, resident=resident)
        loop.stop()
        was_idle.append(loop.wait_until_idle(0))
        return job

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(studio.execution, "claim", drain_meanwhile)
        loop.run()

    assert was_idle == [False]


def test_a_database_that_is_away_is_waited_for(
    studio: Studio,
    services: Services,
    engine: FakeEngine,
    caller: Caller,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop_module, "DATABASE_PAUSE_SECONDS", 0.01)
    job_id = studio.submit(caller).id
    studio.database.is_down = True

    with shift_of(studio, services, engine) as shift:
        wait_until(lambda: studio.database.refusals > 2)
        assert engine.tasks == []
        studio.database.is_down = False

        shift.wait_for(caller, job_id, JobState.SUCCEEDED)


def test_a_job_whose_end_could_not_be_written_is_left_to_the_sweeper(
    shift: Shift, caller: Caller
) -> None:
    studio = shift.studio
    shift.engine.stalling_at = 0
    job_id = studio.submit(caller).id
    shift.engine.wait_until_stalled()
    studio.database.is_down = True
    shift.engine.resume()
    assert shift.loop.wait_until_idle(30)
    studio.database.is_down = False
    assert studio.row(job_id).state == "running"

    studio.database.advance(LEASE + timedelta(seconds=1))
    studio.sweeper.sweep()

    shift.wait_for(caller, job_id, JobState.SUCCEEDED)
    assert studio.jobs.get(caller, job_id).outputs[0].fence == 3
    assert studio.findings() == []


def test_attempts_are_counted_by_their_outcome(shift: Shift, caller: Caller) -> None:
    for failure in (None, None, ModelUnavailableError("sketch", "no weights")):
        shift.engine.failure = failure
        job_id = shift.studio.submit(caller).id
        wait_until(lambda job_id=job_id: shift.state(caller, job_id).is_terminal)  # type: ignore[misc] # bound now
    shift.end()

    text = shift.services.metrics.render()[0].decode()

    labels = 'kind="image",model="sketch",status='
    assert f'gv_jobs_total{{{labels}"succeeded"}} 2.0' in text
    assert f'gv_jobs_total{{{labels}"failed"}} 1.0' in text
