"""The playground: what its forms ask for, what they refuse, and what a page begins with."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gen_video.generation.models import ImageInput, VideoInput
from gen_video.generation.states import JobState
from tests.api.conftest import worker_of
from tests.console.conftest import Console, run_console
from tests.console.studio import (
    DRAWING,
    FILM,
    HTMX,
    PICTURES,
    SMALL,
    VIDEOS,
    caller_of,
    card_id,
    job_of,
    png,
    post,
    submit,
    wait_for,
)

HOSTILE = '"><img src=x onerror=alert(1)>'


@pytest.fixture(scope="module")
def working(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Return a console whose jobs are done, with room for every test here."""
    for console in run_console(tmp_path_factory.mktemp("studio")):
        free = console.services.accounts.get_plan("free")
        roomy = replace(free, images_per_day=500, videos_per_day=500, requests_per_minute=0)
        console.services.accounts.save_plan(roomy)
        with worker_of(console.services):
            yield console


@pytest.fixture(scope="module")
def picture(working: Console) -> str:
    """Return the id of a finished picture."""
    job_id = submit(working, prompt="a red boat", seed="77", guidance_scale="2.5")
    assert wait_for(working, job_id).state is JobState.SUCCEEDED
    return job_id


def test_a_form_becomes_a_job_and_its_card_follows_it(console: Console) -> None:
    answer = post(console, PICTURES, DRAWING | {"seed": "5", "n": "2", "output_format": "webp"})

    job = job_of(console, card_id(answer))
    assert isinstance(job.input, ImageInput)
    assert (job.input.prompt, job.input.seed, job.input.n) == ("a lake", 5, 2)
    assert job.input.output_format == "webp"
    assert f'data-live="/console/jobs/{job.id}/events"' in answer.text
    assert answer.headers["hx-trigger"] == "quota-changed"


def test_a_job_of_the_console_takes_quota_like_any_other(console: Console) -> None:
    submit(console, n="3")

    text = console.client.get("/console/quota", headers={"Accept-Language": "en"}).text

    assert 'data-images="7"' in text
    assert "7 of 10" in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prompt": ""}, "prompt"),
        ({"width": "65"}, "multiple of 8"),
        ({"width": "wide"}, "width must be a number"),
        ({"n": "5"}, "n is 5"),
        ({"model": "nothing"}, "There is no model nothing"),
        ({"output_format": "exe"}, "output_format must be one of"),
        ({"reference": "images/job_AAAAAAAAAAAAAAAAAAAAAA.png"}, "that picture is gone"),
        ({"reference": "../../etc/passwd"}, "that picture is gone"),
    ],
)
def test_what_cannot_be_made_is_told_and_nothing_is_kept(
    console: Console, changes: dict[str, str], words: str
) -> None:
    answer = post(console, PICTURES, DRAWING | changes)

    assert answer.status_code == 422
    assert words in answer.text
    assert answer.headers["hx-retarget"] == "#toasts"
    assert console.services.jobs.list_jobs(caller_of(console)).jobs == ()


def test_used_up_quota_says_when_there_is_more(console: Console) -> None:
    for _ in range(2):
        submit(console, VIDEOS)

    answer = post(console, VIDEOS, FILM)

    assert answer.status_code == 429
    assert "Daily video quota used up" in answer.text
    assert "resets at" in answer.text


def test_an_uploaded_picture_is_started_from(working: Console) -> None:
    files = [("reference_image", ("a.png", png(), "image/png"))]

    job_id = card_id(post(working, PICTURES, DRAWING | {"strength": "0.4"}, files=files))

    given = wait_for(working, job_id).input
    assert isinstance(given, ImageInput)
    assert given.strength == 0.4


def test_what_is_no_picture_is_refused(console: Console) -> None:
    files = [("reference_image", ("a.png", b"<svg onload=alert(1)>", "image/png"))]

    answer = post(console, PICTURES, DRAWING, files=files)

    assert answer.status_code in {415, 422}
    assert console.services.jobs.list_jobs(caller_of(console)).jobs == ()


def test_an_own_picture_is_started_from_and_nobody_else_s(working: Console, picture: str) -> None:
    name = f"images/{picture}.png"

    mine = post(working, PICTURES, DRAWING | {"reference": name})
    foreign = post(working, PICTURES, DRAWING | {"reference": name}, client=working.owner)

    given = job_of(working, card_id(mine)).input
    assert isinstance(given, ImageInput)
    assert given.strength is not None
    assert foreign.status_code == 422
    assert "that picture is gone" in foreign.text


def test_again_shows_the_fields_and_the_seed_of_a_job(working: Console, picture: str) -> None:
    text = working.client.get(f"{PICTURES}?again={picture}").text

    assert ">a red boat</textarea>" in text
    assert 'value="77"' in text
    assert 'value="2.5"' in text


def test_a_picture_is_taken_along_as_reference(working: Console, picture: str) -> None:
    name = f"images/{picture}.png"

    mine = working.client.get(f"{PICTURES}?reference={name}").text
    foreign = working.owner.get(f"{PICTURES}?reference={name}").text

    assert f'src="/console/files/{name}"' in mine
    assert name not in foreign.replace(f"?reference={name}", "").replace(f"reference={name}", "")


def test_a_picture_becomes_the_first_frame_of_a_video(working: Console, picture: str) -> None:
    name = f"images/{picture}.png"

    text = working.client.get(f"{VIDEOS}?like={picture}&reference={name}").text
    job_id = card_id(post(working, VIDEOS, FILM | {"scene_own_image": name}))

    assert f'value="{name}"' in text
    assert ">a red boat</textarea>" in text
    given = job_of(working, job_id).input
    assert isinstance(given, VideoInput)
    assert given.scenes[0].reference_bytes > 0


