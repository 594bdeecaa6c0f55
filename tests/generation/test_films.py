"""Filming a job to its end: one file with its stills, or an error and no file at all."""

import io
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest
from PIL import Image

from gen_video.accounts.models import Caller
from gen_video.engines.errors import (
    EngineCrashedError,
    EngineFailedError,
    EngineOutOfMemoryError,
    ModelUnavailableError,
)
from gen_video.engines.tasks import VideoTask
from gen_video.generation.films import SceneCrashedError, SceneFailedError
from gen_video.generation.models import FileRole, Job, JobError
from gen_video.generation.states import JobState
from gen_video.generation.video_requests import SceneRequest, Transition
from gen_video.media.videos import VideoFormat, read_video_parameters, verify_video
from gen_video.quotas.models import KindQuota
from tests.db.clocked import on_sqlite_only
from tests.generation.cinema import (
    THREE_SCENES,
    WAVES,
    Cinema,
    file_of,
    open_cinema,
    storyboard,
    with_image,
)
from tests.generation.studio import LAKE, Studio

FIRST, THIRD = b"the first picture", b"the third"


@pytest.fixture
def cinema(studio: Studio) -> Cinema:
    return open_cinema(studio)


@pytest.fixture
def last_attempt(studio: Studio) -> Cinema:
    """Return a cinema where every attempt is the last."""
    return open_cinema(studio, attempts=1)


def assert_nothing_is_left(cinema: Cinema, caller: Caller, *, held: int) -> None:
    """Check that an attempt left no file and that its unit is held or free again."""
    assert cinema.studio.list_files() == []
    assert cinema.studio.window(caller, "video") == KindQuota(limit=2, used=0, reserved=held)
    assert cinema.studio.findings() == []


def error_of(cinema: Cinema, caller: Caller, job_id: str) -> JobError:
    """Return why a job has failed."""
    job = cinema.studio.jobs.get(caller, job_id)
    assert job.state is JobState.FAILED
    assert job.error is not None
    return job.error


def run_again(cinema: Cinema) -> str:
    """Let the pause before the next attempt pass, and run it."""
    cinema.studio.database.advance(timedelta(minutes=2))
    return cinema.run().outcome


def test_a_job_ends_with_one_video_and_its_stills(cinema: Cinema, caller: Caller) -> None:
    job_id = cinema.studio.submit(caller, THREE_SCENES).id

    report = cinema.run()

    job = cinema.studio.jobs.get(caller, job_id)
    assert (report.job_id, report.outcome) == (job_id, "succeeded")
    assert report.encode_seconds > 0
    assert [(file.role, file.public_name, file.mime) for file in job.files] == [
        ("output", f"videos/{job_id}.mp4", "video/mp4"),
        ("poster", f"videos/{job_id}_poster.jpg", "image/jpeg"),
        ("strip", f"videos/{job_id}_strip.jpg", "image/jpeg"),
    ]
    for file in job.files:
        data = cinema.read(file)
        assert (file.sha256, file.size_bytes) == (sha256(data).hexdigest(), len(data))
        assert cinema.objects.is_published(file.public_name)
    assert cinema.studio.findings() == []


def test_a_video_is_charged_as_one_unit_whatever_lies_beside_it(
    cinema: Cinema, caller: Caller
) -> None:
    job_id = cinema.studio.submit(caller, THREE_SCENES).id
    assert cinema.studio.window(caller, "video") == KindQuota(limit=2, used=0, reserved=1)

    cinema.run()

    job = cinema.studio.jobs.get(caller, job_id)
    assert (job.units, job.units_delivered, len(job.outputs)) == (1, 1, 1)
    assert job.quota_remaining == {"images": 10, "videos": 1}
    assert cinema.studio.window(caller, "video") == KindQuota(limit=2, used=1, reserved=0)
    assert cinema.studio.window(caller).used == 0
    assert cinema.studio.findings() == []


@on_sqlite_only
def test_the_video_opens_and_is_what_was_asked_for(cinema: Cinema, caller: Caller) -> None:
    request = replace(THREE_SCENES, transition=Transition.CROSSFADE)
    job_id = cinema.studio.submit(caller, request).id

    cinema.run()

    job = cinema.studio.jobs.get(caller, job_id)
    (video,) = job.outputs
    assert (video.num_frames, video.fps, video.duration_seconds) == (12, 8, 1.5)
    assert (video.width, video.height, video.seed) == (64, 48, 7)
    verify_video(
        cinema.read(video), width=64, height=48, frames=12, fps=8, video_format=VideoFormat.MP4
    )


