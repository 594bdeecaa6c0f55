"""Records of answers: of today's service, of a later one, and of something else."""

from datetime import UTC, datetime

import pytest

from gen_video.client.errors import UnexpectedAnswerError
from gen_video.client.happenings import Webhook
from gen_video.client.reading import read_record
from gen_video.client.records import Job, Model, Quota


def test_a_job_is_read_whole() -> None:
    data = {
        "id": "job_1",
        "status": "succeeded",
        "progress": {"percent": 100, "queue_position": None},
        "outputs": [{"url": "/a.png", "sha256": "00", "duration_seconds": None}],
        "error": {"code": "x", "message": "y"},
        "created_at": "2026-11-24T08:00:00Z",
    }

    job = read_record(Job, data)

    assert job.progress.percent == 100.0
    assert isinstance(job.progress.percent, float)
    assert job.outputs[0].url == "/a.png"
    assert job.error is not None
    assert job.created_at == datetime(2026, 11, 24, 8, tzinfo=UTC)
    assert job.raw is data


def test_what_a_later_service_adds_or_changes_does_no_harm() -> None:
    data = {
        "id": "job_1",
        "status": "resting",
        "mood": "good",
        "attempts": "many",
        "outputs": [{"link": "/a.png"}, {"url": "/b.png"}, 7],
        "created_at": "yesterday",
        "cost": None,
    }

    job = read_record(Job, data)

    assert job.status == "resting"
    assert not job.is_finished
    assert (job.attempts, job.created_at, job.cost.units) == (0, None, 0)
    assert [output.url for output in job.outputs] == ["/b.png"]
    assert job.raw["mood"] == "good"


@pytest.mark.parametrize("data", [None, [], "job_1", {}, {"id": 7}])
def test_what_is_no_job_is_said(data: object) -> None:
    with pytest.raises(UnexpectedAnswerError):
        read_record(Job, data)


def test_booleans_and_numbers_are_told_apart() -> None:
    model = read_record(Model, {"id": "mini", "is_default": 1, "price_micros": True})

    assert model.is_default is False
    assert model.price_micros == 0


def test_all_events_and_no_events_are_told_apart() -> None:
    assert read_record(Webhook, {"id": "whk_1", "events": None}).events is None
    assert read_record(Webhook, {"id": "whk_1", "events": []}).events == ()


def test_the_quota_has_short_names() -> None:
    data = {"user_id": "u", "quota": {"images": {"limit": 10, "remaining": 7}}}

    quota = read_record(Quota, data)

    assert (quota.images.remaining, quota.videos.remaining) == (7, 0)


def test_secrets_and_answers_are_not_shown() -> None:
    webhook = read_record(Webhook, {"id": "whk_1", "secret": "whsec_x"})

    assert "whsec_x" not in repr(webhook)
