"""A storyboard from the request to a player: real processes, another reader, a real browser."""

import io
import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import av
import pytest
from typing_extensions import override

from tests.journeys.browser import SECONDS, open_page
from tests.journeys.service import RunningService

pytestmark = pytest.mark.journey

FPS = 8
STORYBOARD = {
    "model": "test-double",
    "scenes": [
        {"prompt": "雪山日出", "duration": 2},
        {"prompt": "the same mountains at night", "num_frames": 24},
    ],
    "width": 320,
    "height": 192,
    "fps": FPS,
    "num_inference_steps": 4,
    "seed": 7,
}
PLAYER = """<!doctype html>
<title>player</title>
<video src="%s" muted preload="auto"></video>
<script>
  const video = document.querySelector("video");
  const tell = (name) => fetch("/told", {method: "POST", body: JSON.stringify({
    name, width: video.videoWidth, height: video.videoHeight, duration: video.duration,
    time: video.currentTime, problem: video.error && video.error.message})});
  const times = [3.5, 1, 4.9];
  const seek = () => { if (times.length) video.currentTime = times.shift(); };
  video.onerror = () => tell("error");
  // One after the other: two reports under way could overtake each other.
  video.onloadeddata = async () => { await tell("loaded"); seek(); };
  video.onseeked = async () => { await tell("seeked"); seek(); };
</script>
"""


@contextmanager
def player_of(url: str) -> Iterator[tuple[str, "queue.Queue[dict[str, Any]]"]]:
    """Serve a page with a player; give its address and what its script tells."""
    told: queue.Queue[dict[str, Any]] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer((PLAYER % url).encode())

        def do_POST(self) -> None:
            told.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._answer(b"")

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, name="player")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def made(service: RunningService) -> dict[str, Any]:
    """Return the answer to a storyboard of two scenes."""
    answer = service.client.post("/api/v1/videos/generate", json=STORYBOARD)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_a_storyboard_becomes_a_video_that_other_software_reads(
    service: RunningService, made: dict[str, Any]
) -> None:
    file = service.client.get(made["video_url"], headers={"X-API-Key": ""})

    assert len(file.content) == made["file_size"]
    with av.open(io.BytesIO(file.content), "r") as container:
        (stream,) = container.streams
        assert container.duration is not None
        seconds = container.duration / 1_000_000
        assert isinstance(stream, av.VideoStream)
        frames = list(container.decode(stream))
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height, stream.average_rate) == (320, 192, Fraction(FPS))
    assert len(frames) == 2 * FPS + 24
    assert abs(seconds - 5.0) <= 1 / FPS
    assert abs(seconds - made["duration"]) <= 1 / FPS
    assert all(
        abs(float(frame.time or 0) - number / FPS) < 0.001 for number, frame in enumerate(frames)
    )
    assert made["quota_remaining"]["videos"] == 1
    audit = service.run_command("audit")
    assert audit.returncode == 0, audit.stdout + audit.stderr


def test_a_browser_plays_and_seeks_a_video(
    service: RunningService, made: dict[str, Any], tmp_path: Path
) -> None:
    url = f"{service.url}{made['video_url']}"

    with player_of(url) as (page, told), open_page(page, tmp_path / "profile"):
        stories = [told.get(timeout=SECONDS) for _ in range(4)]

    assert [story["name"] for story in stories] == ["loaded", *["seeked"] * 3], stories
    assert {(story["width"], story["height"]) for story in stories} == {(320, 192)}
    assert all(abs(story["duration"] - 5.0) <= 1 / FPS for story in stories)
    assert [round(story["time"], 3) for story in stories] == [0, 3.5, 1, 4.9]
