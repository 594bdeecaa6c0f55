"""The seed's journey over HTTP: health, quota, a picture, its file; and again after a restart."""

import hashlib
from pathlib import Path

import pytest

from tests.journeys.service import RunningService

pytestmark = pytest.mark.journey

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def test_a_prompt_becomes_a_picture(service: RunningService) -> None:
    client = service.client
    assert client.get("/api/v1/health").json()["status"] == "ok"
    before = client.get("/api/v1/quota").json()

    made = client.post("/api/v1/images/generate", json={"prompt": "一个美丽的风景"})

    assert made.status_code == 200, made.text
    body = made.json()
    assert body["status"] == "completed"
    assert body["image_url"] == f"/api/v1/files/images/{body['task_id']}.png"
    file = client.get(body["image_url"], headers={"X-API-Key": ""})
    assert file.content.startswith(PNG_SIGNATURE)
    assert len(file.content) == body["file_size"]
    public = service.output_folder / "images" / f"{body['task_id']}.png"
    assert public.read_bytes() == file.content
    assert body["quota_remaining"]["images"] == before["quota_remaining"]["images"] - 1


def test_a_restart_forgets_nothing(service: RunningService) -> None:
    body = service.client.post("/api/v1/images/generate", json={"prompt": "海"}).json()
    quota = service.client.get("/api/v1/quota").json()["quota"]
    sha256 = hashlib.sha256(service.client.get(body["image_url"]).content).hexdigest()

    service.stop()
    service.start()

    assert service.client.get("/api/v1/quota").json()["quota"] == quota
    again = service.client.get(body["image_url"]).content
    assert hashlib.sha256(again).hexdigest() == sha256
    job = service.client.get(f"/api/v1/jobs/{body['task_id']}").json()
    assert job["status"] == "succeeded"


@pytest.mark.parametrize("name", ["worker", "engine", "web"])
def test_a_job_survives_the_death_of_a_process(service: RunningService, name: str) -> None:
    accepted = service.client.post(
        "/api/v1/images/generate",
        json={"prompt": "sleep=2", "num_inference_steps": 20},
        headers={"Prefer": "respond-async"},
    )
    assert accepted.status_code == 202, accepted.text
    job = f"/api/v1/jobs/{accepted.json()['task_id']}"
    service.wait_until(lambda: service.client.get(job).json()["status"] == "running", seconds=20)

    # The first job starts the engine's process, a moment after the claim.
    service.wait_until(lambda: bool(service.children(name)), seconds=20)

    victims = service.children(name)
    for victim in victims:
        victim.kill()

    assert victims
    service.wait_until(service.is_answering, seconds=30)
    service.wait_until(lambda: service.client.get(job).json()["status"] == "succeeded", seconds=60)
    assert service.client.get("/api/v1/quota").json()["quota"]["images"]["used"] == 1


def test_the_audit_finds_nothing_after_work(service: RunningService) -> None:
    service.client.post("/api/v1/images/generate", json={"prompt": "山", "n": 2})

    done = service.run_command("audit")

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_job_that_is_running_at_the_stop_is_finished_after_the_next_start(
    tmp_path: Path,
) -> None:
    with RunningService(tmp_path, settings={"DRAIN_SECONDS": "1"}) as service:
        accepted = service.client.post(
            "/api/v1/images/generate",
            json={"prompt": "sleep=6", "num_inference_steps": 60},
            headers={"Prefer": "respond-async"},
        )
        job = f"/api/v1/jobs/{accepted.json()['task_id']}"
        service.wait_until(
            lambda: service.client.get(job).json()["status"] == "running", seconds=20
        )

        code = service.stop()
        assert code == 0
        assert service.living() == []
        service.start()

        service.wait_until(
            lambda: service.client.get(job).json()["status"] == "succeeded", seconds=60
        )
        assert service.client.get("/api/v1/quota").json()["quota"]["images"]["used"] == 1
