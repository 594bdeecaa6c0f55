"""Both clients against the real service, also through a proxy that cuts connections."""

import asyncio
import io
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

import pytest
from PIL import Image

from gen_video.client import (
    AsyncClient,
    Client,
    Job,
    JobCanceledError,
    JobFailedError,
    NotFoundError,
    Progress,
    QuotaExceededError,
    ValidationError,
)
from tests.client.conftest import Make
from tests.client.cutting import CuttingProxy, cut_after, cut_inside_event, lose_answer
from tests.journeys.service import RunningService

pytestmark = pytest.mark.journey


class Size(TypedDict):
    width: int
    height: int
    num_inference_steps: int


class Clip(Size):
    fps: int
    model: str


SMALL: Size = {"width": 64, "height": 64, "num_inference_steps": 4}
CLIP: Clip = {"width": 64, "height": 64, "num_inference_steps": 2, "fps": 8, "model": "test-double"}


@pytest.fixture
def proxy(service: RunningService) -> Iterator[CuttingProxy]:
    with CuttingProxy(service.port) as cutting:
        yield cutting


def test_a_picture_from_prompt_to_file(service: RunningService, make: Make, tmp_path: Path) -> None:
    client = make(base_url=service.url, language="zh")
    told: list[Progress] = []

    job = client.generate_image("a lake sleep=0.4", n=2, seed=7, on_progress=told.append, **SMALL)
    paths = client.download_all(job, tmp_path)

    assert job.model == "test-double"
    assert job.input["seed"] == 7
    assert told[-1].percent == 100.0
    assert [Image.open(path).size for path in paths] == [(64, 64), (64, 64)]
    assert client.delete(job).outputs[0].state == "deleted"


def test_a_picture_of_a_picture(service: RunningService, make: Make, tmp_path: Path) -> None:
    client = make(base_url=service.url)
    first = client.download(client.generate_image("a lake", **SMALL), tmp_path / "lake.png")

    job = client.edit_image("a boat", first, strength=0.5, **SMALL)

    assert job.input["strength"] == 0.5
    assert job.is_succeeded


def test_a_video_of_scenes_begins_with_a_picture(
    service: RunningService, make: Make, tmp_path: Path
) -> None:
    client = make(base_url=service.url)
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(buffer, "PNG")

    job = client.generate_video(
        scenes=[
            {"prompt": "dawn", "num_frames": 8, "image": buffer.getvalue()},
            {"prompt": "night", "num_frames": 8},
        ],
        transition="cut",
        wait=False,
        **CLIP,
    )
    events = list(client.stream(job))

    end = events[-1].job
    assert end is not None
    assert [scene["has_image"] for scene in end.input["scenes"]] == [True, False]
    assert [event.number for event in events] == sorted({event.number for event in events})
    assert client.download(end, tmp_path).suffix == ".mp4"


def test_what_is_on_offer_and_left(service: RunningService, make: Make) -> None:
    client = make(base_url=service.url)

    assert "test-double" in {model.id for model in client.models()}
    assert client.loras().style == ()
    assert client.quota().user_id == "test_user"


def test_what_cannot_be_served_is_said_in_the_language_asked_for(
    service: RunningService, make: Make
) -> None:
    client = make(base_url=service.url, language="zh")

    with pytest.raises(ValidationError, match="请求无效") as caught:
        client.generate_image("a lake", width=63)
    with pytest.raises(NotFoundError):
        client.get_job("job_nothing")
    with pytest.raises(JobFailedError) as failed:
        client.generate_image("fail=9", **SMALL)

    assert caught.value.errors[0].pointer == "/width"
    assert failed.value.code
    assert failed.value.job.cost.state == "released"


def test_a_quota_that_is_used_up_is_not_asked_again(service: RunningService, make: Make) -> None:
    client = make(base_url=service.url)
    left = client.quota().videos.remaining
    for _ in range(left):
        client.generate_video("waves", num_frames=8, **CLIP)

    with pytest.raises(QuotaExceededError) as caught:
        client.generate_video("waves", num_frames=8, **CLIP)

    assert caught.value.retry_after_seconds is not None


def test_a_job_that_is_canceled_ends_the_wait(service: RunningService, make: Make) -> None:
    client = make(base_url=service.url)
    job = client.generate_image("sleep=30", wait=False, **SMALL)

    with Client(service.url, "test-key-123", trust_env=False) as other:
        threading.Timer(0.5, other.cancel, [job.id]).start()
        with pytest.raises(JobCanceledError):
            client.wait(job)

    assert next(iter(client.list_jobs(status="canceled"))).id == job.id


def test_three_lost_answers_make_one_job(
    service: RunningService, proxy: CuttingProxy, make: Make
) -> None:
    client = make(base_url=proxy.url)
    before = client.quota().images
    jobs_before = len(list(client.list_jobs()))
    proxy.cut("POST /api/v1/images", lose_answer, lose_answer, lose_answer)

    job = client.generate_image("a lake", **SMALL)

    assert job.is_succeeded
    assert proxy.count("POST /api/v1/images") == 4
    assert len(list(client.list_jobs())) == jobs_before + 1
    assert client.quota().images.used == before.used + 1


