"""Developer pages: keys shown once, usage, webhooks, and the log of requests."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from gen_video.accounts import roster
from gen_video.accounts.models import Caller
from gen_video.audit_log.models import Action, ActorKind
from gen_video.clock import utc_now
from tests.console.conftest import Console, run_console

DEVELOPER = "/console/developer"
KEY = re.compile(r"gv_live_\w+")
SECRET = re.compile(r"whsec_[\w+/=]+")
ENDPOINT = re.compile(r"whk_\w+")
HOOK = {"url": "https://hooks.example.com/in", "events": "job.failed", "description": "mine"}


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    yield from run_console(tmp_path, rate_limits=False)


def find_key(console: Console) -> str:
    """Return the newest key of the guest."""
    (row, *_) = console.services.roster.list_own_keys(guest(console))
    return row.id


def guest(console: Console) -> Caller:
    return console.services.accounts.authenticate("test-key-123")


def test_a_key_is_shown_once_and_works(console: Console) -> None:
    form = {"label": "laptop", "lifetime": "30", "images_per_day": "5", "videos_per_day": ""}

    made = console.post(console.client, f"{DEVELOPER}/keys", form)

    assert made.status_code == 200
    assert made.headers["cache-control"] == "no-store"
    (plaintext,) = {key for key in KEY.findall(made.text) if len(key) > 40}
    caller = console.services.accounts.authenticate(plaintext)
    assert (caller.account_name, caller.key_images_per_day) == ("test_user", 5)
    assert plaintext not in console.client.get(DEVELOPER).text
    (row, _) = console.services.roster.list_own_keys(caller)
    assert row.expires_at is not None
    assert timedelta(days=29) < row.expires_at - utc_now() < timedelta(days=31)


def test_a_revoked_key_ends_and_both_deeds_are_written_down(console: Console) -> None:
    console.post(console.client, f"{DEVELOPER}/keys", {"label": "laptop"})
    key_id = find_key(console)

    answer = console.post(console.client, f"{DEVELOPER}/keys/{key_id}/revoke")

    assert answer.status_code == 303
    assert "1 revoked key" in console.client.get(answer.headers["location"]).text
    log = console.services.audit_log.list_entries().entries[:2]
    assert [entry.action for entry in log] == [Action.KEY_REVOKED, Action.KEY_CREATED]
    assert {(entry.actor.kind, entry.actor.name) for entry in log} == {
        (ActorKind.CONSOLE, "test_user")
    }


def test_nobody_ends_the_key_of_another(console: Console) -> None:
    console.services.accounts.create_key("demo_user")
    (row, *_) = console.services.accounts.list_keys("demo_user")[::-1]

    answers = [
        console.post(console.client, f"{DEVELOPER}/keys/{key_id}/revoke").status_code
        for key_id in (row.id, "key_0000000000000000000000", "x")
    ]

    assert answers == [404, 404, 404]
    assert console.services.accounts.list_keys("demo_user")[-1].revoked_at is None


@pytest.mark.parametrize(
    "form",
    [
        {"images_per_day": "-1"},
        {"images_per_day": "1e12"},
        {"images_per_day": "some"},
        {"videos_per_day": "1.5"},
        {"lifetime": "7000"},
    ],
)
def test_a_wrong_form_makes_no_key_and_says_why(console: Console, form: dict[str, str]) -> None:
    before = len(console.services.accounts.list_keys("test_user"))

    answer = console.post(console.client, f"{DEVELOPER}/keys", form)

    assert answer.status_code == 422
    assert next(iter(form)) in answer.text
    assert len(console.services.accounts.list_keys("test_user")) == before


def test_an_account_has_so_many_keys_and_no_more(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roster, "MAX_KEYS", 2)
    first = console.post(console.client, f"{DEVELOPER}/keys", {"label": "second"})
    second = console.post(console.client, f"{DEVELOPER}/keys", {"label": "third"})

    assert (first.status_code, second.status_code) == (200, 409)
    assert "at most 2 working keys" in second.text


def test_requests_are_listed_a_second_after_they_were_answered(console: Console) -> None:
    keys = {"X-API-Key": "test-key-123"}
    console.visitor.get("/api/v1/jobs/job_missing?secret=1", headers=keys)
    theirs = console.visitor.get("/api/v1/quota", headers={"X-API-Key": "demo-key-456"})
    console.visitor.get("/api/v1/quota", headers={"X-API-Key": "gv_live_wrong"})
    ours = console.visitor.get("/api/v1/quota", headers=keys)
    console.services.calls.flush()

    page = console.client.get(f"{DEVELOPER}/requests").text
    errors = console.client.get(f"{DEVELOPER}/requests?only=errors").text

    assert ours.headers["x-request-id"] in page
    assert theirs.headers["x-request-id"] not in page
    assert "secret" not in page
    assert ("/api/v1/jobs/job_missing" in errors, "/api/v1/quota" in errors) == (True, False)


def test_the_log_goes_on_page_by_page(console: Console) -> None:
    keys = {"X-API-Key": "test-key-123"}
    sent = [
        console.visitor.get("/api/v1/quota", headers=keys).headers["x-request-id"]
        for _ in range(60)
    ]
    console.services.calls.flush()

    first = console.client.get(f"{DEVELOPER}/requests").text
    (more,) = re.findall(r'href="([^"]+after=\d+)"', first)
    rest = console.client.get(more).text

    assert [f"{n in first}{n in rest}" for n in sent] == ["FalseTrue"] * 10 + ["TrueFalse"] * 50
    assert console.client.get(f"{DEVELOPER}/requests?after=999999").status_code == 404


@pytest.mark.parametrize(
    "query", ["days=0", "days=91", "days=x", "group=" + "x" * 11], ids=lambda query: query[:8]
)
def test_usage_of_impossible_days_is_refused(console: Console, query: str) -> None:
    assert console.client.get(f"{DEVELOPER}/usage?{query}").status_code == 422


def test_a_webhook_is_made_tested_changed_and_deleted(console: Console) -> None:
    made = console.post(console.client, f"{DEVELOPER}/webhooks", HOOK)
    (secret,) = set(SECRET.findall(made.text))
    endpoint_id = ENDPOINT.findall(made.text)[0]
    address = f"{DEVELOPER}/webhooks/{endpoint_id}"

    test = console.post(console.client, f"{address}/test")
    listed = console.client.get(address).text
    live = console.client.get(f"{address}/deliveries").text
    rotated = console.post(console.client, f"{address}/rotate-secret")
    console.post(console.client, f"{address}/switch", {"is_enabled": "false"})
    refused = console.post(console.client, f"{address}/test")
    deleted = console.post(console.client, f"{address}/delete")

    assert test.headers["location"] == f"{address}?done=test"
    assert "webhook.test" in listed
    assert "webhook.test" in live
    assert "<html" not in live
    assert secret not in listed
    assert SECRET.findall(rotated.text)[0] != secret
    assert refused.status_code == 409
    assert deleted.status_code == 303
    assert console.client.get(address).status_code == 404


def test_a_wrong_address_is_told_beside_the_form(console: Console) -> None:
    answer = console.post(console.client, f"{DEVELOPER}/webhooks", HOOK | {"url": "ftp://x"})

    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert 'value="ftp://x"' in answer.text


def test_nobody_sees_the_webhook_of_another(console: Console) -> None:
    made = console.post(console.owner, f"{DEVELOPER}/webhooks", HOOK)
    address = f"{DEVELOPER}/webhooks/{ENDPOINT.findall(made.text)[0]}"

    found = {console.client.get(path).status_code for path in (address, f"{address}/deliveries")}
    found |= {
        console.post(console.client, f"{address}{deed}", HOOK).status_code
        for deed in ("", "/test", "/switch", "/delete", "/rotate-secret")
    }

    assert found == {404}
