"""Bodies say how a job ended, and always stay shorter than 20 kB."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from gen_video.webhooks.bodies import FEW_OUTPUTS, MAX_BYTES, job_body
from gen_video.webhooks.models import ErrorFacts, EventType, JobFacts, OutputFacts
from tests.db.clocked import START

OUTPUT = OutputFacts(
    url="https://example.com/api/v1/files/videos/job_1.mp4",
    mime="video/mp4",
    size_bytes=1234,
    width=64,
    height=48,
    duration_seconds=2.5,
)
FACTS = JobFacts(
    id="job_1",
    account_id="acc_1",
    kind="video",
    model="sketch",
    status="succeeded",
    outputs=(OUTPUT,),
    error=None,
    metadata={"order": "7"},
    units=1,
    created_at=START,
    finished_at=START + timedelta(seconds=4),
)
LONG = {f"键{number}" * 200: "雪" * 512 for number in range(16)}
ESCAPED = {f"{number}" * 500: '"\\\n' * 170 for number in range(16)}


def test_a_body_has_what_the_contract_says() -> None:
    body = json.loads(job_body(EventType.JOB_SUCCEEDED, FACTS, now=FACTS.finished_at))

    assert body == {
        "type": "job.succeeded",
        "timestamp": "2026-03-10T12:00:04.000Z",
        "data": {
            "id": "job_1",
            "object": "job",
            "kind": "video",
            "model": "sketch",
            "status": "succeeded",
            "outputs": [
                {
                    "url": OUTPUT.url,
                    "mime": "video/mp4",
                    "size_bytes": 1234,
                    "width": 64,
                    "height": 48,
                    "duration_seconds": 2.5,
                }
            ],
            "error": None,
            "metadata": {"order": "7"},
            "units": 1,
            "created_at": "2026-03-10T12:00:00.000Z",
            "finished_at": "2026-03-10T12:00:04.000Z",
        },
    }


def test_a_still_has_no_duration() -> None:
    facts = replace(FACTS, outputs=(replace(OUTPUT, duration_seconds=None),))

    body = json.loads(job_body(EventType.JOB_SUCCEEDED, facts, now=START))

    assert "duration_seconds" not in body["data"]["outputs"][0]


@pytest.mark.parametrize("metadata", [LONG, ESCAPED])
@pytest.mark.parametrize("pictures", [0, 10, 1000])
def test_no_body_is_too_long(metadata: dict[str, str], pictures: int) -> None:
    error = ErrorFacts(code="failed", en="e" * 10_000, zh="错" * 10_000)
    facts = replace(FACTS, metadata=metadata, outputs=(OUTPUT,) * pictures, error=error)

    text = job_body(EventType.JOB_FAILED, facts, now=START)

    assert len(text.encode()) < MAX_BYTES
    data = json.loads(text)["data"]
    assert data["is_truncated"] is True
    assert len(data["outputs"]) == min(pictures, FEW_OUTPUTS)


def test_metadata_that_fits_is_left_alone() -> None:
    facts = replace(FACTS, metadata={f"{n}": "x" * 512 for n in range(16)})

    data = json.loads(job_body(EventType.JOB_SUCCEEDED, facts, now=START))["data"]

    assert data["metadata"] == facts.metadata
    assert "is_truncated" not in data
