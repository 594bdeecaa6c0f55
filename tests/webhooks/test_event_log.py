"""One event for every job that ends, in the transaction that ends it, told to all who wish."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from gen_video.accounts.models import Caller
from gen_video.engines.errors import EngineFailedError
from gen_video.errors import InvalidRequestError
from gen_video.generation import endings
from gen_video.generation.errors import LeaseLostError
from gen_video.webhooks.event_log import KEPT
from gen_video.webhooks.models import EventType
from gen_video.webhooks.urls import UrlRules
from tests.db.clocked import on_sqlite_only
from tests.generation.studio import DEADLINE, LAKE, LEASE, Studio
from tests.webhooks.office import COURIER, ERROR, OK, URL, Office

OWN_URL = "https://own.example.com:443/job"
WITH_WEBHOOK = replace(LAKE, webhook_url=OWN_URL)


def end_in(studio: Studio, caller: Caller, state: str) -> str:
    """Let a job come to an end; return its id."""
    job = studio.submit(caller)
    match state:
        case "succeeded":
            studio.finish(studio.claim())
        case "failed":
            claimed = studio.claim()
            studio.execution.fail(replace(claimed, attempt=99), EngineFailedError("no luck"))
        case "canceled":
            studio.jobs.cancel(caller, job.id)
        case _:
            studio.database.advance(DEADLINE + timedelta(seconds=1))
            studio.sweeper.sweep()
    return job.id


@pytest.mark.parametrize("state", ["succeeded", "failed", "canceled", "expired"])
def test_every_end_is_one_event_and_one_delivery(
    studio: Studio, office: Office, ada: Caller, state: str
) -> None:
    endpoint = office.endpoint(ada)

    job_id = end_in(studio, ada, state)

    (event,) = office.event_rows()
    (delivery,) = office.deliveries_of(ada, endpoint)
    body = json.loads(event.body)
    assert (event.type, event.job_id, body["type"]) == (f"job.{state}", job_id, f"job.{state}")
    assert (body["data"]["id"], body["data"]["status"]) == (job_id, state)
    assert (delivery.event_id, delivery.event_type, delivery.url) == (event.id, event.type, URL)
    assert studio.findings() == []


def test_the_event_of_a_success_names_its_files_and_not_the_prompt(
    studio: Studio, office: Office, ada: Caller
) -> None:
    studio.submit(ada, replace(LAKE, n=2, metadata={"order": "7"}))
    names = studio.finish(studio.claim())

    (event,) = office.event_rows()

    data = json.loads(event.body)["data"]
    assert [output["url"] for output in data["outputs"]] == [f"/api/v1/files/{n}" for n in names]
    assert (data["units"], data["metadata"], data["error"]) == (2, {"order": "7"}, None)
    assert LAKE.prompt not in event.body


def test_the_event_of_a_failure_says_why_and_charges_nothing(
    studio: Studio, office: Office, ada: Caller
) -> None:
    end_in(studio, ada, "failed")

    (event,) = office.event_rows()

    data = json.loads(event.body)["data"]
    assert (data["error"]["code"], data["units"], data["outputs"]) == ("generation_failed", 0, [])
    assert data["error"]["message"]
    assert data["error"]["message_zh"]


def test_an_attempt_that_goes_back_to_the_queue_is_no_event(
    studio: Studio, office: Office, ada: Caller
) -> None:
    studio.submit(ada)
    studio.execution.fail(studio.claim(), EngineFailedError("try again"))

    assert office.event_rows() == []


def test_only_those_who_want_a_type_are_told(studio: Studio, office: Office, ada: Caller) -> None:
    everything = office.endpoint(ada)
    failures = office.endpoint(ada, events=(EventType.JOB_FAILED, EventType.JOB_EXPIRED))

    end_in(studio, ada, "succeeded")
    end_in(studio, ada, "failed")

    told = [
        sorted(delivery.event_type for delivery in office.deliveries_of(ada, endpoint))
        for endpoint in (everything, failures)
    ]
    assert told == [["job.failed", "job.succeeded"], ["job.failed"]]


def test_nobody_is_told_of_anothers_job(
    studio: Studio, office: Office, ada: Caller, bob: Caller
) -> None:
    office.endpoint(bob)

    end_in(studio, ada, "succeeded")

    assert len(office.event_rows()) == 1
    assert office.delivery_rows() == []


def test_a_jobs_own_address_replaces_the_endpoints(
    studio: Studio, office: Office, ada: Caller
) -> None:
    office.endpoint(ada)
    studio.submit(ada, WITH_WEBHOOK)
    studio.finish(studio.claim())

    (delivery,) = office.delivery_rows()
    (parcel,) = office.claim()

    assert (delivery.url, delivery.endpoint_id) == (OWN_URL, None)
    assert (parcel.url, parcel.secret.owner_id) == (OWN_URL, ada.account_id)
    assert delivery.lane == f"{ada.account_id}/own.example.com"


@pytest.mark.parametrize("url", ["http://example.com/", "https://127.0.0.1/", "nonsense"])
def test_a_job_that_names_a_bad_address_is_refused_and_nothing_is_kept(
    studio: Studio, ada: Caller, url: str
) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        studio.submit(ada, replace(LAKE, webhook_url=url))

    assert [problem.pointer for problem in refused.value.problems] == ["/webhook"]
    assert studio.jobs.list_jobs(ada).jobs == ()
    assert studio.window(ada).reserved == 0


def test_an_end_that_is_rolled_back_is_told_to_nobody(
    studio: Studio, office: Office, ada: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.endpoint(ada)
    studio.submit(ada)
    claimed = studio.claim()

    def crash(_connection: object) -> None:
        raise RuntimeError("before the commit")

    monkeypatch.setattr(endings, "announce", crash)
    with pytest.raises(RuntimeError):
        studio.finish(claimed)

    assert office.event_rows() == []
    assert office.delivery_rows() == []


def test_a_worker_that_lost_its_lease_tells_nobody(
    studio: Studio, office: Office, ada: Caller
) -> None:
    office.endpoint(ada)
    studio.submit(ada)
    zombie = studio.claim()
    studio.database.advance(LEASE + timedelta(seconds=1))
    studio.sweeper.sweep()
    studio.finish(studio.claim("other"))

    with pytest.raises(LeaseLostError):
        studio.finish(zombie)

    assert len(office.event_rows()) == len(office.delivery_rows()) == 1


@pytest.mark.parametrize(
    ("statement", "invariant"),
    [
        ("DELETE FROM deliveries", None),
        ("UPDATE events SET type = 'job.failed'", "I6"),
        ("UPDATE events SET job_id = 'job_nobodys'", "I6"),
    ],
)
def test_the_audit_finds_a_job_without_its_event(
    studio: Studio, office: Office, ada: Caller, statement: str, invariant: str | None
) -> None:
    office.endpoint(ada)
    end_in(studio, ada, "succeeded")

    studio.execute(statement)

    found = {finding.invariant for finding in studio.auditor.audit().findings}
    assert found == ({invariant} if invariant else set())


def test_the_audit_passes_over_jobs_that_the_release_before_ended(
    studio: Studio, office: Office, ada: Caller
) -> None:
    end_in(studio, ada, "succeeded")

    studio.execute("DELETE FROM events")
    assert [finding.invariant for finding in studio.auditor.audit().findings] == ["I6"]

    studio.execute("UPDATE jobs SET has_event = 0")
    assert studio.findings() == []


def test_the_audit_finds_a_delivery_that_nobody_takes_back(
    studio: Studio, office: Office, ada: Caller
) -> None:
    office.endpoint(ada)
    end_in(studio, ada, "succeeded")
    (parcel,) = office.claim()

    studio.database.advance(timedelta(minutes=1))

    (finding,) = studio.auditor.audit().findings
    assert (finding.invariant, finding.subject) == ("I7", parcel.id)


def test_events_go_after_thirty_days_with_all_that_belongs_to_them(
    studio: Studio, office: Office, ada: Caller
) -> None:
    endpoint = office.endpoint(ada)
    end_in(studio, ada, "succeeded")
    office.send_all(OK)
    studio.database.advance(KEPT + timedelta(seconds=1))
    end_in(studio, ada, "failed")
    office.webhooks.delete(ada, endpoint.id)

    gone = studio.events.purge()

    assert gone == 1
    assert [event.type for event in office.event_rows()] == ["job.failed"]
    assert office.count_rows() == {
        "events": 1,
        "deliveries": 1,
        "delivery_attempts": 0,
        "webhook_endpoints": 1,
    }
    studio.database.advance(KEPT + timedelta(seconds=1))
    assert studio.events.purge() == 1
    assert set(office.count_rows().values()) == {0}
    assert studio.findings() == []


@on_sqlite_only
def test_an_old_event_that_is_still_on_its_way_is_kept(
    studio: Studio, office: Office, ada: Caller
) -> None:
    office.endpoint(ada)
    end_in(studio, ada, "succeeded")
    office.send_all(ERROR)

    studio.database.advance(KEPT + timedelta(seconds=1))

    assert studio.events.purge() == 0


@on_sqlite_only
def test_figures_count_what_is_on_its_way(studio: Studio, office: Office, ada: Caller) -> None:
    office.endpoint(ada)
    end_in(studio, ada, "succeeded")
    end_in(studio, ada, "canceled")
    office.desk.claim({office.desk.look().lanes[0].name: 1}, owner=COURIER)
    studio.database.advance(timedelta(seconds=7))

    figures = studio.events.read_figures()

    assert (figures.pending, figures.overdue_seconds) == (2, 7.0)


@on_sqlite_only
def test_where_nothing_is_sent_there_are_events_and_no_deliveries(
    studio: Studio, office: Office, ada: Caller
) -> None:
    office.endpoint(ada)
    studio.events._rules = UrlRules(is_open=False)

    end_in(studio, ada, "succeeded")

    assert (len(office.event_rows()), office.delivery_rows()) == (1, [])