@on_sqlite_only
def test_the_stills_open_and_have_the_size_that_is_told(cinema: Cinema, caller: Caller) -> None:
    job_id = cinema.studio.submit(caller, WAVES).id

    cinema.run()

    job = cinema.studio.jobs.get(caller, job_id)
    for role, size in ((FileRole.POSTER, (64, 48)), (FileRole.STRIP, (6 * 64, 48))):
        still = file_of(job, role)
        picture = Image.open(io.BytesIO(cinema.read(still)))
        assert (picture.format, picture.size) == ("JPEG", size)
        assert (still.width, still.height) == size
        assert (still.num_frames, still.duration_seconds) == (None, None)


@on_sqlite_only
@pytest.mark.parametrize(
    ("output_format", "mime"),
    [("mp4", "video/mp4"), ("webm", "video/webm"), ("gif", "image/gif"), ("webp", "image/webp")],
)
def test_a_video_has_the_format_that_was_asked_for(
    cinema: Cinema, caller: Caller, output_format: str, mime: str
) -> None:
    job_id = cinema.studio.submit(caller, replace(THREE_SCENES, output_format=output_format)).id

    assert cinema.run().outcome == "succeeded"

    (video,) = cinema.studio.jobs.get(caller, job_id).outputs
    assert (video.mime, video.public_name) == (mime, f"videos/{job_id}.{output_format}")
    verify_video(
        cinema.read(video),
        width=64,
        height=48,
        frames=18,
        fps=8,
        video_format=VideoFormat(output_format),
    )


@on_sqlite_only
def test_a_video_carries_how_it_was_made(cinema: Cinema, caller: Caller) -> None:
    job_id = cinema.studio.submit(caller, THREE_SCENES).id

    cinema.run()

    (video,) = cinema.studio.jobs.get(caller, job_id).outputs
    assert read_video_parameters(cinema.read(video)) == {
        "prompt": "dawn",
        "negative_prompt": "blur",
        "model": "reel",
        "seed": "7",
        "num_inference_steps": "4",
        "guidance_scale": "5.0",
        "width": "64",
        "height": "48",
        "num_frames": "18",
        "fps": "8",
        "scenes": "dawn\nnoon\nnight",
        "software": "gen_video 9.9",
        "task_id": job_id,
    }


def test_the_engine_is_asked_for_each_scene_with_its_own_picture(
    cinema: Cinema, caller: Caller
) -> None:
    """The stored references are one piece of bytes, cut where one scene's picture ends."""
    board = storyboard(
        with_image(SceneRequest(prompt="dawn", num_frames=5), FIRST),
        SceneRequest(prompt="noon"),
        with_image(SceneRequest(duration=1.0), THIRD),
        prompt="mountains",
    )
    job = cinema.studio.jobs.submit(caller, board, references=FIRST + THIRD).job

    assert cinema.run().outcome == "succeeded"

    first = VideoTask(
        task_id=f"{job.id}.1",
        model="reel",
        prompt="dawn",
        negative_prompt="blur",
        width=64,
        height=48,
        num_frames=5,
        fps=8,
        num_inference_steps=4,
        guidance_scale=5.0,
        seed=7,
        reference_image=FIRST,
        attempt=1,
    )
    assert cinema.engine.films == [
        first,
        replace(first, prompt="noon", num_frames=6, seed=8, reference_image=None),
        replace(first, prompt="mountains", num_frames=8, seed=9, reference_image=THIRD),
    ]


def test_a_scene_that_fails_gives_the_unit_back_and_is_named_in_both_languages(
    last_attempt: Cinema, caller: Caller
) -> None:
    job_id = last_attempt.studio.submit(caller, THREE_SCENES).id
    last_attempt.engine.failure, last_attempt.engine.failing_at = EngineFailedError("no luck"), 1

    assert last_attempt.run().outcome == "failed"

    error = error_of(last_attempt, caller, job_id)
    assert error.code == "scene_failed"
    assert error.en == "Scene 2 of 3 failed: The model failed to generate: no luck"
    assert error.zh == "第 2 个分镜（共 3 个）失败：模型生成失败：no luck"
    assert_nothing_is_left(last_attempt, caller, held=0)
    assert last_attempt.studio.jobs.get(caller, job_id).quota_remaining["videos"] == 2


