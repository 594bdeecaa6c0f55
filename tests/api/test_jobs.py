"""Jobs over HTTP: list, read, cancel, delete, follow."""

import json
from collections.abc import Iterator

import pytest

from gen_video.api.v1 import events
from tests.api.conftest import ASYNC, GENERATE, SMALL, Door


def submit(door: Door, **fields: object) -> str:
    answer = door.client.post(GENERATE, json=SMALL | fields, headers=ASYNC)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task_id"])


def parse_events(text: str) -> Iterator[tuple[int, str, dict[str, object]]]:
    """Yield number, name and data of every event in a stream."""
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line[:1] != ":")
        if fields:
            yield int(fields["id"]), fields["event"], json.loads(fields["data"])


def test_a_job_shows_its_request_as_it_was_resolved(door: Door) -> None:
    job_id = submit(door, metadata={"order": "7"}, negative_prompt="fog")

    job = door.client.get(f"/api/v1/jobs/{job_id}").json()

    assert job["id"] == job_id
    assert job["status"] == "queued"
    assert job["input"]["num_inference_steps"] == 2
    assert isinstance(job["input"]["seed"], int)
    assert job["input"]["negative_prompt"] == "fog"
    assert job["metadata"] == {"order": "7"}
    assert job["cost"] == {"units": 1, "credits": 0, "source": "quota", "state": "reserved"}
    assert job["urls"]["events"] == f"/api/v1/jobs/{job_id}/events"


def test_pages_are_newest_first_and_meet_without_a_gap(door: Door) -> None:
    made = [submit(door, prompt=f"lake {number}") for number in range(5)]

    first = door.client.get("/api/v1/jobs", params={"limit": 2}).json()
    second = door.client.get("/api/v1/jobs", params={"limit": 2, "after": first["last_id"]}).json()
    third = door.client.get("/api/v1/jobs", params={"limit": 2, "after": second["last_id"]}).json()

    pages = [first, second, third]
    assert [job["id"] for page in pages for job in page["data"]] == made[::-1]
    assert [page["has_more"] for page in pages] == [True, True, False]


def test_a_list_is_of_one_account(door: Door) -> None:
    submit(door)

    page = door.other.get("/api/v1/jobs").json()

    assert page == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("status=queued", 1),
        ("status=canceled", 1),
        ("status=running", 0),
        ("kind=image", 2),
        ("kind=video", 0),
        ("model=test-double", 2),
        ("model=mini", 0),
        ("created_after=2020-01-01T00:00:00Z", 2),
        ("created_before=2020-01-01T00:00:00Z", 0),
    ],
)
def test_filters(door: Door, query: str, count: int) -> None:
    submit(door)
    door.client.post(f"/api/v1/jobs/{submit(door)}/cancel")

    assert len(door.client.get(f"/api/v1/jobs?{query}").json()["data"]) == count


def test_canceling_a_queued_job_gives_its_units_back(door: Door) -> None:
    job_id = submit(door, n=3)

    first = door.client.post(f"/api/v1/jobs/{job_id}/cancel")
    second = door.client.post(f"/api/v1/jobs/{job_id}/cancel")

    assert first.json()["status"] == second.json()["status"] == "canceled"
    assert first.json()["cost"]["state"] == "released"
    assert door.client.get("/api/v1/quota").json()["quota_remaining"]["images"] == 10


def test_canceling_a_running_job_takes_effect(working: Door) -> None:
    job_id = submit(working, prompt="sleep=20", num_inference_steps=1000)
    while working.client.get(f"/api/v1/jobs/{job_id}").json()["status"] != "running":
        pass

    asked = working.client.post(f"/api/v1/jobs/{job_id}/cancel")
    stream = working.client.get(f"/api/v1/jobs/{job_id}/events")

    assert asked.json()["is_cancel_requested"]
    assert list(parse_events(stream.text))[-1][1] == "canceled"
    assert working.client.get("/api/v1/quota").json()["quota_remaining"]["images"] == 10


def test_a_finished_job_cannot_be_canceled(working: Door) -> None:
    made = working.client.post(GENERATE, json=SMALL).json()

    answer = working.client.post(f"{made['job_url']}/cancel")

    assert (answer.status_code, answer.json()["code"]) == (409, "job_finished")


def test_an_unfinished_job_cannot_be_deleted(door: Door) -> None:
    answer = door.client.delete(f"/api/v1/jobs/{submit(door)}")

    assert (answer.status_code, answer.json()["code"]) == (409, "job_unfinished")


def test_deleting_erases_the_files_and_keeps_the_charge(working: Door) -> None:
    made = working.client.post(GENERATE, json=SMALL | {"n": 2}).json()

    for _ in range(2):
        assert working.client.delete(made["job_url"]).status_code == 200

    gone = [working.client.get(image["image_url"]) for image in made["images"]]
    assert [(answer.status_code, answer.json()["code"]) for answer in gone] == [
        (410, "file_gone")
    ] * 2
    assert [name for name in working.list_files() if name.endswith(".png")] == []
    assert working.client.get("/api/v1/quota").json()["quota"]["images"]["used"] == 2
    assert working.client.get("/api/v1/jobs").json()["data"] == []


def test_events_grow_and_end_with_the_result(working: Door) -> None:
    job_id = submit(working, prompt="sleep=1", num_inference_steps=20)

    answer = working.client.get(f"/api/v1/jobs/{job_id}/events")

    found = list(parse_events(answer.text))
    numbers = [number for number, _, _ in found]
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert numbers == sorted(set(numbers))
    assert {name for _, name, _ in found[:-1]} == {"progress"}
    assert found[-1][1] == "succeeded"
    assert found[-1][2]["outputs"]
    steps = [data["step"] for _, _, data in found[:-1] if data["stage"] == "denoising"]
    assert len(steps) >= 2
    assert steps == sorted(steps)  # type: ignore[type-var]  # numbers, as JSON has them


def test_a_client_that_comes_back_gets_only_what_is_newer(working: Door) -> None:
    job_id = submit(working, prompt="sleep=1", num_inference_steps=20)
    first = list(parse_events(working.client.get(f"/api/v1/jobs/{job_id}/events").text))
    last_seen = first[-2][0]

    again = working.client.get(
        f"/api/v1/jobs/{job_id}/events", headers={"Last-Event-ID": str(last_seen)}
    )

    assert [number for number, _, _ in parse_events(again.text)] == [first[-1][0]]


@pytest.mark.parametrize("given", ["", "x", "-5", "9" * 400, "1.5", "٣"])
def test_a_strange_last_event_id_is_the_beginning(working: Door, given: str) -> None:
    made = working.client.post(GENERATE, json=SMALL).json()

    answer = working.client.get(
        f"{made['job_url']}/events", headers={b"last-event-id": given.encode()}
    )

    assert [name for _, name, _ in parse_events(answer.text)] == ["succeeded"]


def test_a_quiet_stream_has_heartbeats(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.05)
    job_id = submit(door)
    lines: list[str] = []

    with door.client.stream("GET", f"/api/v1/jobs/{job_id}/events") as stream:
        for line in stream.iter_lines():
            lines.append(line)
            if lines.count(": still here") == 3:
                door.client.post(f"/api/v1/jobs/{job_id}/cancel")

    assert lines.count(": still here") >= 3
    assert "event: canceled" in lines
