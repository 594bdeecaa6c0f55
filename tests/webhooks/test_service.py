"""Webhooks as their owners use them."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeAlias

import pytest

from gen_video.accounts.models import Caller
from gen_video.errors import InvalidRequestError
from gen_video.webhooks.changes import EndpointChanges
from gen_video.webhooks.errors import (
    DeliveryNotFoundError,
    EndpointDisabledError,
    EndpointNotFoundError,
    EventNotFoundError,
    TooManyEndpointsError,
)
from gen_video.webhooks.models import Delivery, Endpoint, Event, EventType
from gen_video.webhooks.service import MAX_ENDPOINTS
from tests.db.clocked import on_sqlite_only
from tests.generation.conftest import OpenDatabase
from tests.generation.studio import Studio
from tests.webhooks.office import OK, URL, Office

AnyOfOurs: TypeAlias = Endpoint | Delivery | Event


def test_a_secret_is_shown_once_and_stored_nowhere(
    studio: Studio, office: Office, ada: Caller
) -> None:
    made = office.webhooks.create(ada, url=URL)

    assert made.secret.startswith("whsec_")
    assert made.secret not in repr(made)
    assert not hasattr(office.webhooks.get(ada, made.endpoint.id), "secret")
    row = studio.database.read(
        lambda connection: connection.exec_driver_sql("SELECT * FROM webhook_endpoints").one()
    )
    assert made.secret not in str(row)


def test_a_rotated_secret_signs_beside_the_one_before(
    studio: Studio, office: Office, ada: Caller
) -> None:
    made = office.webhooks.create(ada, url=URL)

    rotated = office.webhooks.rotate_secret(ada, made.endpoint.id)
    office.webhooks.send_test(ada, made.endpoint.id)

    (parcel,) = office.claim()
    assert rotated.secret != made.secret
    assert (parcel.secret.version, parcel.secret.previous_until) == (
        2,
        rotated.previous_valid_until,
    )
    assert rotated.previous_valid_until == studio.database.moment + timedelta(hours=24)


def test_the_accounts_own_secret_rotates_too(office: Office, ada: Caller, bob: Caller) -> None:
    first = office.webhooks.get_account_secret(ada)
    others = office.webhooks.get_account_secret(bob)

    second = office.webhooks.rotate_account_secret(ada).secret
    third = office.webhooks.rotate_account_secret(ada).secret

    assert len({first, second, third, others}) == 4
    assert office.webhooks.get_account_secret(ada) == third
    assert office.webhooks.get_account_secret(bob) == others


def test_an_account_has_twenty_endpoints_at_most(office: Office, ada: Caller, bob: Caller) -> None:
    endpoints = [office.endpoint(ada) for _ in range(MAX_ENDPOINTS)]

    with pytest.raises(TooManyEndpointsError):
        office.endpoint(ada)

    office.endpoint(bob)
    office.webhooks.delete(ada, endpoints[0].id)
    office.endpoint(ada)


@pytest.mark.parametrize(
    "url", ["http://example.com/", "https://127.0.0.1/", "https://inside.example.com/"]
)
def test_an_address_inside_is_refused(office: Office, ada: Caller, url: str) -> None:
    office.poster.private.add("inside.example.com")
    endpoint = office.endpoint(ada)

    with pytest.raises(InvalidRequestError):
        office.endpoint(ada, url)
    with pytest.raises(InvalidRequestError):
        office.webhooks.update(ada, endpoint.id, EndpointChanges(url=url))

    assert [one.url for one in office.webhooks.list_endpoints(ada).endpoints] == [URL]


def test_changes_leave_the_rest_as_it_is(office: Office, ada: Caller) -> None:
    types = (EventType.JOB_FAILED,)
    endpoint = office.endpoint(ada, events=types)

    described = office.webhooks.update(ada, endpoint.id, EndpointChanges(description="alerts"))
    widened = office.webhooks.update(ada, endpoint.id, EndpointChanges(has_events=True))

    assert (described.description, described.events, described.url) == ("alerts", types, URL)
    assert (widened.description, widened.events) == ("alerts", None)


def test_a_disabled_endpoint_is_told_nothing_until_it_is_enabled(
    studio: Studio, office: Office, ada: Caller
) -> None:
    endpoint = office.endpoint(ada)
    office.webhooks.send_test(ada, endpoint.id)

    disabled = office.webhooks.update(ada, endpoint.id, EndpointChanges(is_enabled=False))

    assert (disabled.is_enabled, disabled.disabled_reason) == (False, "owner")
    assert office.states() == {"failed": 1}
    with pytest.raises(EndpointDisabledError):
        office.webhooks.send_test(ada, endpoint.id)
    studio.jobs.cancel(ada, studio.submit(ada).id)
    assert len(office.delivery_rows()) == 1
    enabled = office.webhooks.update(ada, endpoint.id, EndpointChanges(is_enabled=True))
    assert (enabled.is_enabled, enabled.disabled_reason) == (True, None)
    office.webhooks.send_test(ada, endpoint.id)
    assert office.send_all(OK) == 1


def test_a_removed_endpoint_is_gone_with_what_waited(office: Office, ada: Caller) -> None:
    endpoint = office.endpoint(ada)
    office.webhooks.send_test(ada, endpoint.id)

    office.webhooks.delete(ada, endpoint.id)

    assert office.claim() == []
    assert office.webhooks.list_endpoints(ada).endpoints == ()
    with pytest.raises(EndpointNotFoundError):
        office.webhooks.get(ada, endpoint.id)
    with pytest.raises(EndpointNotFoundError):
        office.webhooks.delete(ada, endpoint.id)


def test_pages_come_newest_first_and_lose_nothing(
    studio: Studio, office: Office, ada: Caller
) -> None:
    """Of five things made in the same moment, and two later ones."""
    endpoints = [office.endpoint(ada).id for _ in range(5)]
    for _ in range(5):
        office.webhooks.send_test(ada, endpoints[0])
    studio.database.advance(timedelta(seconds=1))
    endpoints += [office.endpoint(ada).id for _ in range(2)]
    for _ in range(2):
        office.webhooks.send_test(ada, endpoints[0])
    events = [event.id for event in office.event_rows()]

    def pages(read: Callable[[str | None], tuple[Sequence[AnyOfOurs], bool]]) -> list[AnyOfOurs]:
        found: list[AnyOfOurs] = []
        has_more = True
        while has_more:
            some, has_more = read(found[-1].id if found else None)
            found += some
        return found

    def read_endpoints(after: str | None) -> tuple[Sequence[AnyOfOurs], bool]:
        page = office.webhooks.list_endpoints(ada, limit=3, after=after)
        return page.endpoints, page.has_more

    def read_deliveries(after: str | None) -> tuple[Sequence[AnyOfOurs], bool]:
        page = office.webhooks.list_deliveries(ada, endpoints[0], limit=3, after=after)
        return page.deliveries, page.has_more

    def read_events(after: str | None) -> tuple[Sequence[AnyOfOurs], bool]:
        page = office.webhooks.list_events(ada, limit=3, after=after)
        return page.events, page.has_more

    listed = [one.id for one in pages(read_endpoints)]
    told = [one.id for one in pages(read_events)]
    assert sorted(listed) == sorted(endpoints)
    assert set(listed[:2]) == set(endpoints[5:])
    assert sorted(told) == sorted(events)
    assert set(told[:2]) == set(events[5:])
    assert len({one.id for one in pages(read_deliveries)}) == len(events)


def test_events_are_found_by_type(studio: Studio, office: Office, ada: Caller) -> None:
    endpoint = office.endpoint(ada)
    office.webhooks.send_test(ada, endpoint.id)
    studio.jobs.cancel(ada, studio.submit(ada).id)

    found = office.webhooks.list_events(ada, event_type=EventType.JOB_CANCELED).events

    assert [event.type for event in found] == [EventType.JOB_CANCELED]
    assert office.webhooks.get_event(ada, found[0].id) == found[0]


@on_sqlite_only
def test_what_belongs_to_another_is_missing(
    office: Office, open_database: OpenDatabase, ada: Caller, bob: Caller
) -> None:
    endpoint, own = office.endpoint(ada).id, office.endpoint(bob).id
    delivery = office.webhooks.send_test(ada, endpoint)
    webhooks = office.webhooks

    of_endpoint: list[Callable[[], object]] = [
        lambda: webhooks.get(bob, endpoint),
        lambda: webhooks.update(bob, endpoint, EndpointChanges(is_enabled=False)),
        lambda: webhooks.delete(bob, endpoint),
        lambda: webhooks.rotate_secret(bob, endpoint),
        lambda: webhooks.send_test(bob, endpoint),
        lambda: webhooks.list_deliveries(bob, endpoint),
        lambda: webhooks.replay(bob, endpoint, delivery.id),
        lambda: webhooks.list_endpoints(bob, after=endpoint),
    ]
    of_delivery: list[Callable[[], object]] = [
        lambda: webhooks.replay(bob, own, delivery.id),
        lambda: webhooks.list_deliveries(bob, own, after=delivery.id),
    ]
    of_event: list[Callable[[], object]] = [
        lambda: webhooks.get_event(bob, delivery.event_id),
        lambda: webhooks.list_events(bob, after=delivery.event_id),
    ]
    for calls, error in (
        (of_endpoint, EndpointNotFoundError),
        (of_delivery, DeliveryNotFoundError),
        (of_event, EventNotFoundError),
    ):
        for call in calls:
            with pytest.raises(error):
                call()
    assert webhooks.get(ada, endpoint).is_enabled
    assert [one.id for one in webhooks.list_endpoints(bob).endpoints] == [own]
    assert webhooks.list_events(bob).events == ()
