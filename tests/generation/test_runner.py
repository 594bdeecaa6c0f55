"""Running a job to its end: files that were verified, or an error and no file at all."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest

from gen_video.accounts.models import Caller
from gen_video.engines.errors import EngineFailedError, ModelUnavailableError
from gen_video.engines.tasks import ImageTask, LoraChoice
from gen_video.generation import pictures as pictures_module
from gen_video.generation.states import JobState
from gen_video.media.pictures import PictureFormat, encode_picture, read_parameters, verify_picture
from gen_video.quotas.models import KindQuota
from tests.db.clocked import on_sqlite_only
from tests.generation.studio import LAKE, Studio
from tests.generation.workshop import Workshop, open_workshop


@pytest.fixture
def workshop(studio: Studio) -> Workshop:
    return open_workshop(studio)


@pytest.fixture
def last_attempt(studio: Studio) -> Workshop:
    """Return a workshop where every attempt is the last."""
    return open_workshop(studio, attempts=1)


def encode_half(
    rgb: bytes,
    *,
    width: int,
    height: int,
    picture_format: PictureFormat,
    parameters: Mapping[str, str],
) -> bytes:
    """Encode a picture and lose the end of the file."""
    data = encode_picture(
        rgb, width=width, height=height, picture_format=picture_format, parameters=parameters
    )
    return data[: len(data) // 2]


def assert_nothing_is_left(workshop: Workshop, caller: Caller, *, held: int) -> None:
    """Check that an attempt left no file and that its units are held or free again."""
    assert workshop.studio.list_files() == []
    assert workshop.studio.window(caller) == KindQuota(limit=10, used=0, reserved=held)
    assert workshop.studio.findings() == []


def test_a_job_ends_with_a_file_that_opens_and_is_what_its_hash_says(
    workshop: Workshop, caller: Caller
) -> None:
    job_id = workshop.studio.submit(caller).id

    report = workshop.run()

    (output,) = workshop.studio.jobs.get(caller, job_id).outputs
    data = workshop.read(output)
    assert (report.job_id, report.outcome) == (job_id, "succeeded")
    assert (output.sha256, output.size_bytes) == (sha256(data).hexdigest(), len(data))
    assert (output.width, output.height, output.seed) == (64, 48, 7)
    verify_picture(data, width=64, height=48, picture_format=PictureFormat.PNG)
    assert workshop.objects.is_published(f"images/{job_id}.png")
    assert workshop.studio.findings() == []


@on_sqlite_only
@pytest.mark.parametrize(
    ("output_format", "mime", "extension"),
    [("png", "image/png", "png"), ("jpeg", "image/jpeg", "jpg"), ("webp", "image/webp", "webp")],
)
def test_a_file_has_the_format_that_was_asked_for(
    workshop: Workshop, caller: Caller, output_format: str, mime: str, extension: str
) -> None:
    job_id = workshop.studio.submit(caller, replace(LAKE, output_format=output_format)).id

    workshop.run()

    (output,) = workshop.studio.jobs.get(caller, job_id).outputs
    assert (output.mime, output.public_name) == (mime, f"images/{job_id}.{extension}")
    picture_format = PictureFormat(output_format)
    verify_picture(workshop.read(output), width=64, height=48, picture_format=picture_format)


@on_sqlite_only
def test_a_file_carries_how_it_was_made(workshop: Workshop, caller: Caller) -> None:
    request = replace(LAKE, model="paint", style_lora="ink", n=2)
    job_id = workshop.studio.submit(caller, request).id

    workshop.run()

    second = workshop.studio.jobs.get(caller, job_id).outputs[1]
    assert read_parameters(workshop.read(second)) == {
        "prompt": "a lake",
        "negative_prompt": "blur",
        "model": "paint",
        "seed": "8",
        "num_inference_steps": "4",
        "guidance_scale": "5.0",
        "width": "64",
        "height": "48",
        "task_id": job_id,
        "software": "gen_video 9.9",
        "loras": "ink",
    }


@on_sqlite_only
def test_the_engine_is_asked_for_exactly_what_was_resolved(
    workshop: Workshop, caller: Caller
) -> None:
    request = replace(
        LAKE,
        model="paint",
        n=2,
        reference_sha256="ab" * 32,
        strength=0.3,
        character_lora="mia",
        style_lora="ink",
    )
    job = workshop.studio.jobs.submit(caller, request, references=b"reference").job

    workshop.run()

    assert workshop.engine.tasks == [
        ImageTask(
            task_id=f"{job.id}.1",
            model="paint",
            prompt="a lake",
            negative_prompt="blur",
            width=64,
            height=48,
            num_inference_steps=4,
            guidance_scale=5.0,
            seed=7,
            n=2,
            reference_image=b"reference",
            strength=0.3,
            loras=(LoraChoice(name="mia"), LoraChoice(name="ink")),
            attempt=1,
        )
    ]


def test_an_attempt_that_fails_leaves_no_file_and_the_next_one_succeeds(
    workshop: Workshop, caller: Caller
) -> None:
    job_id = workshop.studio.submit(caller, replace(LAKE, n=3)).id
    workshop.engine.failure, workshop.engine.failing_at = EngineFailedError("no luck"), 2

    report = workshop.run()

    assert report.outcome == "queued"
    assert_nothing_is_left(workshop, caller, held=3)
    workshop.engine.failure = None
    workshop.studio.database.advance(timedelta(minutes=1))
    assert workshop.run().outcome == "succeeded"
    outputs = workshop.studio.jobs.get(caller, job_id).outputs
    assert [(output.fence, output.seed) for output in outputs] == [(3, 7), (3, 8), (3, 9)]
    assert workshop.engine.tasks[1].attempt == 2
    assert workshop.studio.findings() == []


@on_sqlite_only
def test_an_error_that_cannot_pass_fails_the_job(workshop: Workshop, caller: Caller) -> None:
    job_id = workshop.studio.submit(caller).id
    workshop.engine.failure = ModelUnavailableError("sketch", "no weights")

    assert workshop.run().outcome == "failed"

    job = workshop.studio.jobs.get(caller, job_id)
    assert job.error is not None
    assert job.error.code == "model_unavailable"
    assert_nothing_is_left(workshop, caller, held=0)


def test_what_the_last_attempt_made_before_it_failed_is_delivered_and_charged(
    last_attempt: Workshop, caller: Caller
) -> None:
    job_id = last_attempt.studio.submit(caller, replace(LAKE, n=4)).id
    last_attempt.engine.failure, last_attempt.engine.failing_at = EngineFailedError("no luck"), 2

    assert last_attempt.run().outcome == "succeeded"

    job = last_attempt.studio.jobs.get(caller, job_id)
    names = [output.public_name for output in job.outputs]
    assert names == [f"images/{job_id}_1.png", f"images/{job_id}_2.png"]
    assert all(last_attempt.objects.is_published(name) for name in names)
    assert (job.units_delivered, job.error) == (2, None)
    assert last_attempt.studio.window(caller) == KindQuota(limit=10, used=2, reserved=0)
    assert last_attempt.studio.findings() == []


@on_sqlite_only
def test_a_last_attempt_that_made_nothing_fails(last_attempt: Workshop, caller: Caller) -> None:
    last_attempt.studio.submit(caller, replace(LAKE, n=4))
    last_attempt.engine.failure = EngineFailedError("no luck")

    assert last_attempt.run().outcome == "failed"

    assert_nothing_is_left(last_attempt, caller, held=0)


@on_sqlite_only
def test_an_engine_that_ends_without_a_picture_has_failed(
    workshop: Workshop, caller: Caller
) -> None:
    workshop.studio.submit(caller)
    workshop.engine.pictures = 0

    assert workshop.run().outcome == "queued"

    assert_nothing_is_left(workshop, caller, held=1)


@on_sqlite_only
def test_pixels_that_do_not_fill_the_picture_are_a_failure(
    workshop: Workshop, caller: Caller
) -> None:
    workshop.studio.submit(caller)
    workshop.engine.is_broken = True

    assert workshop.run().outcome == "queued"

    assert_nothing_is_left(workshop, caller, held=1)


@on_sqlite_only
def test_a_file_that_cannot_be_opened_again_is_never_stored(
    workshop: Workshop, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.studio.submit(caller)
    monkeypatch.setattr(pictures_module, "encode_picture", encode_half)

    assert workshop.run().outcome == "queued"

    assert_nothing_is_left(workshop, caller, held=1)


def test_a_store_that_fails_costs_an_attempt_and_keeps_no_file_of_it(
    workshop: Workshop, caller: Caller
) -> None:
    job_id = workshop.studio.submit(caller, replace(LAKE, n=3)).id
    workshop.objects.failing_put = 2

    assert workshop.run().outcome == "queued"

    assert_nothing_is_left(workshop, caller, held=3)
    assert workshop.studio.row(job_id).error_code == "storage_unavailable"


@on_sqlite_only
def test_a_store_that_fails_at_the_last_attempt_fails_the_job(
    last_attempt: Workshop, caller: Caller
) -> None:
    job_id = last_attempt.studio.submit(caller).id
    last_attempt.objects.failing_put = 0

    assert last_attempt.run().outcome == "failed"

    assert last_attempt.studio.jobs.get(caller, job_id).state is JobState.FAILED
    assert_nothing_is_left(last_attempt, caller, held=0)


@on_sqlite_only
def test_a_job_whose_reference_image_is_gone_fails(workshop: Workshop, caller: Caller) -> None:
    workshop.studio.submit_with_reference(caller)
    workshop.objects.delete(workshop.studio.list_files()[0])

    assert workshop.run().outcome == "failed"

    assert workshop.engine.tasks == []
    assert_nothing_is_left(workshop, caller, held=0)


@on_sqlite_only
def test_a_finished_job_whose_file_cannot_be_published_has_still_succeeded(
    workshop: Workshop, caller: Caller
) -> None:
    job_id = workshop.studio.submit(caller).id
    workshop.objects.is_publishing = False

    assert workshop.run().outcome == "succeeded"

    workshop.objects.is_publishing = True
    assert workshop.studio.sweeper.sweep().published == 1
    assert workshop.objects.is_published(f"images/{job_id}.png")
    assert workshop.studio.findings() == []
