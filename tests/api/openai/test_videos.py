"""Videos in OpenAI's words, over HTTP: made, looked at, listed, varied, deleted."""

import io
import time
from typing import Any

import av
import pytest
from PIL import Image

from tests.api.conftest import GENERATE, Door, OpenDoor, worker_of
from tests.api.test_first_frames import data_uri, png

VIDEOS = "/v1/videos"
SMALL = {"prompt": "waves", "size": "64x64", "seconds": "1", "num_inference_steps": 2}
MISSING = "job_AAAAAAAAAAAAAAAAAAAAAA"
RETRY = {"x-stainless-retry-count": "1"}


def create(door: Door, **fields: object) -> dict[str, Any]:
    """Ask for a video; return what was answered."""
    answer = door.client.post(VIDEOS, json=SMALL | fields)
    assert answer.status_code == 200, answer.json()
    view: dict[str, Any] = answer.json()
    return view


def wait(door: Door, video_id: str) -> dict[str, Any]:
    """Poll a video until its end, as the SDK does."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        view: dict[str, Any] = door.client.get(f"{VIDEOS}/{video_id}").json()
        if view["status"] not in {"queued", "in_progress"}:
            return view
        time.sleep(0.05)
    raise AssertionError("it never ended")


@pytest.fixture
def made(working: Door) -> dict[str, Any]:
    """Return a finished video."""
    return wait(working, create(working, seed=7)["id"])


def test_a_video_is_accepted_at_once_and_shown_as_openai_shows_it(door: Door) -> None:
    answer = door.client.post(VIDEOS, json={"prompt": "waves", "model": "sora-2"})

    view = answer.json()
    assert int(answer.headers["openai-poll-after-ms"]) >= 1000
    assert (view["object"], view["status"], view["progress"]) == ("video", "queued", 0)
    assert (view["seconds"], view["size"], view["model"]) == ("2", "64x64", "test-double")
    assert view["completed_at"] is view["error"] is view["remixed_from_video_id"] is None
    assert isinstance(view["created_at"], int)
    assert view["gen_video"]["cost"]["state"] == "reserved"


@pytest.mark.parametrize("encoding", ["json", "form without a file", "form"])
def test_a_video_is_asked_for_in_any_encoding(working: Door, encoding: str) -> None:
    match encoding:
        case "json":
            reference = {"input_reference": {"image_url": data_uri(png())}}
            answer = working.client.post(VIDEOS, json=SMALL | {"seconds": 1} | reference)
        case "form":
            files = {"input_reference": ("a.png", png(), "image/png")}
            fields = {name: str(text) for name, text in SMALL.items()}
            answer = working.client.post(VIDEOS, data=fields, files=files)
        case _:
            parts = {name: (None, str(text)) for name, text in SMALL.items()}
            answer = working.client.post(VIDEOS, files=parts)

    view = wait(working, answer.json()["id"])
    assert (view["status"], view["seconds"], view["size"]) == ("completed", "1", "64x64")
    job = working.client.get(view["gen_video"]["job_url"]).json()
    assert job["input"]["scenes"][0]["has_image"] == (encoding != "form without a file")


def test_a_picture_made_here_is_a_first_frame(working: Door) -> None:
    picture = working.client.post(GENERATE, json={"prompt": "a lake"}).json()["task_id"]

    for named in (picture, {"file_id": picture}):
        view = create(working, input_reference=named)
        assert wait(working, view["id"])["status"] == "completed"


def test_hosted_sizes_and_lengths_become_possible_ones(open_door: OpenDoor) -> None:
    door = open_door(default_video_model="mini-video")

    views = {
        model: door.client.post(
            VIDEOS,
            json={"prompt": "waves", "size": "1792x1024", "seconds": "12"}
            | ({} if model is None else {"model": model}),
        )
        for model in (None, "sora-2-pro", "mini-video")
    }

    for name in (None, "sora-2-pro"):
        view = views[name].json()
        assert (view["size"], view["seconds"]) == ("1008x576", "10")
    assert views["mini-video"].status_code == 422
    wrong = {problem["pointer"] for problem in views["mini-video"].json()["errors"]}
    assert wrong == {"/size", "/seconds"}


def test_the_files_of_a_video_are_sent_whatever_is_accepted(
    working: Door, made: dict[str, Any]
) -> None:
    url, accept = f"{VIDEOS}/{made['id']}/content", {"Accept": "application/binary"}

    video = working.client.get(url, headers=accept)
    stills = [
        working.client.get(f"{url}?variant={name}", headers=accept)
        for name in ("thumbnail", "spritesheet")
    ]
    part = working.client.get(url, headers=accept | {"Range": "bytes=0-9"})

    assert (video.status_code, video.headers["content-type"]) == (200, "video/mp4")
    with av.open(io.BytesIO(video.content), "r") as container:
        assert sum(1 for _ in container.decode(video=0)) == 8
    for still in stills:
        assert Image.open(io.BytesIO(still.content)).format == "JPEG"
    assert (part.status_code, part.content) == (206, video.content[:10])
    assert "private" in video.headers["Cache-Control"]


@pytest.mark.parametrize("call", ["content", "remix"])
def test_what_is_not_finished_cannot_be_used(door: Door, call: str) -> None:
    url = f"{VIDEOS}/{create(door)['id']}/{call}"

    answer = (
        door.client.post(url, json={"prompt": "x"}) if call == "remix" else door.client.get(url)
    )

    assert (answer.status_code, answer.json()["code"]) == (409, "video_not_ready")
    assert answer.headers["x-should-retry"] == "false"


def test_a_remix_is_the_same_video_after_another_prompt(
    working: Door, made: dict[str, Any]
) -> None:
    url = f"{VIDEOS}/{made['id']}/remix"

    remix = working.client.post(url, json={"prompt": "waves at night"}).json()
    again = working.client.post(url, json={"prompt": "waves at night"}, headers=RETRY).json()
    view = wait(working, remix["id"])

    assert again["id"] == remix["id"] != made["id"]
    assert (view["status"], view["prompt"]) == ("completed", "waves at night")
    assert view["remixed_from_video_id"] == made["id"]
    same = ("seed", "num_inference_steps", "guidance_scale", "fps", "num_frames")
    assert [view["gen_video"][name] for name in same] == [made["gen_video"][name] for name in same]


def test_videos_are_listed_by_page_in_both_orders(open_door: OpenDoor) -> None:
    door = open_door()
    ids = [door.other.post(VIDEOS, json=SMALL | {"seed": seed}).json()["id"] for seed in range(3)]
    door.other.post(GENERATE, json={"prompt": "a lake"}, headers={"Prefer": "respond-async"})

    def page(query: str) -> dict[str, Any]:
        found: dict[str, Any] = door.other.get(f"{VIDEOS}?{query}").json()
        return found

    newest, oldest = page("limit=2"), page("limit=2&order=asc")
    assert [view["id"] for view in newest["data"]] == ids[:0:-1]
    assert (newest["has_more"], newest["last_id"]) == (True, ids[1])
    assert [view["id"] for view in page(f"after={ids[1]}")["data"]] == [ids[0]]
    assert [view["id"] for view in oldest["data"]] == ids[:2]
    rest = page(f"order=asc&after={oldest['last_id']}")
    assert ([view["id"] for view in rest["data"]], rest["has_more"]) == ([ids[2]], False)
    assert door.client.get(VIDEOS).json() == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }


def test_deleting_is_final_and_safe_to_repeat(working: Door, made: dict[str, Any]) -> None:
    url = f"{VIDEOS}/{made['id']}"

    answers = [working.client.delete(url).json() for _ in range(2)]

    assert answers == [{"id": made["id"], "object": "video.deleted", "deleted": True}] * 2
    for gone in (url, f"{url}/content"):
        assert working.client.get(gone).status_code == 404
    assert working.client.post(f"{url}/remix", json={"prompt": "x"}).status_code == 404
    assert working.client.get(VIDEOS).json()["data"] == []


def test_an_unfinished_video_is_not_deleted(door: Door) -> None:
    answer = door.client.delete(f"{VIDEOS}/{create(door)['id']}")

    assert (answer.status_code, answer.json()["code"]) == (409, "job_unfinished")
    assert answer.headers["x-should-retry"] == "false"


def test_a_foreign_video_a_picture_and_nothing_look_alike(working: Door) -> None:
    own = working.other.post(VIDEOS, json=SMALL).json()["id"]
    picture = working.client.post(GENERATE, json={"prompt": "a lake"}).json()["task_id"]
    calls = [("GET", ""), ("DELETE", ""), ("GET", "/content"), ("POST", "/remix")]

    for method, tail in calls:
        bodies = []
        for name in (own, picture, MISSING):
            answer = working.client.request(
                method,
                f"{VIDEOS}/{name}{tail}",
                headers={"X-Request-Id": "same"},
                json={"prompt": "x"} if method == "POST" else None,
            )
            assert answer.status_code == 404
            bodies.append(answer.text.replace(name, MISSING))
        assert len(set(bodies)) == 1


@pytest.mark.parametrize(
    ("end", "code"), [("canceled", "canceled"), ("failed", "generation_failed")]
)
def test_every_other_end_is_a_failure_with_a_code(open_door: OpenDoor, end: str, code: str) -> None:
    door = open_door(job_attempts=1)
    video = create(door, prompt="fail=9 waves")
    if end == "canceled":
        door.client.post(f"{video['gen_video']['job_url']}/cancel")
    else:
        with worker_of(door.services):
            wait(door, video["id"])

    view = wait(door, video["id"])

    assert (view["status"], view["error"]["code"]) == ("failed", code)
    assert view["error"]["message"]
    assert view["completed_at"] is None


def test_a_retry_finds_the_same_video_and_a_plain_repetition_does_not(door: Door) -> None:
    files = {"input_reference": ("a.png", png(), "image/png")}
    fields = {name: str(text) for name, text in SMALL.items()}

    def send(headers: dict[str, str]) -> str:
        answer = door.client.post(VIDEOS, data=fields, files=files, headers=headers)
        name: str = answer.json()["id"]
        return name

    first = send({})

    assert send(RETRY) == first
    assert send({}) != first


def test_without_a_video_model_it_says_so_once(open_door: OpenDoor) -> None:
    door = open_door(default_video_model="", enable_test_model=True)
    catalogue = door.services.catalogue
    catalogue.default_video_model = ""

    answer = door.client.post(VIDEOS, json={"prompt": "waves", "model": "sora-2"})

    assert (answer.status_code, answer.json()["code"]) == (501, "video_not_available")
    assert answer.headers["x-should-retry"] == "false"