def test_a_storyboard_keeps_its_order_and_each_scene_its_picture(working: Console) -> None:
    board = SMALL | {
        "scene_prompt": ["dawn", "", "night"],
        "scene_duration": ["1", "0.5", "1.5"],
        "scene_own_image": ["", "", ""],
        "transition": "crossfade",
    }
    files = [
        ("scene_image", ("", b"", "application/octet-stream")),
        ("scene_image", ("b.png", png(), "image/png")),
        ("scene_image", ("", b"", "application/octet-stream")),
    ]

    job_id = card_id(post(working, VIDEOS, board, files=files))

    given = wait_for(working, job_id).input
    assert isinstance(given, VideoInput)
    assert [scene.prompt for scene in given.scenes] == ["dawn", "", "night"]
    assert [scene.num_frames for scene in given.scenes] == [8, 4, 12]
    assert [scene.reference_bytes > 0 for scene in given.scenes] == [False, True, False]
    assert given.overlap > 0


def test_the_scene_that_is_wrong_is_named(console: Console) -> None:
    board = SMALL | {"scene_prompt": ["dawn", "night"], "scene_duration": ["1", "9999"]}

    answer = post(console, VIDEOS, board)

    assert answer.status_code == 422
    assert "scenes/1/duration" in answer.text


def test_another_model_brings_its_own_limits_and_keeps_the_seed(console: Console) -> None:
    answer = post(
        console, f"{PICTURES}/fields", {"model": "mini", "seed": "9", "width": "64", "height": "64"}
    )

    assert 'value="9"' in answer.text
    assert 'max="1024"' in answer.text
    assert 'id="width" name="width" type="number" inputmode="numeric" min="256"' in answer.text
    assert "<html" not in answer.text


def test_another_video_model_offers_first_frames_only_where_it_can(console: Console) -> None:
    able = console.client.get(f"{VIDEOS}?model=test-double").text
    unable = console.client.get(f"{VIDEOS}?model=mini-video").text

    assert 'name="scene_image"' in able
    assert 'name="scene_image"' not in unable


def test_adapters_are_offered_where_the_model_takes_them(tmp_path: Path) -> None:
    for kind, name in (("character", "mia"), ("style", "ink")):
        file = tmp_path / "loras" / kind / f"{name}.safetensors"
        file.parent.mkdir(parents=True)
        file.write_bytes(b"")
    for console in run_console(tmp_path):
        page = console.client.get(f"{PICTURES}?model=test-double").text
        other = console.client.get(f"{PICTURES}?model=mini").text
        job_id = submit(console, character_lora="mia", style_lora="ink")
        again = console.client.get(f"{PICTURES}?again={job_id}").text

        assert '<option value="mia">' in page
        assert '<option value="ink">' in page
        assert "style_lora" not in other
        given = job_of(console, job_id).input
        assert isinstance(given, ImageInput)
        assert given.loras == ("mia", "ink")
        assert '<option value="ink" selected>' in again


def test_no_video_model_is_said_instead_of_a_form(tmp_path: Path) -> None:
    for console in run_console(
        tmp_path, models_file=_pictures_only(tmp_path), default_video_model=""
    ):
        text = console.client.get(VIDEOS, headers={"Accept-Language": "en"}).text

        assert "No video model is on offer here" in text
        assert 'id="studio-form"' not in text


def _pictures_only(folder: Path) -> Path:
    """Return a catalogue whose only model makes pictures."""
    file = folder / "models.toml"
    file.write_text(
        '[[model]]\nid = "test-double"\nenabled = true\ntitle_en = "D"\ntitle_zh = "D"\n'
        'source = "test-double"\nhub = "local"\nengine = "test-double"\nlicence = "none"\n'
        "defaults = { width = 256, height = 256, num_inference_steps = 4, guidance_scale = 1.0 }\n",
        encoding="utf-8",
    )
    return file


def test_a_prompt_that_a_small_model_does_not_know_is_accepted_with_advice(
    console: Console,
) -> None:
    asked = {"model": "mini", "prompt": "a portrait of a chess grandmaster", "width": "256"}

    answer = post(console, PICTURES, asked | {"height": "256"})

    assert card_id(answer)
    assert "has not learned" in answer.text


@pytest.mark.parametrize("path", [PICTURES, VIDEOS])
def test_a_hostile_prompt_is_text_wherever_a_job_is_shown(console: Console, path: str) -> None:
    field = {"prompt": HOSTILE} if path == PICTURES else {"scene_prompt": HOSTILE}
    answer = post(console, path, (DRAWING if path == PICTURES else FILM) | field)
    job_id = card_id(answer)

    for place in (
        path,
        f"{path}?again={job_id}",
        "/console/gallery",
        f"/console/gallery?search={HOSTILE}",
        f"/console/gallery/tile/{job_id}",
        f"/console/jobs/{job_id}",
        f"/console/jobs/{job_id}/card",
        f"/console/jobs/{job_id}/code",
    ):
        text = console.client.get(place, headers=HTMX if "card" in place else {}).text
        assert "<img src=x" not in text, place
        assert "onerror=alert(1)" in text, place
    assert "<img src=x" not in answer.text


def test_progress_words_are_data_that_scripts_can_read(console: Console) -> None:
    text = post(console, PICTURES, DRAWING).text
    words = text.partition("data-words='")[2].partition("'")[0]

    assert json.loads(words)["denoising"] == "Drawing, step {n} of {m}"
