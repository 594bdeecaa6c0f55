"""Stopping a film: canceled, past its deadline, taken away or drained, in the middle of a scene.

And what is told of its progress, which only ever grows.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gen_video.accounts.models import Caller
from gen_video.api.v1.events import event_number
from gen_video.api.v1.views import progress_view
from gen_video.engines.errors import EngineInterruptedError
from gen_video.engines.tasks import StepProgress
from gen_video.generation.films import Studio as FilmStudio
from gen_video.generation.films import scene_listener, split_references
from gen_video.generation.models import Job, JobProgress, JobSnapshot, SceneInput, VideoInput
from gen_video.generation.runner import RunReport
from gen_video.generation.states import JobState
from gen_video.generation.video_requests import SceneRequest, VideoRequest
from gen_video.quotas.models import KindQuota
from tests.db.clocked import on_sqlite_only
from tests.generation.cinema import (
    SCREEN_MODELS,
    THREE_SCENES,
    Cinema,
    open_cinema,
    resolve,
    scenes_of,
    storyboard,
)
from tests.generation.fakes import PATIENCE_SECONDS, FakeEngine, wait_until
from tests.generation.studio import Studio

NOTHING = KindQuota(limit=2, used=0, reserved=0)
HELD = KindQuota(limit=2, used=0, reserved=1)


@dataclass(frozen=True)
class Rolling:
    """A film of three scenes whose engine waits in one of them."""

    cinema: Cinema
    job: Job
    report: Future[RunReport]

    def result(self) -> RunReport:
        """Wait for the end of the run."""
        return self.report.result(timeout=PATIENCE_SECONDS)

    def assert_nothing_is_left(self, caller: Caller, window: KindQuota) -> None:
        """Check that no file is stored and what of the quota is held."""
        studio = self.cinema.studio
        assert studio.list_files() == []
        assert studio.window(caller, "video") == window
        assert studio.findings() == []


@contextmanager
def rolling_film(studio: Studio, caller: Caller, *, scene: int) -> Iterator[Rolling]:
    """Film three scenes on a thread until the engine waits in the one of this number, from 0."""
    cinema = open_cinema(studio)
    cinema.engine.stalling_at = scene
    job = cinema.studio.submit(caller, THREE_SCENES)
    claimed = cinema.studio.claim(models=SCREEN_MODELS)
    with ThreadPoolExecutor(1) as threads:
        report = threads.submit(cinema.runner.run, claimed)
        cinema.engine.wait_until_stalled()
        try:
            yield Rolling(cinema, job, report)
        finally:
            studio.database.is_down = False
            cinema.engine.resume()


@pytest.fixture
def rolling(studio: Studio, caller: Caller) -> Iterator[Rolling]:
    """Return a film in its second scene."""
    with rolling_film(studio, caller, scene=1) as rolling:
        yield rolling


def test_progress_and_a_cancel_travel_in_the_second_scene(rolling: Rolling, caller: Caller) -> None:
    studio, job_id = rolling.cinema.studio, rolling.job.id
    wait_until(lambda: studio.jobs.get(caller, job_id).progress.step == 4)
    progress = studio.jobs.get(caller, job_id).progress
    assert (progress.stage, progress.steps, progress.percent) == ("denoising", 12, 33.3)

    studio.jobs.cancel(caller, job_id)

    assert rolling.result().outcome == "canceled"
    assert rolling.cinema.engine.cancelled == [f"{job_id}.1"]
    job = studio.jobs.get(caller, job_id)
    assert (job.state, job.files, job.error) == (JobState.CANCELED, (), None)
    assert len(rolling.cinema.engine.films) == 2
    rolling.assert_nothing_is_left(caller, NOTHING)


@on_sqlite_only
def test_a_cancel_at_the_very_end_of_a_scene_is_not_lost(rolling: Rolling, caller: Caller) -> None:
    """The engine may be past its last look: then the next scene is not begun."""
    engine = rolling.cinema.engine
    engine.is_obedient = False
    rolling.cinema.studio.jobs.cancel(caller, rolling.job.id)
    engine.wait_until_cancelled()
    engine.resume()

    assert rolling.result().outcome == "canceled"

    assert [task.prompt for task in engine.films] == ["dawn", "noon"]
    rolling.assert_nothing_is_left(caller, NOTHING)


@on_sqlite_only
def test_a_film_past_its_deadline_is_stopped_and_costs_nothing(
    rolling: Rolling, caller: Caller
) -> None:
    rolling.cinema.studio.database.moment = rolling.job.deadline_at + timedelta(seconds=1)

    assert rolling.result().outcome == "failed"

    job = rolling.cinema.studio.jobs.get(caller, rolling.job.id)
    assert job.error is not None
    assert job.error.code == "deadline_exceeded"
    rolling.assert_nothing_is_left(caller, NOTHING)


@on_sqlite_only
@pytest.mark.parametrize("is_obedient", [True, False])
def test_a_film_whose_lease_was_taken_away_stops_and_leaves_nothing(
    rolling: Rolling, caller: Caller, *, is_obedient: bool
) -> None:
    engine, studio = rolling.cinema.engine, rolling.cinema.studio
    engine.is_obedient = is_obedient
    studio.sweeper._recover(studio.row(rolling.job.id))
    engine.wait_until_cancelled()
    engine.resume()

    assert rolling.result().outcome == "lease_lost"

    assert len(engine.films) == 2
    assert studio.jobs.get(caller, rolling.job.id).state is JobState.QUEUED
    rolling.assert_nothing_is_left(caller, HELD)


@on_sqlite_only
@pytest.mark.parametrize("is_obedient", [True, False])
def test_a_drained_film_goes_back_to_the_queue_and_costs_no_attempt(
    rolling: Rolling, caller: Caller, *, is_obedient: bool
) -> None:
    rolling.cinema.engine.is_obedient = is_obedient
    rolling.cinema.runner.stop_for_drain()
    rolling.cinema.engine.resume()

    assert rolling.result().outcome == "given_back"

    row = rolling.cinema.studio.row(rolling.job.id)
    assert (row.state, row.attempt) == ("queued", 0)
    assert len(rolling.cinema.engine.films) == 2
    rolling.assert_nothing_is_left(caller, HELD)


@on_sqlite_only
def test_a_stop_is_heard_while_the_last_scene_is_encoded(studio: Studio, caller: Caller) -> None:
    """Encoding takes long too: the engine may be done when the stop comes."""
    with rolling_film(studio, caller, scene=2) as rolling:
        rolling.cinema.engine.is_obedient = False
        rolling.cinema.runner.stop_for_drain()
        rolling.cinema.engine.resume()

        assert rolling.result().outcome == "given_back"

        rolling.assert_nothing_is_left(caller, HELD)


@on_sqlite_only
def test_a_job_that_begins_when_its_worker_is_to_stop_goes_back_at_once(
    studio: Studio, caller: Caller
) -> None:
    cinema = open_cinema(studio)
    cinema.studio.submit(caller, THREE_SCENES)
    cinema.runner.stop_for_drain()

    assert cinema.run().outcome == "given_back"

    assert cinema.engine.films == []
    assert cinema.studio.findings() == []


@on_sqlite_only
def test_a_film_that_another_job_interrupts_goes_back_to_the_queue_unharmed(
    studio: Studio, caller: Caller
) -> None:
    """However often that happens: it was not its fault."""
    cinema = open_cinema(studio, attempts=1)
    job_id = cinema.studio.submit(caller, THREE_SCENES).id
    cinema.engine.failure = EngineInterruptedError()
    for _ in range(4):
        cinema.engine.failing_at = len(cinema.engine.films) + 1
        assert cinema.run().outcome == "given_back"
    cinema.engine.failure = None

    assert cinema.run().outcome == "succeeded"

    row = cinema.studio.row(job_id)
    assert (row.attempt, row.crash_count, row.error_code) == (1, 0, None)
    assert cinema.studio.findings() == []


def told_of(wanted: VideoInput, stories: list[list[StepProgress]]) -> list[StepProgress]:
    """Return what is told of a film whose engine tells this of each scene."""
    told: list[StepProgress] = []
    for number, story in enumerate(stories):
        listener = scene_listener(told.append, number, wanted)
        for progress in story:
            listener(progress)
    return told


def story_of(steps: int) -> list[StepProgress]:
    """Return what an engine tells of one scene."""
    loading = [StepProgress(stage="loading", step=0, steps=1)] * 2
    denoising = [
        StepProgress(stage="denoising", step=step, steps=steps) for step in range(1, steps + 1)
    ]
    return [*loading, *denoising, StepProgress(stage="decoding", step=steps, steps=steps)]


@given(st.integers(1, 10), st.integers(2, 20))
def test_progress_and_event_numbers_only_grow_over_the_scenes(scenes: int, steps: int) -> None:
    wanted = resolve(replace(scenes_of(*[6] * scenes), num_inference_steps=steps))

    told = told_of(wanted, [story_of(steps)] * scenes)

    shares = [progress.step / progress.steps for progress in told]
    assert shares == sorted(shares)
    assert (told[0].stage, shares[0]) == ("loading", 0.0)
    assert (told[-1].stage, shares[-1]) == ("decoding", 1.0)
    assert {progress.steps for progress in told} == {wanted.all_steps}
    numbers = [
        event_number(
            JobSnapshot(
                state=JobState.RUNNING,
                stage=progress.stage,
                step=progress.step,
                steps=progress.steps,
                fence=1,
            )
        )
        for progress in told
    ]
    assert numbers == sorted(numbers)


@given(st.integers(1, 10), st.integers(2, 20), st.integers(1, 7))
def test_an_engine_that_counts_other_steps_than_asked_for_is_scaled(
    scenes: int, steps: int, engine_steps: int
) -> None:
    """Some pipelines take twice the steps, or half of them."""
    wanted = resolve(replace(scenes_of(*[6] * scenes), num_inference_steps=steps))

    told = told_of(wanted, [story_of(engine_steps)] * scenes)

    counted = [progress.step for progress in told]
    assert counted == sorted(counted)
    assert counted[-1] == wanted.all_steps


def scenes_seen(request: VideoRequest) -> list[tuple[int | None, int | None]]:
    """Return the scene, and of how many, after each step of a film."""
    wanted = resolve(request)
    views = [
        progress_view(JobProgress(stage="denoising", step=step, steps=wanted.all_steps), wanted)
        for step in range(wanted.all_steps + 1)
    ]
    return [(view.scene, view.scenes) for view in views]


def test_a_storyboard_tells_in_which_scene_it_is() -> None:
    seen = scenes_seen(replace(scenes_of(6, 6), num_inference_steps=2))

    assert seen == [(1, 2), (1, 2), (1, 2), (2, 2), (2, 2)]


def test_a_film_of_one_scene_tells_of_no_scenes() -> None:
    assert set(scenes_seen(scenes_of(6))) == {(None, None)}


def test_a_studio_films_without_a_job_and_tells_its_progress() -> None:
    told: list[StepProgress] = []
    wanted = resolve(storyboard(SceneRequest(prompt="dawn"), SceneRequest(prompt="noon")))
    studio = FilmStudio(FakeEngine(), wanted, on_progress=told.append)

    film = studio.shoot(task_id="cli_1", references=[None, None], parameters={})

    assert film.data.startswith(b"\x00\x00\x00")
    assert [(progress.stage, progress.step) for progress in told] == [
        ("loading", 0),
        ("denoising", 4),
        ("denoising", 4),
        ("denoising", 4),
        ("denoising", 8),
        ("decoding", 8),
    ]


@given(st.lists(st.binary(max_size=5), min_size=1, max_size=10))
def test_references_are_cut_where_they_were_joined(pictures: list[bytes]) -> None:
    scenes = tuple(
        SceneInput(prompt="", num_frames=6, reference_bytes=len(picture)) for picture in pictures
    )
    wanted = replace(resolve(scenes_of(6)), scenes=scenes)

    found = split_references(b"".join(pictures), wanted)

    assert found == [picture or None for picture in pictures]