@on_sqlite_only
def test_the_failure_of_an_only_scene_keeps_its_own_name(
    last_attempt: Cinema, caller: Caller
) -> None:
    job_id = last_attempt.studio.submit(caller, WAVES).id
    last_attempt.engine.failure = EngineFailedError("no luck")

    assert last_attempt.run().outcome == "failed"

    assert error_of(last_attempt, caller, job_id).code == "generation_failed"
    assert_nothing_is_left(last_attempt, caller, held=0)


@on_sqlite_only
def test_a_model_that_is_not_there_fails_at_once_and_is_no_matter_of_a_scene(
    cinema: Cinema, caller: Caller
) -> None:
    job_id = cinema.studio.submit(caller, THREE_SCENES).id
    cinema.engine.failure = ModelUnavailableError("reel", "no weights")

    assert cinema.run().outcome == "failed"

    assert error_of(cinema, caller, job_id).code == "model_unavailable"
    assert_nothing_is_left(cinema, caller, held=0)


def test_a_scene_that_fails_once_is_tried_again_with_all_others(
    cinema: Cinema, caller: Caller
) -> None:
    job_id = cinema.studio.submit(caller, THREE_SCENES).id
    cinema.engine.failure, cinema.engine.failing_at = EngineFailedError("no luck"), 1

    assert cinema.run().outcome == "queued"

    assert_nothing_is_left(cinema, caller, held=1)
    assert cinema.studio.row(job_id).error_code == "scene_failed"
    cinema.engine.failure = None
    assert run_again(cinema) == "succeeded"
    job = cinema.studio.jobs.get(caller, job_id)
    assert (job.error, job.attempt, job.units_delivered) == (None, 2, 1)
    assert [(task.prompt, task.attempt) for task in cinema.engine.films[2:]] == [
        ("dawn", 2),
        ("noon", 2),
        ("night", 2),
    ]
    assert {file.fence for file in job.files} == {3}
    assert cinema.studio.findings() == []


def test_a_scene_that_kills_its_engine_again_and_again_is_poison(
    studio: Studio, caller: Caller
) -> None:
    cinema = open_cinema(studio, attempts=10)
    job_id = cinema.studio.submit(caller, THREE_SCENES).id
    cinema.engine.failure = EngineCrashedError("signal SIGSEGV")
    outcomes = []
    for _ in range(3):
        cinema.engine.failing_at = len(cinema.engine.films) + 1
        outcomes.append(run_again(cinema))

    assert outcomes == ["queued", "queued", "failed"]
    error = error_of(cinema, caller, job_id)
    assert error.code == "poison"
    assert "Scene 2 of 3 failed" in error.en
    assert cinema.studio.row(job_id).crash_count == 3
    assert_nothing_is_left(cinema, caller, held=0)


@on_sqlite_only
def test_a_scene_that_merely_fails_is_no_poison(cinema: Cinema, caller: Caller) -> None:
    job_id = cinema.studio.submit(caller, THREE_SCENES).id
    cinema.engine.failure, cinema.engine.failing_at = EngineFailedError("no luck"), 1

    cinema.run()

    assert cinema.studio.row(job_id).crash_count == 0


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (EngineFailedError("no luck"), SceneFailedError),
        (EngineCrashedError("exit code 3"), SceneCrashedError),
        (EngineOutOfMemoryError(), SceneCrashedError),
    ],
)
def test_the_failure_of_a_scene_is_as_bad_as_its_cause(
    cause: EngineFailedError, kind: type[SceneFailedError]
) -> None:
    error = kind(cause, scene=2, scenes=3)

    assert error.is_crash is cause.is_crash
    assert error.is_retryable
    assert cause.message("zh") in error.message("zh")


@on_sqlite_only
@pytest.mark.parametrize("missing", [1, 6, -1])
def test_a_scene_of_too_few_or_too_many_frames_has_failed(
    last_attempt: Cinema, caller: Caller, missing: int
) -> None:
    job_id = last_attempt.studio.submit(caller, THREE_SCENES).id
    last_attempt.engine.missing_frames = missing

    assert last_attempt.run().outcome == "failed"

    error = error_of(last_attempt, caller, job_id)
    assert error.code == "scene_failed"
    assert f"Scene 1 of 3 failed: The model failed to generate: it made {6 - missing}" in error.en
    assert_nothing_is_left(last_attempt, caller, held=0)


