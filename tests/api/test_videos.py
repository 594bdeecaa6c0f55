"""Videos over HTTP: made, shown, followed, deleted, and counted against a quota of their own."""

import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import pytest
from PIL import Image

from tests.api.conftest import ASYNC, CLIP, FILM, GENERATE, SMALL, Door, OpenDoor, worker_of
from tests.api.test_jobs import parse_events
from tests.generation.fakes import wait_until

STORYBOARD = {
    "scenes": [
        {"prompt": "mountains at dawn", "num_frames": 8},
        {"prompt": "the same at night", "duration": 1.5},
    ],
    "width": 64,
    "height": 64,
    "fps": 8,
    "num_inference_steps": 2,
    "seed": 5,
}
FORMATS = [
    ("mp4", "video/mp4"),
    ("webm", "video/webm"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
]


def videos_left(door: Door) -> int:
    """Return how many videos may still be made today."""
    left: int = door.client.get("/api/v1/quota").json()["quota_remaining"]["videos"]
    return left


def test_words_become_a_video_that_is_answered_in_the_seeds_words(working: Door) -> None:
    answer = working.client.post(FILM, json=CLIP | {"seed": 5})

    body = answer.json()
    task_id = body["task_id"]
    folder = f"/api/v1/files/videos/{task_id}"
    assert answer.status_code == 200, body
    assert (body["status"], body["model"], body["seed"]) == ("completed", "test-double", 5)
    assert body["video_url"] == f"{folder}.mp4"
    assert (body["poster_url"], body["thumbnails_url"]) == (
        f"{folder}_poster.jpg",
        f"{folder}_strip.jpg",
    )
    assert (body["duration"], body["num_frames"], body["fps"]) == (1.0, 8, 8)
    assert (body["width"], body["height"], body["mime"]) == (64, 64, "video/mp4")
    assert body["quota_remaining"] == {"images": 10, "videos": 1}
    assert body["elapsed_seconds"] > 0
    assert body["job_url"] == answer.headers["Location"] == f"/api/v1/jobs/{task_id}"
    assert answer.headers["RateLimit-Policy"].startswith('"videos-day";q=2;w=86400;qu="videos"')
    assert working.services.auditor.audit().findings == ()


def test_the_file_is_there_for_everybody_who_knows_its_name(working: Door) -> None:
    body = working.client.post(FILM, json=CLIP).json()

    file = working.client.get(body["video_url"], headers={"X-API-Key": ""})

    assert file.headers["content-type"] == "video/mp4"
    assert len(file.content) == body["file_size"]
    public = working.services.settings.output_dir / "videos" / f"{body['task_id']}.mp4"
    assert public.read_bytes() == file.content
    with av.open(io.BytesIO(file.content), "r") as container:
        frames = list(container.decode(video=0))
    assert [(frame.width, frame.height) for frame in frames] == [(64, 64)] * 8


def test_a_duration_is_as_good_as_a_number_of_frames(working: Door) -> None:
    fields = {name: value for name, value in CLIP.items() if name != "num_frames"}

    body = working.client.post(FILM, json=fields | {"duration": 1.5}).json()

    assert (body["num_frames"], body["duration"]) == (12, 1.5)


def test_a_storyboard_becomes_one_clip_and_costs_one_unit(working: Door) -> None:
    body = working.client.post(FILM, json=STORYBOARD).json()

    assert (body["num_frames"], body["duration"], body["seed"]) == (20, 2.5, 5)
    job = working.client.get(body["job_url"]).json()
    assert job["cost"] == {"units": 1, "credits": 0, "source": "quota", "state": "captured"}
    assert job["input"]["scenes"] == [
        {
            "prompt": "mountains at dawn",
            "num_frames": 8,
            "duration_seconds": 1.0,
            "has_image": False,
        },
        {
            "prompt": "the same at night",
            "num_frames": 12,
            "duration_seconds": 1.5,
            "has_image": False,
        },
    ]
    assert videos_left(working) == 1


def test_a_fade_shortens_a_storyboard_by_half_a_second(working: Door) -> None:
    body = working.client.post(FILM, json=STORYBOARD | {"transition": "crossfade"}).json()

    assert (body["num_frames"], body["duration"]) == (16, 2.0)
    assert working.client.get(body["job_url"]).json()["input"]["overlap"] == 4


@pytest.mark.parametrize(("name", "mime"), FORMATS)
def test_every_format_has_its_type_and_its_ending(working: Door, name: str, mime: str) -> None:
    body = working.client.post(FILM, json=CLIP | {"output_format": name}).json()

    answer = working.client.get(body["video_url"])

    assert body["video_url"].endswith(f"{body['task_id']}.{name}")
    assert body["mime"] == answer.headers["content-type"] == mime
    assert len(answer.content) == body["file_size"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Disposition"].startswith('inline; filename="job_')


def test_a_player_may_ask_for_parts_of_a_video(working: Door) -> None:
    url = working.client.post(FILM, json=CLIP).json()["video_url"]
    whole = working.client.get(url).content

    start, end, over = (
        working.client.get(url, headers={"Range": f"bytes={asked}"})
        for asked in ("0-99", "-50", f"{len(whole)}-")
    )

    assert (start.status_code, start.content) == (206, whole[:100])
    assert (end.status_code, end.content) == (206, whole[-50:])
    assert start.headers["Content-Range"] == f"bytes 0-99/{len(whole)}"
    assert start.headers["content-type"] == "video/mp4"
    assert over.status_code == 416


def test_head_says_of_each_file_what_get_says(working: Door) -> None:
    body = working.client.post(FILM, json=CLIP).json()

    for name in ("video_url", "poster_url", "thumbnails_url"):
        got, asked = working.client.get(body[name]), working.client.head(body[name])
        assert (asked.status_code, asked.content) == (200, b"")
        for header in ("content-length", "content-type", "etag", "accept-ranges"):
            assert asked.headers[header] == got.headers[header]


def test_the_stills_are_pictures_of_the_video(working: Door) -> None:
    body = working.client.post(FILM, json=CLIP | {"width": 320, "height": 192}).json()

    poster, strip = (
        working.client.get(body[name], headers={"X-API-Key": ""})
        for name in ("poster_url", "thumbnails_url")
    )

    assert poster.headers["content-type"] == strip.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(poster.content)).size == (320, 192)
    assert Image.open(io.BytesIO(strip.content)).size == (8 * 160, 96)


def test_a_task_and_a_job_show_the_same_video(working: Door) -> None:
    body = working.client.post(FILM, json=CLIP | {"metadata": {"order": "7"}}).json()

    task = working.client.get(f"/api/v1/tasks/{body['task_id']}").json()
    job = working.client.get(body["job_url"]).json()

    for name in ("task_id", "status", "video_url", "poster_url", "file_size", "duration", "fps"):
        assert task[name] == body[name]
    assert (task["image_url"], task["images"]) == (None, [])
    assert (job["kind"], job["status"], job["metadata"]) == ("video", "succeeded", {"order": "7"})
    assert job["outputs"] == [
        {
            "url": body["video_url"],
            "mime": "video/mp4",
            "size_bytes": body["file_size"],
            "width": 64,
            "height": 64,
            "seed": body["seed"],
            "sha256": body["sha256"],
            "duration_seconds": 1.0,
            "fps": 8,
            "thumbnail_url": body["poster_url"],
            "state": "live",
        }
    ]
    assert (job["input"]["fps"], job["input"]["n"], job["input"]["strength"]) == (8, 1, None)


def test_pictures_and_videos_are_listed_together_and_apart(working: Door) -> None:
    picture = working.client.post(GENERATE, json=SMALL).json()["task_id"]
    video = working.client.post(FILM, json=CLIP).json()["task_id"]

    def listed(query: str) -> list[str]:
        page = working.client.get(f"/api/v1/jobs{query}").json()
        return [job["id"] for job in page["data"]]

    assert listed("") == [video, picture]
    assert listed("?kind=video") == [video]
    assert listed("?kind=image") == [picture]


def test_deleting_a_video_erases_all_three_files_and_keeps_the_charge(working: Door) -> None:
    body = working.client.post(FILM, json=CLIP).json()

    for _ in range(2):
        assert working.client.delete(body["job_url"]).status_code == 200

    for name in ("video_url", "poster_url", "thumbnails_url"):
        gone = working.client.get(body[name])
        assert (gone.status_code, gone.json()["code"]) == (410, "file_gone")
    left = [name for name in working.list_files() if name.endswith((".mp4", ".jpg"))]
    assert left == []
    assert videos_left(working) == 1


def test_the_third_video_of_the_day_is_429_and_pictures_go_on(door: Door) -> None:
    for _ in range(2):
        assert door.client.post(FILM, json=CLIP, headers=ASYNC).status_code == 202
    before = door.count_rows()

    answer = door.client.post(FILM, json=CLIP, headers=ASYNC | {"Accept-Language": "zh"})

    body = answer.json()
    assert (answer.status_code, body["code"]) == (429, "quota_exceeded")
    assert "配额" in body["detail"]
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["x-should-retry"] == "false"
    assert answer.headers["RateLimit"].startswith('"videos-day";r=0;t=')
    assert door.count_rows() == before
    assert door.client.post(GENERATE, json=SMALL, headers=ASYNC).status_code == 202


def test_twenty_at_once_for_two_units_are_exactly_two(door: Door) -> None:
    with ThreadPoolExecutor(20) as threads:
        answers = list(
            threads.map(
                lambda number: door.client.post(FILM, json=CLIP | {"seed": number}, headers=ASYNC),
                range(20),
            )
        )

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [202] * 2 + [429] * 18
    quota = door.client.get("/api/v1/quota").json()["quota"]["videos"]
    assert quota == {"limit": 2, "used": 0, "reserved": 2, "remaining": 0}
    assert door.services.auditor.audit().findings == ()


def test_the_same_key_and_request_give_the_same_video(working: Door) -> None:
    headers = {"Idempotency-Key": "order-1"}
    first = working.client.post(FILM, json=STORYBOARD, headers=headers)

    second = working.client.post(FILM, json=STORYBOARD, headers=headers)
    other = working.client.post(FILM, json=STORYBOARD | {"fps": 9}, headers=headers)

    assert second.json() == first.json()
    assert second.headers["Idempotency-Replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert videos_left(working) == 1


def test_one_key_stands_for_a_picture_and_for_a_video(door: Door) -> None:
    headers = ASYNC | {"Idempotency-Key": "order-1"}

    picture = door.client.post(GENERATE, json=SMALL, headers=headers)
    video = door.client.post(FILM, json=CLIP, headers=headers)

    assert (picture.status_code, video.status_code) == (202, 202)
    assert picture.json()["task_id"] != video.json()["task_id"]


def test_a_client_that_does_not_wait_follows_the_scenes(working: Door) -> None:
    slow = [{"prompt": f"sleep=1 scene {number}", "num_frames": 8} for number in (1, 2)]
    answer = working.client.post(
        FILM, json=STORYBOARD | {"scenes": slow, "num_inference_steps": 10}, headers=ASYNC
    )
    accepted = answer.json()
    assert answer.status_code == 202
    assert answer.headers["Preference-Applied"] == "respond-async"
    assert (accepted["status"], accepted["progress"]["scenes"]) == ("queued", 2)
    assert accepted["quota_remaining"]["videos"] == 1

    stream = working.client.get(accepted["events_url"])

    found = list(parse_events(stream.text))
    numbers = [number for number, _, _ in found]
    assert numbers == sorted(set(numbers))
    assert (found[-1][1], found[-1][2]["status"]) == ("succeeded", "succeeded")
    told = [json.loads(json.dumps(data)) for _, name, data in found if name == "progress"]
    scenes = [data["scene"] for data in told]
    percents = [data["percent"] for data in told]
    assert scenes == sorted(scenes)
    assert set(scenes) == {1, 2}
    assert percents == sorted(percents)
    assert {(data["scenes"], data["steps"]) for data in told} == {(2, 20)}


def test_a_scene_that_fails_is_named_and_costs_nothing(open_door: OpenDoor) -> None:
    door = open_door(job_attempts=1)
    scenes = [{"prompt": "dawn"}, {"prompt": "fail=9"}, {"prompt": "night"}]
    with worker_of(door.services):
        answer = door.client.post(
            FILM, json=STORYBOARD | {"scenes": scenes}, headers={"Accept-Language": "zh"}
        )

    body = answer.json()
    assert (answer.status_code, body["code"]) == (500, "scene_failed"), body
    assert body["detail"].startswith("第 2 个分镜（共 3 个）失败")
    error = door.client.get(body["job_url"], headers={"Accept-Language": "en"}).json()["error"]
    assert error["message"].startswith("Scene 2 of 3 failed")
    assert videos_left(door) == 2
    assert door.list_files() == []


def test_a_canceled_video_gives_its_unit_back(working: Door) -> None:
    slow = CLIP | {"prompt": "sleep=3600", "num_inference_steps": 1000}
    job_url = working.client.post(FILM, json=slow, headers=ASYNC).json()["job_url"]
    wait_until(lambda: working.client.get(job_url).json()["status"] == "running")

    asked = working.client.post(f"{job_url}/cancel")
    stream = working.client.get(f"{job_url}/events")

    assert asked.status_code == 200
    assert list(parse_events(stream.text))[-1][1] == "canceled"
    assert videos_left(working) == 2


def test_a_picture_need_not_wait_for_a_video(working: Door) -> None:
    slow = CLIP | {"prompt": "sleep=3600", "num_inference_steps": 1000}
    job_url = working.client.post(FILM, json=slow, headers=ASYNC).json()["job_url"]
    wait_until(lambda: working.client.get(job_url).json()["status"] == "running")

    picture = working.client.post(GENERATE, json=SMALL)

    assert picture.status_code == 200
    assert working.client.get(job_url).json()["status"] == "running"
    working.client.post(f"{job_url}/cancel")


PICTURES_ONLY = """
[[model]]
id = "still"
enabled = true
title_en = "Still"
title_zh = "静物"
source = "none"
engine = "test-double"
defaults = { width = 64, height = 64, num_inference_steps = 4, guidance_scale = 1.0 }
limits = { min_width = 8, min_height = 8 }
licence = "none"
"""


def test_without_a_model_of_videos_the_call_is_501_and_touches_nothing(
    open_door: OpenDoor, tmp_path: Path
) -> None:
    catalogue = tmp_path / "models.toml"
    catalogue.write_text(PICTURES_ONLY, encoding="utf-8")
    door = open_door(models_file=catalogue, default_image_model="still", default_video_model="")
    before = door.count_rows()

    answer = door.client.post(FILM, json={"prompt": "waves"}, headers=ASYNC)

    assert (answer.status_code, answer.json()["code"]) == (501, "video_not_available")
    assert "gen-video models list" in answer.json()["detail"]
    assert door.count_rows() == before
    assert videos_left(door) == 2
