"""Short ways through the playground in this process: submit, wait, and read a card."""

import io
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from httpx2 import Response
from PIL import Image
from starlette.testclient import TestClient

from gen_video.accounts.models import Caller
from gen_video.generation.models import Job
from tests.console.conftest import ORIGIN, Console, find_token

PICTURES, VIDEOS = "/console/playground", "/console/playground/video"
SMALL = {"model": "test-double", "width": "64", "height": "64", "num_inference_steps": "2"}
DRAWING = SMALL | {"prompt": "a lake"}
SCENE = {"scene_prompt": "waves", "scene_duration": "1"}
FILM = SMALL | SCENE
HTMX = {"HX-Request": "true"}
WAIT_SECONDS = 30.0
_CARD = re.compile(r'id="card-(job_\w{22})"')
FileParts = Sequence[tuple[str, tuple[str, bytes, str]]]


def png(color: str = "teal", size: tuple[int, int] = (80, 64)) -> bytes:
    """Return a picture of one color."""
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, "PNG")
    return file.getvalue()


def post(
    console: Console,
    path: str,
    data: Mapping[str, Any] | None = None,
    *,
    client: TestClient | None = None,
    files: FileParts = (),
) -> Response:
    """Submit a form as htmx does; in a language that tests read."""
    browser = client or console.client
    headers = HTMX | {
        "Origin": ORIGIN,
        "X-CSRF-Token": find_token(browser),
        "Accept-Language": "en",
    }
    return browser.post(path, data=dict(data or {}), files=list(files) or None, headers=headers)


def card_id(answer: Response) -> str:
    """Return the id of the job whose card is shown."""
    assert answer.status_code == 200, answer.text
    found = _CARD.search(answer.text)
    assert found is not None, answer.text
    return found[1]


def submit(console: Console, path: str = PICTURES, **changes: str) -> str:
    """Submit a small job; return its id."""
    return card_id(post(console, path, (DRAWING if path == PICTURES else FILM) | changes))


def caller_of(console: Console) -> Caller:
    """Return the account of the browser that is no admin's."""
    return console.services.accounts.authenticate("test-key-123")


def job_of(console: Console, job_id: str) -> Job:
    """Return a job of that account."""
    return console.services.jobs.get(caller_of(console), job_id)


def wait_for(console: Console, job_id: str) -> Job:
    """Return a job once it has ended."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (job := job_of(console, job_id)).state.is_terminal:
        assert time.monotonic() < deadline, job
        time.sleep(0.02)
    return job
