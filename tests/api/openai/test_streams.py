"""Streams of pictures: pictures on the way, the finished ones, and errors as events."""

import asyncio
import base64
import io
import json
from typing import Any

import pytest
from PIL import Image

from gen_video.api.openai import streams
from gen_video.api.v1.events import HEARTBEAT
from tests.api.conftest import Door, OpenDoor, worker_of
from tests.api.test_first_frames import png

GENERATIONS, EDITS = "/v1/images/generations", "/v1/images/edits"
STREAM = {"prompt": "sleep=1.2 a lake", "size": "64x64", "stream": True}
RETRY = {"x-stainless-retry-count": "1"}
NAMES = ("image_generation.partial_image", "image_generation.completed")
COMMON = {"type", "b64_json", "created_at", "background", "output_format", "quality", "size"}


def read(text: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the events of a stream: name and data."""
    found = []
    for block in text.split("\n\n"):
        lines = dict(
            line.split(": ", 1) for line in block.splitlines() if line[:1] not in {"", ":"}
        )
        if lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


def test_a_stream_has_pictures_on_the_way_and_the_finished_one(working: Door) -> None:
    answer = working.client.post(GENERATIONS, json=STREAM | {"partial_images": 2})

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Accel-Buffering"] == "no"
    *partial, (name, done) = read(answer.text)
    assert [name for name, _ in partial] == [NAMES[0]] * 2
    assert [data["partial_image_index"] for _, data in partial] == [0, 1]
    assert name == done["type"] == NAMES[1]
    assert set(partial[0][1]) == COMMON | {"partial_image_index"}
    assert set(done) == COMMON | {"usage", "gen_video", "url"}
    for data in (*(data for _, data in partial), done):
        image = Image.open(io.BytesIO(base64.b64decode(data["b64_json"])))
        assert data["size"] == f"{image.width}x{image.height}"
        assert data["output_format"] == str(image.format).lower()


@pytest.mark.parametrize("partial_images", [0, None])
def test_nothing_comes_on_the_way_unless_it_is_asked_for(
    working: Door, partial_images: int | None
) -> None:
    body = STREAM | {"prompt": "a lake", "partial_images": partial_images, "n": 2}

    found = read(working.client.post(GENERATIONS, json=body).text)

    assert [name for name, _ in found] == [NAMES[1]] * 2
    assert found[0][1]["url"] != found[1][1]["url"]


def test_an_edit_has_its_own_names(working: Door) -> None:
    fields = {"prompt": "a boat", "stream": "true"}

    answer = working.client.post(EDITS, data=fields, files={"image": ("a.png", png(), "image/png")})

    assert [name for name, _ in read(answer.text)] == ["image_edit.completed"]


def test_a_stream_that_is_asked_for_again_belongs_to_the_same_job(working: Door) -> None:
    first = read(working.client.post(GENERATIONS, json=STREAM).text)
    again = working.client.post(GENERATIONS, json=STREAM, headers=RETRY)

    assert read(again.text) == first
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(working.client.get("/api/v1/jobs").json()["data"]) == 1


def test_a_failure_is_an_event_that_sdks_raise(open_door: OpenDoor) -> None:
    door = open_door(job_attempts=1)
    body = STREAM | {"prompt": "fail=9 a lake"}

    with worker_of(door.services):
        answer = door.client.post(GENERATIONS, json=body, headers={"Accept-Language": "zh"})

    ((name, data),) = read(answer.text)
    assert (name, data["error"]["code"]) == ("error", "generation_failed")
    assert data["error"]["type"] == "server_error"
    assert "模型" in data["error"]["message"]
    assert data["gen_video"]["job_id"].startswith("job_")


def test_what_is_wrong_before_the_stream_is_a_plain_error(door: Door) -> None:
    answer = door.client.post(GENERATIONS, json=STREAM | {"n": 0})

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_server_that_stops_says_so(door: Door) -> None:
    door.app.state.watch.release_all()

    ((name, data),) = read(door.client.post(GENERATIONS, json=STREAM).text)

    assert (name, data["error"]["code"]) == ("error", "draining")


def test_a_quiet_stream_shows_that_it_is_alive(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_SECONDS", 0.05)
    portal = door.client.portal
    assert portal is not None
    watch = door.app.state.watch

    async def call_off() -> None:
        while not watch.waiting:  # noqa: ASYNC110 - the watch tells nobody
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
        watch.release_all()

    portal.start_task_soon(call_off)
    text = door.client.post(GENERATIONS, json=STREAM).text

    assert text.count(HEARTBEAT) > 3
