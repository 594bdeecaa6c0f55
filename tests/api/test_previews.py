"""Previews in the events of a job: in order, once, also for clients that come back."""

import base64
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from gen_video.generation import runner
from tests.api.conftest import ASYNC, CLIP, FILM, GENERATE, SMALL, Door

SLOW: dict[str, object] = SMALL | {"prompt": "sleep=1", "num_inference_steps": 20}
Event = tuple[int, str, dict[str, Any]]


def read_events(door: Door, job_id: str, *, after: int | None = None) -> list[Event]:
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    stream = door.client.get(f"/api/v1/jobs/{job_id}/events", headers=headers)
    return list(_parse(stream.text))


def _parse(text: str) -> Iterator[Event]:
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line[:1] != ":")
        if fields:
            yield int(fields["id"]), fields["event"], json.loads(fields["data"])


def submit(door: Door, fields: dict[str, object], path: str = GENERATE) -> str:
    answer = door.client.post(path, json=fields, headers=ASYNC)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task_id"])


def previews_of(events: list[Event]) -> list[dict[str, Any]]:
    return [data["preview"] for _, _, data in events if "preview" in data]


def test_previews_come_with_the_progress_in_order_and_are_pictures(working: Door) -> None:
    job_id = submit(working, SLOW | {"previews": 4})

    events = read_events(working, job_id)

    shown = previews_of(events)
    numbers = [number for number, _, _ in events]
    assert numbers == sorted(set(numbers))
    assert [preview["number"] for preview in shown] == [1, 2, 3, 4]
    assert [preview["step"] for preview in shown] == [4, 8, 12, 16]
    assert events[-1][1] == "succeeded"
    for preview in shown:
        with Image.open(io.BytesIO(base64.b64decode(preview["b64_json"]))) as image:
            assert image.size == (preview["width"], preview["height"]) == (256, 256)
            assert image.get_format_mimetype() == preview["mime"]


def test_a_client_that_comes_back_misses_no_preview_and_gets_none_twice(working: Door) -> None:
    job_id = submit(working, SLOW | {"previews": 4})
    events = read_events(working, job_id)
    with_preview = [number for number, _, data in events if "preview" in data]

    later = [
        [preview["number"] for preview in previews_of(read_events(working, job_id, after=number))]
        for number in (0, *with_preview, events[-1][0])
    ]

    assert later == [[1, 2, 3, 4], [2, 3, 4], [3, 4], [4], [], []]


def test_every_process_numbers_the_end_alike(working: Door) -> None:
    job_id = submit(working, SLOW | {"previews": 2})

    ends = {read_events(working, job_id, after=after)[-1][0] for after in (None, 1, 10_000_000_000)}

    assert len(ends) == 1


def test_a_short_job_shows_its_previews_too(working: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends before the first beat of its heart."""
    monkeypatch.setattr(runner, "HEARTBEAT_SECONDS", 60.0)
    made = working.client.post(GENERATE, json=SMALL | {"num_inference_steps": 4, "previews": 2})

    assert [
        found["step"] for found in previews_of(read_events(working, made.json()["task_id"]))
    ] == [
        2,
        3,
    ]


def test_videos_have_previews_shared_by_their_scenes(working: Door) -> None:
    scenes = [{"prompt": "waves", "num_frames": 8}, {"prompt": "hills", "num_frames": 8}]
    steps = {"num_inference_steps": 4}
    board = {"scenes": scenes, "width": 64, "height": 32, "previews": 3} | steps

    clip = read_events(working, submit(working, CLIP | steps | {"previews": 2}, FILM))
    film = read_events(working, submit(working, board, FILM))

    assert [found["step"] for found in previews_of(clip)] == [2, 3]
    assert [found["step"] for found in previews_of(film)] == [2, 6, 7]
    assert {(found["width"], found["height"]) for found in previews_of(film)} == {(256, 128)}


def test_without_the_wish_there_are_none(working: Door) -> None:
    job_id = submit(working, SLOW)

    assert previews_of(read_events(working, job_id)) == []
    assert working.count_rows()["job_previews"] == 0
