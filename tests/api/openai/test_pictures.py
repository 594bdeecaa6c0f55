"""Pictures in OpenAI's words, over HTTP: what is answered, repeated, shown and charged."""

import base64
import io
from typing import Any

import pytest
from PIL import Image

from tests.api.conftest import FREE_KEY, Door, OpenDoor, worker_of
from tests.api.test_first_frames import png

GENERATIONS, EDITS = "/v1/images/generations", "/v1/images/edits"
VARIATIONS = "/v1/images/variations"
RETRY = {"x-stainless-retry-count": "1"}
SMALL = {"prompt": "a lake", "size": "64x64", "num_inference_steps": 2}
PICTURE = ("a.png", png(size=(80, 64)), "image/png")


def jobs_of(door: Door) -> list[dict[str, Any]]:
    """Return the account's jobs, newest first."""
    found: list[dict[str, Any]] = door.client.get("/api/v1/jobs").json()["data"]
    return found


def decoded(text: str) -> Image.Image:
    """Return a picture from base64."""
    return Image.open(io.BytesIO(base64.b64decode(text)))


@pytest.mark.parametrize(
    ("wanted", "has_url", "has_bytes"),
    [(None, True, True), ("url", True, False), ("b64_json", False, True)],
)
def test_pictures_are_answered_as_wanted(
    working: Door, wanted: str | None, *, has_url: bool, has_bytes: bool
) -> None:
    answer = working.client.post(GENERATIONS, json=SMALL | {"n": 2, "response_format": wanted})

    body = answer.json()
    assert answer.status_code == 200, body
    for datum in body["data"]:
        assert (datum["url"] is not None, datum["b64_json"] is not None) == (has_url, has_bytes)
    if has_bytes:
        assert decoded(body["data"][1]["b64_json"]).size == (64, 64)
    if has_url:
        assert body["data"][0]["url"].startswith("http://testserver/api/v1/files/images/job_")
        assert working.client.get(body["data"][0]["url"]).status_code == 200
    assert (body["size"], body["output_format"], body["background"]) == ("64x64", "png", "opaque")
    assert body["gen_video"]["cost"] == {
        "units": 2,
        "credits": 0,
        "source": "quota",
        "state": "captured",
    }
    assert answer.headers["RateLimit"].startswith('"images-day";r=8')


def test_a_hosted_script_needs_no_other_header_than_its_own(working: Door) -> None:
    """The key as a bearer token, JSON with nulls as SDKs send them, every field of OpenAI's."""
    body = {
        "model": "gpt-image-1",
        "prompt": "a lake",
        "background": "auto",
        "moderation": "low",
        "n": None,
        "output_compression": 50,
        "output_format": "jpeg",
        "quality": "auto",
        "size": "auto",
        "style": "natural",
        "user": "someone",
        "safety_identifier": None,
        "complexity": "low",
        "stream": False,
        "partial_images": 2,
        "seed": 5,
        "negative_prompt": "people",
        "guidance_scale": 2,
        "metadata": {"a": "b"},
        "priority": "batch",
    }
    headers = {"Authorization": f"Bearer {FREE_KEY}", "Accept": "application/json"}

    answer = working.client.post(GENERATIONS, json=body, headers=headers)

    made = answer.json()
    assert answer.status_code == 200, made
    assert decoded(made["data"][0]["b64_json"]).format == "JPEG"
    assert (made["gen_video"]["seed"], made["quality"]) == (5, "medium")
    assert made["usage"]["input_tokens_details"] == {"image_tokens": 0, "text_tokens": 0}
    (job,) = jobs_of(working)
    assert (job["metadata"], job["input"]["negative_prompt"]) == ({"a": "b"}, "people")


def test_a_form_is_taken_like_json(working: Door) -> None:
    form = {"prompt": "a lake", "n": "2", "size": "64x64", "metadata[a]": "b", "stream": "false"}

    answer = working.client.post(
        GENERATIONS, files={name: (None, text) for name, text in form.items()}
    )

    assert len(answer.json()["data"]) == 2
    assert jobs_of(working)[0]["metadata"] == {"a": "b"}


@pytest.mark.parametrize(
    ("quality", "steps"), [("low", 2), ("high", 6), ("max", 12), ("standard", 4), (None, 4)]
)
def test_a_quality_is_so_many_steps(door: Door, quality: str | None, steps: int) -> None:
    job = _submit_only(door, {"prompt": "a lake", "quality": quality})

    assert job["input"]["num_inference_steps"] == steps


def _submit_only(door: Door, body: dict[str, Any]) -> dict[str, Any]:
    """Submit without a worker: the wait is cut short, the job stays."""
    door.app.state.watch.release_all()
    answer = door.client.post(GENERATIONS, json=body)
    assert answer.status_code == 504, answer.json()
    return jobs_of(door)[0]


def test_a_wait_that_ends_early_is_an_error_that_sdks_repeat_and_the_job_stays(door: Door) -> None:
    door.app.state.watch.release_all()

    first = door.client.post(GENERATIONS, json=SMALL)
    again = door.client.post(GENERATIONS, json=SMALL, headers=RETRY)

    (job,) = jobs_of(door)
    for answer in (first, again):
        assert answer.status_code == 504
        assert answer.headers["x-should-retry"] == "true"
        assert answer.json()["error"]["code"] == "still_running"
        assert job["urls"]["self"] in answer.json()["detail"]
    assert again.headers["Idempotency-Replayed"] == "true"


