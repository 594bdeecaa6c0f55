"""Estimates: a job's place in the queue, honest seconds, and the figures of the whole queue."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gen_video.accounts.models import Caller
from gen_video.engines.errors import EngineFailedError
from gen_video.generation import estimates
from gen_video.generation.estimates import WORKER_SILENT_AFTER
from gen_video.generation.models import JobProgress, QueueFigures
from tests.db.clocked import on_sqlite_only
from tests.generation.cinema import SCREEN, WAVES
from tests.generation.studio import LAKE, MODELS, Studio, open_studio

SECOND = timedelta(seconds=1)


def finish_within(studio: Studio, caller: Caller, seconds: float) -> None:
    """Do a job that takes this long."""
    studio.submit(caller)
    claimed = studio.claim()
    studio.database.advance(seconds * SECOND)
    studio.finish(claimed)


def see_worker(studio: Studio, worker_id: str, *resident: str) -> None:
    studio.execution.see_worker(
        worker_id=worker_id,
        host="host",
        pid=1,
        models=MODELS,
        resident=resident,
        state="running",
    )


def figures(studio: Studio) -> QueueFigures:
    return studio.database.read(
        lambda connection: estimates.read_figures(connection, now=studio.database.moment)
    )


def test_the_place_in_the_queue_counts_who_is_claimed_before(
    studio: Studio, caller: Caller
) -> None:
    mine = [studio.submit(caller).id for _ in range(3)]
    studio.database.advance(SECOND)
    late = studio.submit(caller).id
    paid = studio.submit(studio.new_caller("bob", plan_id="paid")).id
    callers = {paid: studio.new_caller("bob")}

    order = [paid, *sorted(mine), late]
    positions = [
        studio.jobs.get(callers.get(job_id, caller), job_id).progress.queue_position
        for job_id in order
    ]

    assert positions == [1, 2, 3, 4, 5]
    assert [studio.claim().id for _ in order] == order


@on_sqlite_only
def test_who_starts_or_leaves_makes_place(studio: Studio, caller: Caller) -> None:
    studio.submit(caller)
    studio.database.advance(SECOND)
    second = studio.submit(caller).id
    studio.database.advance(SECOND)
    third = studio.submit(caller).id

    studio.claim()
    studio.jobs.cancel(caller, second)

    assert studio.jobs.get(caller, third).progress.queue_position == 1


@on_sqlite_only
def test_pictures_and_videos_do_not_wait_for_each_other(studio: Studio, caller: Caller) -> None:
    cinema = open_studio(studio.database, studio.objects, catalogue=SCREEN)
    queued = [cinema.submit(caller, request).id for request in (WAVES, LAKE, WAVES, LAKE)]

    positions = [cinema.jobs.get(caller, job_id).progress.queue_position for job_id in queued]

    assert sorted(positions[0::2]) == sorted(positions[1::2]) == [1, 2]  # type: ignore[type-var] # queued


def test_before_anything_was_measured_there_is_no_estimate(studio: Studio, caller: Caller) -> None:
    assert studio.submit(caller).progress.eta_seconds is None


def test_the_wait_is_estimated_from_the_median_of_recent_jobs_and_the_workers(
    studio: Studio, caller: Caller
) -> None:
    for seconds in (2.0, 60.0, 4.0):
        finish_within(studio, caller, seconds)
    jobs = []
    for _ in range(4):
        jobs.append(studio.submit(caller).id)
        studio.database.advance(SECOND)

    def etas() -> list[float | None]:
        return [studio.jobs.get(caller, job_id).progress.eta_seconds for job_id in jobs]

    assert etas() == [4.0, 8.0, 12.0, 16.0]
    see_worker(studio, "one")
    see_worker(studio, "two")
    assert etas() == [4.0, 4.0, 8.0, 8.0]


@on_sqlite_only
def test_only_the_last_jobs_of_the_same_model_are_measured(studio: Studio) -> None:
    plan = replace(studio.accounts.get_plan("free"), images_per_day=1000)
    caller = studio.new_caller_with(plan)
    for seconds in (*[50.0] * SAMPLE_JOBS, *[3.0] * SAMPLE_JOBS):
        finish_within(studio, caller, seconds)

    assert studio.submit(caller).progress.eta_seconds == 3.0
    assert studio.submit(caller, replace(LAKE, model="paint")).progress.eta_seconds is None


def test_a_running_job_is_measured_by_its_own_steps(studio: Studio, caller: Caller) -> None:
    job_id = studio.submit(caller, replace(LAKE, num_inference_steps=10)).id
    claimed = studio.claim()
    assert studio.jobs.get(caller, job_id).progress.eta_seconds is None
    studio.execution.renew(claimed, progress=JobProgress(stage="denoising", step=4, steps=10))
    studio.database.advance(8 * SECOND)

    progress = studio.jobs.get(caller, job_id).progress

    assert (progress.stage, progress.percent, progress.queue_position) == ("denoising", 40.0, None)
    assert progress.eta_seconds == 12.0


@on_sqlite_only
def test_a_second_attempt_is_measured_by_its_own_time(studio: Studio, caller: Caller) -> None:
    job_id = studio.submit(caller, replace(LAKE, num_inference_steps=10)).id
    first = studio.claim()
    studio.database.advance(100 * SECOND)
    studio.execution.fail(first, EngineFailedError("no luck"))
    studio.database.advance(100 * SECOND)
    studio.execution.renew(
        studio.claim(), progress=JobProgress(stage="denoising", step=5, steps=10)
    )
    studio.database.advance(5 * SECOND)

    assert studio.jobs.get(caller, job_id).progress.eta_seconds == 5.0


def test_figures_tell_what_waits_what_runs_and_how_long_it_takes(
    studio: Studio, caller: Caller
) -> None:
    finish_within(studio, caller, 4.0)
    for _ in range(4):
        studio.submit(caller)
        studio.database.advance(SECOND)
    studio.claim()
    see_worker(studio, "one", "sketch")
    see_worker(studio, "two", "sketch", "paint")

    assert figures(studio) == QueueFigures(
        queued={"image": 3},
        running={"image": 1},
        time_to_drain_seconds=6.0,
        workers=2,
        resident_models=("paint", "sketch"),
        oldest_queued_seconds=3.0,
    )


def test_an_empty_queue_has_empty_figures(studio: Studio) -> None:
    assert figures(studio) == QueueFigures(
        queued={},
        running={},
        time_to_drain_seconds=0.0,
        workers=0,
        resident_models=(),
        oldest_queued_seconds=0.0,
    )


@pytest.mark.parametrize("later", [timedelta(0), timedelta(microseconds=1)])
def test_a_worker_counts_for_half_a_minute_after_its_last_sign_of_life(
    studio: Studio, later: timedelta
) -> None:
    see_worker(studio, "one", "sketch")

    studio.database.advance(WORKER_SILENT_AFTER + later)

    assert figures(studio).workers == (0 if later else 1)
