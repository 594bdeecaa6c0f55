"""Scripts written for the hosted service run here, with another base URL and key only."""

from io import BytesIO
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from tests.sdk.conftest import MAJORS, SIDE, Script, parse

pytestmark = pytest.mark.journey


def size_of(path: Path) -> tuple[str | None, tuple[int, int]]:
    """Return format and size of a picture."""
    with Image.open(path) as image:
        image.load()
        return image.format, image.size


def video_figures(path: Path) -> tuple[int, int, float]:
    """Return width, height and seconds of a video."""
    with av.open(BytesIO(path.read_bytes()), "r") as container:
        stream = container.streams.video[0]
        frames = sum(1 for _ in container.decode(video=0))
        return stream.width, stream.height, frames / float(stream.average_rate or 1)


@pytest.mark.parametrize("major", MAJORS)
def test_a_script_for_the_hosted_service_runs_unchanged(script: Script, major: int) -> None:
    seen = parse(script.python(major, "hosted.py", str(script.folder)))

    check_pictures(seen, script)
    check_edits(seen, script)
    check_videos(seen, script)
    assert {"mini", "test-double"} <= set(seen["models"])
    assert seen["model"]["id"] == "gpt-image-1"


def check_pictures(seen: dict[str, Any], script: Script) -> None:
    """Compare what was answered with what was really made."""
    made = seen["generate"]
    assert (made["size"], made["quality"], made["output_format"]) == ("1024x1536", "low", "webp")
    assert (made["background"], made["total_tokens"]) == ("opaque", 0)
    assert made["extra"]["gen_video"]["cost"]["units"] == 2
    # The double draws in 4 steps; a low quality takes half of them.
    assert made["extra"]["gen_video"]["num_inference_steps"] == 2
    for index in range(2):
        assert size_of(script.folder / f"generated_{index}.webp") == ("WEBP", (1024, 1536))
    assert seen["url"]["b64_json"] is None
    answer = script.service.client.get(seen["url"]["url"])
    assert Image.open(BytesIO(answer.content)).size == (1024, 1024)
    assert seen["b64_json"] == {"url": None, "size": f"{SIDE}x{SIDE}"}
    check_stream(seen["stream"], script)


def check_stream(events: list[dict[str, Any]], script: Script) -> None:
    """Compare the pictures on the way with the finished one."""
    types = [event["type"] for event in events]
    assert types == [*["image_generation.partial_image"] * 2, "image_generation.completed"]
    assert [event["index"] for event in events] == [0, 1, None]
    for number, event in enumerate(events, 1):
        path = next(script.folder.glob(f"stream_{number}.*"))
        width, height = size_of(path)[1]
        assert event["size"] == f"{width}x{height}"
    assert size_of(script.folder / "stream_3.png") == ("PNG", (SIDE, SIDE))


def check_edits(seen: dict[str, Any], script: Script) -> None:
    """Look at what the mask left alone."""
    assert seen["edit"] == {"size": f"{SIDE}x{SIDE}"}
    before = Image.open(script.folder / "source.png").convert("RGB")
    after = Image.open(script.folder / "edited.png").convert("RGB")
    half = (0, 0, SIDE // 2 - 16, SIDE)
    assert before.crop(half).tobytes() == after.crop(half).tobytes()
    assert before.tobytes() != after.tobytes()
    assert seen["edit_stream"] == ["image_edit.partial_image", "image_edit.completed"]
    assert seen["variation"] == {"size": f"{SIDE}x{SIDE}", "count": 2}


def check_videos(seen: dict[str, Any], script: Script) -> None:
    """Compare the jobs with the files."""
    created, polled, remixed = seen["created"], seen["polled"], seen["remixed"]
    assert (created["object"], created["status"]) == ("video", "queued")
    assert (polled["id"], polled["status"], polled["progress"]) == (created["id"], "completed", 100)
    assert (polled["seconds"], polled["size"]) == ("4", "1280x720")
    assert video_figures(script.folder / "video") == (1280, 720, 4.0)
    assert size_of(script.folder / "thumbnail")[0] == "JPEG"
    assert size_of(script.folder / "spritesheet")[0] == "JPEG"
    assert remixed["remixed_from_video_id"] == created["id"]
    assert remixed["gen_video"]["seed"] == created["gen_video"]["seed"]
    assert (remixed["prompt"], remixed["seconds"]) == ("waves at night", "4")
    started = seen["from_picture"]
    assert (started["status"], started["seconds"], started["size"]) == (
        "completed",
        "8",
        "1024x1792",
    )
    ids = [started["id"], remixed["id"], created["id"]]
    assert (seen["page"]["ids"], seen["newest"]) == (ids[:2], ids)
    assert seen["oldest"] == ids[::-1]
    assert seen["deleted"] == {"id": remixed["id"], "object": "video.deleted", "deleted": True}
    assert seen["left"] == [started["id"], created["id"]]


def test_a_script_in_javascript_runs_unchanged(script: Script) -> None:
    seen = parse(script.javascript("hosted.mjs", str(script.folder)))

    assert seen["generate"]["count"] == 2
    assert seen["generate"]["size"] == "1536x1024"
    assert seen["generate"]["url"].startswith(script.service.url)
    assert size_of(script.folder / "generated.jpeg") == ("JPEG", (1536, 1024))
    assert seen["stream"][-1] == "image_generation.completed"
    assert seen["stream"][:-1] == ["image_generation.partial_image"] * 2
    assert seen["edit"] == {"size": f"{SIDE}x{SIDE}"}
    assert seen["variation"] == {"count": 1}
    assert (seen["polled"]["status"], seen["polled"]["size"]) == ("completed", "720x1280")
    assert video_figures(script.folder / "video") == (720, 1280, 4.0)
    assert size_of(script.folder / "thumbnail")[0] == "JPEG"
    assert size_of(script.folder / "spritesheet")[0] == "JPEG"
    assert seen["remixed"]["remixed_from_video_id"] == seen["created"]["id"]
    assert seen["newest"] == [seen["remixed"]["id"], seen["created"]["id"]]
    assert seen["deleted"]["deleted"] is True
    assert "test-double" in seen["models"]
    assert seen["error"] == {
        "name": "UnprocessableEntityError",
        "status": 422,
        "code": "invalid_request",
    }
    assert "asked to fail" in seen["stream_error"]["message"]
