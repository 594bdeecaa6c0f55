"""Webhooks over HTTP: endpoints, secrets, deliveries, events; nobody sees another's."""

import json
from typing import Any

import pytest

from gen_video.ids import new_id
from tests.api.conftest import ASYNC, FILM, GENERATE, SMALL, Door, OpenDoor

WEBHOOKS = "/api/v1/webhooks"
EVENTS = "/api/v1/events"
URL = "https://93.184.215.14/hook"
"""An address, not a name: nothing is looked up."""


def create(door: Door, **fields: object) -> dict[str, Any]:
    answer = door.client.post(WEBHOOKS, json={"url": URL} | fields)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def end_job(door: Door, **fields: object) -> str:
    """Let a job end; return its id."""
    job_id = door.client.post(GENERATE, json=SMALL | fields, headers=ASYNC).json()["task_id"]
    assert door.client.post(f"/api/v1/jobs/{job_id}/cancel").status_code == 200
    return str(job_id)


def test_a_new_webhook_shows_its_secret_once(door: Door) -> None:
    answer = door.client.post(
        WEBHOOKS, json={"url": URL, "events": ["job.failed"], "description": "alerts"}
    )

    made = answer.json()
    secret = made.pop("secret")
    assert (answer.status_code, answer.headers["Location"]) == (201, f"{WEBHOOKS}/{made['id']}")
    assert secret.startswith("whsec_")
    assert made["id"].startswith("whk_")
    assert made == {
        "id": made["id"],
        "object": "webhook",
        "url": URL,
        "events": ["job.failed"],
        "description": "alerts",
        "is_enabled": True,
        "disabled_reason": None,
        "created_at": made["created_at"],
    }
    assert door.client.get(f"{WEBHOOKS}/{made['id']}").json() == made
    assert door.client.get(WEBHOOKS).json()["data"] == [made]


def test_a_webhook_is_changed_disabled_enabled_and_removed(door: Door) -> None:
    path = f"{WEBHOOKS}/{create(door, events=['job.failed'])['id']}"

    changed = door.client.patch(path, json={"events": None, "description": "all"}).json()
    disabled = door.client.patch(path, json={"is_enabled": False}).json()
    enabled = door.client.patch(path, json={"is_enabled": True}).json()

    assert (changed["events"], changed["description"], changed["url"]) == (None, "all", URL)
    assert (disabled["is_enabled"], disabled["disabled_reason"]) == (False, "owner")
    assert (enabled["is_enabled"], enabled["disabled_reason"]) == (True, None)
    assert door.client.delete(path).status_code == 204
    assert door.client.get(path).status_code == 404
    assert door.client.get(WEBHOOKS).json()["data"] == []


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({}, "/url"),
        ({"url": None}, "/url"),
        ({"url": 7}, "/url"),
        ({"url": "http://example.com/"}, "/url"),
        ({"url": "https://user:pass@example.com/"}, "/url"),
        ({"url": "https://127.0.0.1/"}, "/url"),
        ({"url": "https://localhost/"}, "/url"),
        ({"url": "https://[::1]/"}, "/url"),
        ({"url": "https://169.254.169.254/latest"}, "/url"),
        ({"url": "https://example.com:8443/"}, "/url"),
        ({"url": f"https://example.com/{'x' * 3000}"}, "/url"),
        ({"url": "https://\ud800.example.com/"}, "/url"),
        ({"url": URL, "events": []}, "/events"),
        ({"url": URL, "events": ["job.exploded"]}, "/events/0"),
        ({"url": URL, "events": "job.failed"}, "/events"),
        ({"url": URL, "description": "x" * 201}, "/description"),
        ({"url": URL, "secret": "whsec_mine"}, "/secret"),
        ({"url": URL, "id": "whk_mine"}, "/id"),
    ],
)
def test_bad_input_names_the_field_and_keeps_nothing(
    door: Door, fields: dict[str, object], pointer: str
) -> None:
    answer = door.client.post(WEBHOOKS, content=json.dumps(fields))

    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert door.client.get(WEBHOOKS).json()["data"] == []


def test_control_characters_and_nul_in_a_note_are_no_server_error(door: Door) -> None:
    answer = door.client.post(WEBHOOKS, json={"url": URL, "description": "a\u0000b"})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/description"


