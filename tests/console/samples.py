"""Something to look at: jobs of the guest, made by the service that shows them."""

import time

import httpx

from tests.journeys.service import RunningService

PROMPTS = (
    "雪山下的湖，日落",
    "a city at night in the snow",
    "春天的山丘，小屋和树",
    "desert dunes at sunset with a big sun",
    "山间的雾，水墨画",
    "a boat on the sea at night under stars",
)
SECONDS = 240.0
WEBHOOK = {"url": "https://hooks.example.com/gen-video", "description": "Example"}


def make_samples(service: RunningService) -> dict[str, str]:
    """Make some pictures, a clip, a failure and an endpoint; return the ids that pages name."""
    client = service.client
    fields = {"width": 512, "height": 384, "num_inference_steps": 8}
    if service.environment["GEN_VIDEO_DEFAULT_IMAGE_MODEL"] == "mini":
        fields = {"width": 1024, "height": 768, "num_inference_steps": 20}
    jobs = [
        _submit(client, "images", {"prompt": prompt, "seed": 7 + number, **fields})
        for number, prompt in enumerate(PROMPTS)
    ]
    clip = {"prompt": "海上日出", "num_frames": 8, "fps": 8, "width": 256, "height": 256}
    jobs.append(_submit(client, "videos", {**clip, "model": "test-double"}))
    _submit(client, "images", {"prompt": "fail=9", "model": "test-double"})
    endpoint = client.post("/api/v1/webhooks", json=WEBHOOK)
    assert endpoint.status_code == 201, endpoint.text
    endpoint_id = str(endpoint.json()["id"])
    client.post(f"/api/v1/webhooks/{endpoint_id}/test")
    for job in jobs:
        _await(client, job)
    return {"job_id": jobs[0], "endpoint_id": endpoint_id}


def _submit(client: httpx.Client, kind: str, fields: dict[str, object]) -> str:
    answer = client.post(
        f"/api/v1/{kind}/generate", json=fields, headers={"Prefer": "respond-async"}
    )
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task_id"])


def _await(client: httpx.Client, job_id: str) -> None:
    give_up_at = time.monotonic() + SECONDS
    while client.get(f"/api/v1/jobs/{job_id}").json()["status"] not in {"succeeded", "failed"}:
        assert time.monotonic() < give_up_at, job_id
        time.sleep(0.3)