def test_a_stream_that_is_cut_inside_an_event_goes_on(
    service: RunningService, proxy: CuttingProxy, make: Make
) -> None:
    client = make(base_url=proxy.url)
    job = client.generate_image("sleep=1", wait=False, **SMALL)
    proxy.cut(f"GET /api/v1/jobs/{job.id}/events", cut_inside_event(2), cut_inside_event(1))

    events = list(client.stream(job))

    numbers = [event.number for event in events]
    assert proxy.count(f"GET /api/v1/jobs/{job.id}/events") == 3
    assert numbers == sorted(set(numbers))
    assert events[-1].name == "succeeded"


def test_a_download_that_is_cut_goes_on(
    service: RunningService, proxy: CuttingProxy, make: Make, tmp_path: Path
) -> None:
    client = make(base_url=proxy.url)
    job = client.generate_image("bytes=300000", width=512, height=512)
    size = job.outputs[0].size_bytes
    proxy.cut("GET /api/v1/files", cut_after(size // 3), cut_after(size // 3))

    path = client.download(job, tmp_path / "big.png")

    assert size >= 300_000
    assert path.stat().st_size == size
    resumed = [text for text in proxy.requests if b"range: bytes=" in text.lower()]
    assert len(resumed) == 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["big.png"]


def test_many_jobs_are_awaited_at_once(service: RunningService) -> None:
    async def draw_all() -> tuple[list[bool], list[Progress], float]:
        told: list[Progress] = []

        async def note(progress: Progress) -> None:
            await asyncio.sleep(0)
            told.append(progress)

        started = time.monotonic()
        async with AsyncClient(service.url, "demo-key-456", trust_env=False) as client:
            jobs = await asyncio.gather(
                *(client.generate_image(f"lake {i}", on_progress=note, **SMALL) for i in range(5))
            )
        return [job.is_succeeded for job in jobs], told, time.monotonic() - started

    succeeded, told, _seconds = asyncio.run(draw_all())

    assert succeeded == [True] * 5
    assert told


def test_a_wait_that_is_left_cancels_nothing(service: RunningService) -> None:
    async def leave() -> Job:
        async with AsyncClient(service.url, "test-key-123", trust_env=False) as client:
            job = await client.generate_image("sleep=1", wait=False, **SMALL)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.wait(job), 0.3)
            return await client.wait(job)

    assert asyncio.run(leave()).is_succeeded


def test_a_webhook_from_creation_to_removal(service: RunningService, make: Make) -> None:
    client = make(base_url=service.url)
    hook = client.webhooks.create("https://receiver.invalid/hook", events=["job.succeeded"])

    changed = client.webhooks.update(hook.id, description="mine", is_enabled=True)
    rotated = client.webhooks.rotate(hook.id)
    tried = client.webhooks.test(hook.id)
    delivery = next(iter(client.webhooks.deliveries(hook.id)))
    replayed = client.webhooks.replay(hook.id, delivery.id)
    listed = [found.id for found in client.webhooks.list()]
    client.webhooks.delete(hook.id)

    assert hook.secret is not None
    assert rotated.secret.startswith("whsec_")
    assert rotated.secret != hook.secret
    assert (changed.description, changed.events) == ("mine", ("job.succeeded",))
    assert (delivery.event_type, delivery.webhook_id) == ("webhook.test", hook.id)
    assert delivery.id == tried.id
    assert replayed.event_id == tried.event_id
    assert hook.id in listed
    assert client.webhooks.signing_secret().secret.startswith("whsec_")
    with pytest.raises(NotFoundError):
        client.webhooks.get(hook.id)


def test_what_happened_is_read_without_a_webhook(service: RunningService, make: Make) -> None:
    client = make(base_url=service.url)
    job = client.generate_image("a lake", **SMALL)

    event = next(iter(client.events.list(kind="job.succeeded", limit=1)))

    assert event.data["id"] == job.id
    assert client.events.get(event.id) == event


def test_pictures_are_edited_inside_a_mask_with_previews(
    service: RunningService, make: Make
) -> None:
    client = make(base_url=service.url)
    pictures = [_picture("red"), _picture("blue")]

    job = client.edit_image("a boat", pictures, mask=_picture("white"), **SMALL)
    watched = client.edit_image("sleep=1", pictures[0], previews=2, wait=False, **SMALL)
    events = list(client.stream(watched))

    assert job.is_succeeded
    previews = [event.preview for event in events if event.preview is not None]
    assert previews
    assert Image.open(io.BytesIO(previews[0].content)).width > 0


def _picture(colour: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(buffer, "PNG")
    return buffer.getvalue()