def test_secrets_rotate(door: Door) -> None:
    made = create(door)

    rotated = door.client.post(f"{WEBHOOKS}/{made['id']}/rotate-secret").json()
    own = door.client.get(f"{WEBHOOKS}/signing-secret").json()
    own_rotated = door.client.post(f"{WEBHOOKS}/signing-secret/rotate").json()

    assert set(rotated) == {"secret", "previous_valid_until"}
    assert len({made["secret"], rotated["secret"], own["secret"], own_rotated["secret"]}) == 4
    assert door.client.get(f"{WEBHOOKS}/signing-secret").json()["secret"] == own_rotated["secret"]


def test_a_test_event_is_a_delivery_that_can_be_replayed(door: Door) -> None:
    path = f"{WEBHOOKS}/{create(door)['id']}"

    tested = door.client.post(f"{path}/test")
    delivery = tested.json()
    listed = door.client.get(f"{path}/deliveries", params={"status": "pending"}).json()
    replayed = door.client.post(f"{path}/deliveries/{delivery['id']}/replay")

    assert (tested.status_code, replayed.status_code) == (202, 202)
    assert listed["data"] == [delivery]
    assert (delivery["event_type"], delivery["status"], delivery["attempts"]) == (
        "webhook.test",
        "pending",
        [],
    )
    assert door.client.get(f"{path}/deliveries", params={"status": "failed"}).json()["data"] == []
    event = door.client.get(f"{EVENTS}/{delivery['event_id']}").json()
    assert (event["type"], event["object"]) == ("webhook.test", "event")


def test_what_waits_for_a_disabled_webhook_fails_and_cannot_be_replayed(door: Door) -> None:
    path = f"{WEBHOOKS}/{create(door)['id']}"
    delivery = door.client.post(f"{path}/test").json()
    door.client.patch(path, json={"is_enabled": False})

    (found,) = door.client.get(f"{path}/deliveries").json()["data"]
    replayed = door.client.post(f"{path}/deliveries/{delivery['id']}/replay")

    assert (found["status"], found["next_attempt_at"]) == ("failed", None)
    assert (replayed.status_code, replayed.json()["code"]) == (409, "webhook_disabled")


def test_events_are_listed_newest_first_and_by_type(door: Door) -> None:
    job_ids = [end_job(door, prompt=f"lake {number}", metadata={"n": "1"}) for number in range(3)]

    first = door.client.get(EVENTS, params={"limit": 2}).json()
    second = door.client.get(EVENTS, params={"limit": 2, "after": first["last_id"]}).json()
    none = door.client.get(EVENTS, params={"type": "job.failed"}).json()

    events = [*first["data"], *second["data"]]
    assert [event["data"]["id"] for event in events] == job_ids[::-1]
    assert (first["has_more"], second["has_more"], none["data"]) == (True, False, [])
    event = door.client.get(f"{EVENTS}/{events[0]['id']}").json()
    assert event == events[0]
    assert event["data"]["status"] == "canceled"
    assert "lake" not in json.dumps(event)


@pytest.mark.parametrize("query", ["type=job.exploded", "limit=0", "after=evt_none", "limit=x"])
def test_a_bad_query_is_a_client_error(door: Door, query: str) -> None:
    assert door.client.get(f"{EVENTS}?{query}").status_code in {404, 422}


@pytest.mark.parametrize(("path", "fields"), [(GENERATE, {}), (FILM, {"num_frames": 8, "fps": 8})])
def test_a_request_names_its_own_webhook(door: Door, path: str, fields: dict[str, int]) -> None:
    create(door)
    wanted = SMALL | fields | {"webhook": URL}

    answer = door.client.post(path, json=wanted, headers=ASYNC)
    refused = door.client.post(path, json=wanted | {"webhook": "http://example.com/"})

    assert answer.status_code == 202, answer.text
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/webhook"
    door.client.post(f"/api/v1/jobs/{answer.json()['task_id']}/cancel")
    assert door.services.events.read_figures().pending == 1
    (webhook,) = door.client.get(WEBHOOKS).json()["data"]
    assert door.client.get(f"{WEBHOOKS}/{webhook['id']}/deliveries").json()["data"] == []


