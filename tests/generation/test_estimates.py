"""Estimates: a job's place in the queue, honest seconds, and the figures of the whole queue."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gen_video.accounts.models import Caller
from gen_video.engines.errors import EngineFailedError
from gen_video.generation import estimates
from gen_video.generation.estimates import WORKER_SILENT_AFTER
from gen_video.generation.execution import WorkerProfile
from gen_video.generation.models import JobProgress, PoolFigures, QueueFigures
from gen_video.generation.requests import ImageRequest
from tests.db.clocked import on_sqlite_only
from tests.generation.cinema import SCREEN, WAVES
from tests.generation.studio import LAKE, Studio, open_studio, profile

SECOND = timedelta(seconds=1)


def measure(studio: Studio, caller: Caller, seconds: float, request: ImageRequest = LAKE) -> None:
    """Do a job that takes this long, and let every process know of it."""
    studio.submit(caller, request)
    claimed = studio.claim()
    studio.database.advance(seconds * SECOND)
    studio.finish(claimed)
    studio.execution.note_speed(claimed, seconds=seconds, is_warm=True)
    see_worker(studio, "measured")
    studio.execution.forget_worker("measured")


def see_worker(
    studio: Studio, worker_id: str, *resident: str, worker: WorkerProfile | None = None
) -> None:
    studio.execution.see_worker(
        worker or profile(worker_id), host="host", pid=1, resident=resident, state="running"
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
    bob = studio.new_caller("bob")
    his = [studio.submit(bob).id for _ in range(2)]
    callers = dict.fromkeys(mine, caller) | dict.fromkeys(his, bob)

    positions = {
        job_id: studio.jobs.get(owner, job_id).progress.queue_position
        for job_id, owner in callers.items()
    }

    claimed = [studio.claim().id for _ in callers]
    assert sorted(positions.values()) == [1, 2, 3, 4, 5]  # type: ignore[type-var] # queued
    assert claimed == sorted(positions, key=lambda job_id: positions[job_id] or 0)
    assert {claimed[0], claimed[1]} == {mine[0], his[0]}, "who comes later is as near"


def test_a_job_that_waits_for_a_place_counts_its_own_accounts_jobs_before_it(
    studio: Studio, caller: Caller
) -> None:
    mine = []
    for _ in range(6):
        mine.append(studio.submit(caller).id)
        studio.database.advance(SECOND)
    assert [studio.row(job_id).start_tag is None for job_id in mine] == [False] * 4 + [True] * 2

    positions = [studio.jobs.get(caller, job_id).progress.queue_position for job_id in mine]

    assert positions == [1, 2, 3, 4, 5, 6]


def test_a_waiting_job_counts_a_strangers_jobs_that_go_before_it(
    studio: Studio, caller: Caller
) -> None:
    mine = [studio.submit(caller).id for _ in range(4)]
    studio.database.advance(SECOND)
    last = studio.submit(caller).id
    bob = studio.new_caller("bob")
    his = [studio.submit(bob).id for _ in range(4)]

    position = studio.jobs.get(caller, last).progress.queue_position

    claimed = []
    for _ in range(9):
        job = studio.claim()
        claimed.append(job.id)
        studio.finish(job)
    assert set(claimed) == {*mine, last, *his}
    assert position == 9
    assert claimed.index(last) + 1 in {8, 9}, "its account pays with its time for what it had"


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


def test_the_wait_is_the_predicted_time_of_what_is_before_over_the_workers(
    studio: Studio, caller: Caller
) -> None:
    measure(studio, caller, 4.0)
    jobs = []
    for _ in range(5):
        jobs.append(studio.submit(caller).id)
        studio.database.advance(SECOND)

    def etas() -> list[float | None]:
        return [studio.jobs.get(caller, job_id).progress.eta_seconds for job_id in jobs]

    assert etas() == [4.0, 8.0, 12.0, 16.0, 20.0]
    see_worker(studio, "one")
    see_worker(studio, "two")
    assert etas() == [4.0, 6.0, 8.0, 10.0, 12.0]


@on_sqlite_only
def test_only_workers_of_the_jobs_queue_are_counted(studio: Studio, caller: Caller) -> None:
    measure(studio, caller, 4.0)
    jobs = [studio.submit(caller).id for _ in range(3)]
    see_worker(studio, "films", worker=profile("films", queues=["default.video"]))
    see_worker(studio, "pair", worker=replace(profile("pair", queues=["default.image"]), slots=2))

    etas = [studio.jobs.get(caller, job_id).progress.eta_seconds for job_id in jobs]

    assert etas == [4.0, 6.0, 8.0]


@on_sqlite_only
def test_a_bigger_picture_is_expected_to_take_longer(studio: Studio, caller: Caller) -> None:
    measure(studio, caller, 4.0)

    twice = studio.submit(caller, replace(LAKE, num_inference_steps=8))
    after = studio.submit(caller)

    assert twice.progress.eta_seconds == 8.0
    assert after.progress.eta_seconds == 12.0


@on_sqlite_only
def test_what_was_never_measured_has_no_estimate_but_a_place(
    studio: Studio, caller: Caller
) -> None:
    measure(studio, caller, 4.0)

    painted = studio.submit(caller, replace(LAKE, model="paint"))

    assert (painted.progress.queue_position, painted.progress.eta_seconds) == (1, None)


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
    measure(studio, caller, 4.0)
    for _ in range(6):
        studio.submit(caller)
        studio.database.advance(SECOND)
    studio.claim()
    see_worker(studio, "one", "sketch")
    see_worker(studio, "two", "sketch", "paint")

    found = figures(studio)

    assert found == QueueFigures(
        pools=(
            PoolFigures(
                pool="default",
                kind="image",
                queued=5,
                running=1,
                slots=2,
                time_to_drain_seconds=10.0,
                oldest_queued_seconds=5.0,
            ),
            PoolFigures(
                pool="default",
                kind="video",
                queued=0,
                running=0,
                slots=2,
                time_to_drain_seconds=0.0,
                oldest_queued_seconds=0.0,
            ),
        ),
        workers=2,
        resident_models=("paint", "sketch"),
    )
    assert (found.queued("image"), found.running("image"), found.queued("video")) == (5, 1, 0)
    assert (found.time_to_drain_seconds, found.oldest_queued_seconds) == (10.0, 5.0)


@on_sqlite_only
def test_a_queue_without_workers_has_figures_as_if_one_served_it(
    studio: Studio, caller: Caller
) -> None:
    """So that whoever starts workers by these figures starts one."""
    measure(studio, caller, 4.0)
    for _ in range(3):
        studio.submit(caller)

    (pool,) = figures(studio).pools

    assert (pool.slots, pool.queued, pool.time_to_drain_seconds) == (0, 3, 12.0)


def test_an_empty_queue_has_empty_figures(studio: Studio) -> None:
    found = figures(studio)

    assert found == QueueFigures(pools=(), workers=0, resident_models=())
    assert (found.time_to_drain_seconds, found.oldest_queued_seconds) == (0.0, 0.0)


@pytest.mark.parametrize("later", [timedelta(0), timedelta(microseconds=1)])
def test_a_worker_counts_for_half_a_minute_after_its_last_sign_of_life(
    studio: Studio, later: timedelta
) -> None:
    see_worker(studio, "one", "sketch")

    studio.database.advance(WORKER_SILENT_AFTER + later)

    assert figures(studio).workers == (0 if later else 1)