def test_an_idempotency_key_gives_the_same_pictures_and_one_charge(working: Door) -> None:
    key = {"Idempotency-Key": "k-1"}

    first = working.client.post(GENERATIONS, json=SMALL, headers=key)
    again = working.client.post(GENERATIONS, json=SMALL, headers=key)
    other = working.client.post(GENERATIONS, json=SMALL | {"seed": 9}, headers=key)

    assert first.json() == again.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len(jobs_of(working)) == 1


@pytest.mark.parametrize("more", [{}, {"response_format": "url"}], ids=["both", "url"])
def test_pictures_that_were_deleted_are_gone(working: Door, more: dict[str, str]) -> None:
    key = {"Idempotency-Key": "k-2"}
    made = working.client.post(GENERATIONS, json=SMALL | more, headers=key).json()
    working.client.delete(made["gen_video"]["job_url"])

    again = working.client.post(GENERATIONS, json=SMALL | more, headers=key)

    assert (again.status_code, again.json()["code"]) == (410, "file_gone")


def test_addresses_are_those_that_users_see(open_door: OpenDoor) -> None:
    door = open_door(public_url="https://pictures.example.com/", file_access="signed")
    with worker_of(door.services):
        url = door.client.post(GENERATIONS, json=SMALL).json()["data"][0]["url"]

    assert url.startswith("https://pictures.example.com/api/v1/files/images/job_")
    assert "signature=" in url
    assert door.client.get(url.removeprefix("https://pictures.example.com")).status_code == 200


def test_an_operators_name_is_taken(open_door: OpenDoor) -> None:
    door = open_door(model_aliases=("house-*=test-double",))

    job = _submit_only(door, {"prompt": "a lake", "model": "house-style", "size": "1001x1001"})

    assert (job["model"], job["input"]["width"]) == ("test-double", 1000)


@pytest.mark.parametrize(
    ("size", "expected"), [(None, "80x64"), ("auto", "80x64"), ("128x64", "128x64")]
)
def test_an_edit_has_the_shape_of_its_picture(
    working: Door, size: str | None, expected: str
) -> None:
    fields = {"prompt": "a boat"} | ({"size": size} if size else {})

    answer = working.client.post(EDITS, data=fields, files={"image": PICTURE})

    assert answer.status_code == 200, answer.json()
    assert answer.json()["size"] == expected


def test_several_pictures_and_a_mask_make_one_job(working: Door) -> None:
    files = [("image[]", PICTURE), ("image[]", PICTURE), ("mask", ("m.png", _mask(), "image/png"))]

    answer = working.client.post(EDITS, data={"prompt": "a boat", "n": "2"}, files=files)

    assert answer.status_code == 200, answer.json()
    assert len(answer.json()["data"]) == 2
    assert len(jobs_of(working)) == 1


def test_a_retry_with_files_finds_the_job_of_the_first(working: Door) -> None:
    files = [("image", PICTURE), ("image", PICTURE), ("mask", ("m.png", _mask(), "image/png"))]
    request: dict[str, Any] = {"data": {"prompt": "a boat"}, "files": files}

    first = working.client.post(EDITS, **request)
    again = working.client.post(EDITS, **request, headers=RETRY)

    assert first.json() == again.json()
    assert len(jobs_of(working)) == 1


def test_a_variation_needs_no_words(working: Door) -> None:
    answer = working.client.post(VARIATIONS, data={"n": "2"}, files={"image": PICTURE})

    body = answer.json()
    assert (answer.status_code, len(body["data"]), body["size"]) == (200, 2, "80x64")
    (job,) = jobs_of(working)
    assert job["input"]["strength"] == 0.6


def test_a_failed_job_is_an_error_that_is_not_repeated(open_door: OpenDoor) -> None:
    door = open_door(job_attempts=1)
    with worker_of(door.services):
        answer = door.client.post(GENERATIONS, json={"prompt": "fail=9 a lake"})

    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "generation_failed"
    assert answer.headers["x-should-retry"] == "false"


def test_a_used_up_quota_is_not_asked_again(door: Door) -> None:
    door.app.state.watch.release_all()
    for n in (4, 4, 2):
        door.client.post(GENERATIONS, json=SMALL | {"n": n, "seed": n})

    answer = door.client.post(GENERATIONS, json=SMALL)

    assert (answer.status_code, answer.json()["error"]["type"]) == (429, "rate_limit_error")
    assert answer.headers["x-should-retry"] == "false"


def test_models_are_listed_and_hosted_names_are_explained(door: Door) -> None:
    listed = door.client.get("/v1/models").json()
    one = door.client.get("/v1/models/sora-2").json()
    missing = door.client.get("/v1/models/midjourney")

    assert listed["object"] == "list"
    assert {model["id"] for model in listed["data"]} >= {"mini", "test-double"}
    assert all(model["owned_by"] == "gen_video" for model in listed["data"])
    assert (one["id"], one["gen_video"]["model"]) == ("sora-2", "test-double")
    assert (missing.status_code, missing.json()["code"]) == (404, "model_not_found")


def _mask() -> bytes:
    file = io.BytesIO()
    mask = Image.new("RGBA", (80, 64), (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (40, 0, 80, 64))
    mask.save(file, "PNG")
    return file.getvalue()