def test_a_form_names_its_own_webhook(door: Door) -> None:
    fields = {name: str(value) for name, value in SMALL.items()} | {"webhook": URL}

    answer = door.client.post(
        GENERATE, files={name: (None, value) for name, value in fields.items()}, headers=ASYNC
    )

    assert answer.status_code == 202, answer.text
    door.client.post(f"/api/v1/jobs/{answer.json()['task_id']}/cancel")
    assert door.services.events.read_figures().pending == 1


def test_an_operator_can_turn_webhooks_off(open_door: OpenDoor) -> None:
    door = open_door(url_access="off")

    assert door.client.post(WEBHOOKS, json={"url": URL}).status_code == 422
    assert door.client.post(GENERATE, json=SMALL | {"webhook": URL}).status_code == 422


def test_file_addresses_are_whole_where_the_public_one_is_known(open_door: OpenDoor) -> None:
    door = open_door(public_url="https://art.example.com/")
    address = door.services.jobs._endings._file_address

    job_id = new_id("job")

    now = door.services.database.read(door.services.database.now)
    assert address(f"images/{job_id}.png", now) == (
        f"https://art.example.com/api/v1/files/images/{job_id}.png"
    )


def test_figures_of_deliveries_are_metrics(open_door: OpenDoor) -> None:
    door = open_door(metrics_access="open")
    door.client.post(f"{WEBHOOKS}/{create(door)['id']}/test")

    text = door.client.get("/metrics").text

    assert "gv_webhooks_pending 1.0" in text
    assert "gv_webhooks_overdue_seconds " in text


def test_a_foreign_id_answers_like_a_missing_one(open_door: OpenDoor) -> None:
    door = open_door(rate_limits=False)
    webhook = create(door)["id"]
    delivery = door.client.post(f"{WEBHOOKS}/{webhook}/test").json()
    own = door.other.post(WEBHOOKS, json={"url": URL}).json()["id"]
    foreign = {"webhook": webhook, "delivery": delivery["id"], "event": delivery["event_id"]}
    missing = {"webhook": new_id("whk"), "delivery": new_id("dlv"), "event": new_id("evt")}

    for method, template, body in (
        ("GET", f"{WEBHOOKS}/{{webhook}}", None),
        ("PATCH", f"{WEBHOOKS}/{{webhook}}", {"is_enabled": False}),
        ("PATCH", f"{WEBHOOKS}/{{webhook}}", {"url": "https://127.0.0.1/"}),
        ("DELETE", f"{WEBHOOKS}/{{webhook}}", None),
        ("POST", f"{WEBHOOKS}/{{webhook}}/rotate-secret", None),
        ("POST", f"{WEBHOOKS}/{{webhook}}/test", None),
        ("GET", f"{WEBHOOKS}/{{webhook}}/deliveries", None),
        ("GET", f"{WEBHOOKS}?after={{webhook}}", None),
        ("POST", f"{WEBHOOKS}/{{webhook}}/deliveries/{{delivery}}/replay", None),
        ("POST", f"{WEBHOOKS}/{own}/deliveries/{{delivery}}/replay", None),
        ("GET", f"{WEBHOOKS}/{own}/deliveries?after={{delivery}}", None),
        ("GET", f"{EVENTS}/{{event}}", None),
        ("GET", f"{EVENTS}?after={{event}}", None),
    ):
        answers = [
            door.other.request(method, template.format(**ids), json=body)
            for ids in (foreign, missing)
        ]
        seen = [answer.json() | {"request_id": "", "instance": ""} for answer in answers]
        assert [answer.status_code for answer in answers] == [404, 404], template
        assert seen[0] == seen[1], template

    found = door.client.get(f"{WEBHOOKS}/{webhook}").json()
    assert found["is_enabled"]
    assert [one["id"] for one in door.other.get(WEBHOOKS).json()["data"]] == [own]
    assert door.other.get(EVENTS).json()["data"] == []


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", [WEBHOOKS, EVENTS, f"{WEBHOOKS}/signing-secret"])
def test_nothing_is_told_without_a_key(door: Door, method: str, path: str) -> None:
    answer = door.client.request(method, path, headers={"X-API-Key": ""})

    assert answer.status_code in {401, 405}