@on_sqlite_only
def test_pixels_that_do_not_fill_the_frame_are_a_failure(cinema: Cinema, caller: Caller) -> None:
    cinema.studio.submit(caller, THREE_SCENES)
    cinema.engine.is_broken = True

    assert cinema.run().outcome == "queued"

    assert_nothing_is_left(cinema, caller, held=1)


@on_sqlite_only
@pytest.mark.parametrize("failing_put", [0, 1, 2])
def test_a_store_that_fails_costs_an_attempt_and_keeps_no_file_of_it(
    cinema: Cinema, caller: Caller, failing_put: int
) -> None:
    job_id = cinema.studio.submit(caller, THREE_SCENES).id
    cinema.objects.failing_put = failing_put

    assert cinema.run().outcome == "queued"

    assert_nothing_is_left(cinema, caller, held=1)
    assert cinema.studio.row(job_id).error_code == "storage_unavailable"
    assert run_again(cinema) == "succeeded"
    assert len(cinema.studio.jobs.get(caller, job_id).files) == 3


@on_sqlite_only
def test_a_video_that_is_stored_is_delivered_even_if_its_stills_never_are(
    last_attempt: Cinema, caller: Caller
) -> None:
    job_id = last_attempt.studio.submit(caller, WAVES).id
    last_attempt.objects.failing_put = 1

    assert last_attempt.run().outcome == "succeeded"

    job = last_attempt.studio.jobs.get(caller, job_id)
    assert [file.role for file in job.files] == ["output"]
    assert job.units_delivered == 1
    assert last_attempt.studio.findings() == []


@on_sqlite_only
def test_a_job_whose_first_frames_are_gone_fails(cinema: Cinema, caller: Caller) -> None:
    board = storyboard(with_image(SceneRequest(), FIRST), SceneRequest(prompt="noon"))
    cinema.studio.jobs.submit(caller, board, references=FIRST)
    cinema.objects.delete(cinema.studio.list_files()[0])

    assert cinema.run().outcome == "failed"

    assert cinema.engine.films == []
    assert_nothing_is_left(cinema, caller, held=0)


@on_sqlite_only
def test_a_finished_video_whose_files_cannot_be_published_has_still_succeeded(
    cinema: Cinema, caller: Caller
) -> None:
    job_id = cinema.studio.submit(caller, WAVES).id
    cinema.objects.is_publishing = False

    assert cinema.run().outcome == "succeeded"

    cinema.objects.is_publishing = True
    assert cinema.studio.sweeper.sweep().published == 3
    job = cinema.studio.jobs.get(caller, job_id)
    assert all(cinema.objects.is_published(file.public_name) for file in job.files)
    assert cinema.studio.findings() == []


def test_deleting_a_video_erases_its_stills_too(cinema: Cinema, caller: Caller) -> None:
    job_id = cinema.studio.submit(caller, WAVES).id
    cinema.run()
    job: Job = cinema.studio.jobs.get(caller, job_id)

    cinema.studio.jobs.delete(caller, job_id)

    assert cinema.studio.list_files() == []
    assert [cinema.objects.is_published(file.public_name) for file in job.files] == [False] * 3
    assert cinema.studio.window(caller, "video").used == 1
    assert cinema.studio.findings() == []


def test_videos_and_pictures_have_quotas_of_their_own(cinema: Cinema, caller: Caller) -> None:
    cinema.studio.submit(caller, WAVES)
    cinema.studio.submit(caller, LAKE)

    assert [cinema.run().outcome, cinema.run().outcome] == ["succeeded", "succeeded"]

    assert cinema.studio.window(caller, "video") == KindQuota(limit=2, used=1, reserved=0)
    assert cinema.studio.window(caller) == KindQuota(limit=10, used=1, reserved=0)
    assert cinema.studio.findings() == []


@on_sqlite_only
def test_the_audit_misses_a_video_that_was_charged_and_is_not_there(
    cinema: Cinema, caller: Caller
) -> None:
    job_id = cinema.studio.submit(caller, WAVES).id
    cinema.run()

    cinema.studio.execute(
        "DELETE FROM artifacts WHERE job_id = :job_id AND role = 'output'", job_id=job_id
    )

    assert cinema.studio.findings() == ["I4"]
