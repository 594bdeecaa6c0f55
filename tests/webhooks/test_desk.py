"""Deliveries are handed out under a lease, settled once, and tried again by the schedule."""

from datetime import timedelta

import pytest

from gen_video.accounts.models import Caller
from gen_video.webhooks.desk import LEASE
from gen_video.webhooks.errors import EndpointDisabledError
from gen_video.webhooks.models import Attempt, DeliveryState, Endpoint, Outcome
from gen_video.webhooks.schedule import ATTEMPTS, DISABLED_AFTER, PAUSES
from tests.db.clocked import START, on_sqlite_only
from tests.generation.conftest import OpenDatabase
from tests.generation.studio import Studio
from tests.webhooks.office import ERROR, OK, URL, Office

MILLISECONDS = 1000
GONE = Outcome(status_code=410)
THROTTLED = Outcome(status_code=429, retry_after_seconds=600)
HOURS = timedelta(hours=1)


@pytest.fixture
def endpoint(office: Office, ada: Caller) -> Endpoint:
    return office.endpoint(ada)


def tell(studio: Studio, caller: Caller, count: int = 1) -> None:
    """End some jobs."""
    for _ in range(count):
        studio.jobs.cancel(caller, studio.submit(caller).id)


def test_a_delivery_is_sent_once(
    studio: Studio, office: Office, ada: Caller, endpoint: Endpoint
) -> None:
    tell(studio, ada)

    (parcel,) = office.claim()
    (settled,) = office.settle(OK, parcel)

    (delivery,) = office.deliveries_of(ada, endpoint)
    assert settled.outcome == "delivered"
    assert delivery.state is DeliveryState.DELIVERED
    assert delivery.next_attempt_at is None
    assert delivery.attempts == (
        Attempt(
            at=START - timedelta(seconds=OK.seconds), status_code=200, error=None, duration_ms=250
        ),
    )
    assert office.claim() == []


def test_what_is_sent_is_the_event_byte_for_byte_at_every_attempt(
    studio: Studio, office: Office, ada: Caller, endpoint: Endpoint
) -> None:
    tell(studio, ada)
    (first,) = office.claim()
    office.settle(ERROR, first)
    studio.database.advance(PAUSES[0])

    (second,) = office.claim()

    (event,) = office.event_rows()
    assert (first.body, first.event_id) == (second.body, second.event_id)
    assert (event.body, event.id) == (first.body, first.event_id)


def test_a_delivery_is_tried_ten_times_over_three_days_and_then_fails(
    studio: Studio, office: Office, ada: Caller, endpoint: Endpoint
) -> None:
    tell(studio, ada)

    moments = []
    for pause in (*PAUSES, HOURS):
        assert office.send_all(ERROR) == 1
        moments.append(office.database.moment - START)
        studio.database.advance(pause - timedelta(seconds=1))
        assert office.claim() == []
        studio.database.advance(timedelta(seconds=1))

    (delivery,) = office.deliveries_of(ada, endpoint)
    assert delivery.state is DeliveryState.FAILED
    assert len(delivery.attempts) == len(moments) == ATTEMPTS
    assert moments[-1] >= timedelta(hours=72)
    assert {attempt.error for attempt in delivery.attempts} == {"bad_status"}


def test_two_couriers_never_have_the_same_delivery(
    studio: Studio, office: Office, open_database: OpenDatabase, ada: Caller, endpoint: Endpoint
) -> None:
    tell(studio, ada, 3)

    first = office.claim(owner="one")
    second = office.claim(owner="two")

    assert len(first) == 2
    assert len(second) == 1
    assert not {parcel.id for parcel in first} & {parcel.id for parcel in second}


def test_what_a_dead_courier_held_is_claimed_again_under_the_same_event(
    studio: Studio, office: Office, ada: Caller, endpoint: Endpoint
) -> None:
    tell(studio, ada)
    (lost,) = office.claim(owner="dead")
    assert office.desk.take_back_lost() == 0

    studio.database.advance(LEASE + timedelta(seconds=1))

    assert office.desk.take_back_lost() == 1
    (again,) = office.claim(owner="alive")
    assert again.event_id == lost.event_id
    assert again.fence > lost.fence
    assert [one.outcome for one in office.settle(OK, lost)] == ["lost"]
    assert [one.outcome for one in office.settle(OK, again)] == ["delivered"]
    (delivery,) = office.deliveries_of(ada, endpoint)
    assert len(delivery.attempts) == 1


def test_a_renewed_lease_is_not_taken_back(
    studio: Studio, office: Office, ada: Caller, endpoint: Endpoint
) -> None:
    tell(studio, ada)
    parcels = office.claim(owner="slow")
    studio.database.advance(LEASE - timedelta(seconds=1))

    office.desk.renew(parcels, owner="slow")
    studio.database.advance(LEASE - timedelta(seconds=1))

    assert office.desk.take_back_lost() == 0
    assert [one.outcome for one in office.settle(OK, *parcels)] == ["delivered"]


def test_what_a_stopping_courier_gives_back_costs_no_attempt(
    studio: Studio, office: Office, ada: Caller, endpoint: Endpoint
) -> None:
    tell(studio, ada)

    office.desk.give_back(office.claim())

    (parcel,) = office.claim()
    assert parcel.attempt == 0


def test_410_disables_the_endpoint_and_fails_what_waits_for_it(
    studio: Studio, office: Office, ada: Caller, endpoint: Endpoint
) -> None:
    other = office.endpoint(ada, "https://other.example.com/hook")
    tell(studio, ada, 4)
    mine = [parcel for parcel in office.claim() if parcel.endpoint_id == endpoint.id]

    first, second = office.settle(GONE, mine[0]), office.settle(OK, mine[1])

    found = office.webhooks.get(ada, endpoint.id)
    assert (found.is_enabled, found.disabled_reason) == (False, "gone")
    assert [first[0].outcome, second[0].outcome] == ["failed", "lost"]
    states = {delivery.state for delivery in office.deliveries_of(ada, endpoint)}
    assert states == {DeliveryState.FAILED}
    assert office.webhooks.get(ada, other.id).is_enabled
    tell(studio, ada)
    assert len(office.deliveries_of(ada, endpoint)) == 4
    assert len(office.deliveries_of(ada, other)) == 5


def test_an_endpoint_that_asks_for_less_is_left_alone_with_all_its_deliveries(
    studio: Studio, office: Office, ada: Caller, endpoint: Endpoint
) -> None:
    other = office.endpoint(ada, "https://other.example.com/hook")
    tell(studio, ada, 3)
    mine = [parcel for parcel in office.claim() if parcel.endpoint_id == endpoint.id]

    office.settle(THROTTLED, mine[0])
    office.settle(ERROR, mine[1])

    studio.database.advance(timedelta(seconds=30))
    assert {parcel.endpoint_id for parcel in office.claim()} == {other.id}
    assert office.desk.look().next_seconds is not None
    studio.database.advance(timedelta(seconds=570))
    assert {parcel.endpoint_id for parcel in office.claim()} == {endpoint.id}


def test_a_success_forgets_that_an_endpoint_asked_for_less(
    studio: Studio, office: Office, ada: Caller, endpoint: Endpoint
) -> None:
    tell(studio, ada, 2)
    first, second = office.claim()
    office.settle(THROTTLED, first)
    office.settle(OK, second)
    tell(studio, ada)

    (parcel,) = office.claim()

    assert (parcel.throttles, parcel.failing_since) == (0, None)


def test_an_endpoint_that_fails_for_days_is_disabled_and_can_be_enabled_again(
    studio: Studio, office: Office, ada: Caller, endpoint: Endpoint
) -> None:
    tell(studio, ada)
    while studio.database.moment < START + DISABLED_AFTER:
        office.send_all(ERROR)
        studio.database.advance(12 * HOURS)
    assert office.webhooks.get(ada, endpoint.id).is_enabled
    tell(studio, ada)
    for pause in (*PAUSES, HOURS):
        office.send_all(ERROR)
        studio.database.advance(pause)

    found = office.webhooks.get(ada, endpoint.id)

    assert (found.is_enabled, found.disabled_reason) == (False, "failing")
    assert set(office.states()) == {"failed"}


def test_a_delivery_of_an_endpoint_that_was_being_closed_is_not_sent(
    studio: Studio, office: Office, ada: Caller, endpoint: Endpoint
) -> None:
    """The event was written by a transaction that still saw the endpoint as enabled."""
    tell(studio, ada)
    studio.execute("UPDATE webhook_endpoints SET state = 'disabled'")

    assert office.claim() == []
    assert office.states() == {"failed": 1}


def test_a_replay_begins_the_schedule_anew_and_keeps_the_log(
    studio: Studio, office: Office, ada: Caller, endpoint: Endpoint
) -> None:
    tell(studio, ada)
    office.send_all(OK)
    (delivery,) = office.deliveries_of(ada, endpoint)

    replayed = office.webhooks.replay(ada, endpoint.id, delivery.id)
    assert replayed.state is DeliveryState.PENDING
    office.send_all(ERROR)
    studio.database.advance(PAUSES[0])
    office.send_all(OK)

    (found,) = office.deliveries_of(ada, endpoint)
    assert found.state is DeliveryState.DELIVERED
    assert [attempt.status_code for attempt in found.attempts] == [200, 500, 200]


def test_a_failed_delivery_can_be_replayed_once_its_endpoint_is_enabled(
    studio: Studio, office: Office, ada: Caller, endpoint: Endpoint
) -> None:
    tell(studio, ada)
    office.settle(GONE, *office.claim())
    (delivery,) = office.deliveries_of(ada, endpoint)
    with pytest.raises(EndpointDisabledError):
        office.webhooks.replay(ada, endpoint.id, delivery.id)

    studio.execute("UPDATE webhook_endpoints SET state = 'enabled', disabled_reason = NULL")
    office.webhooks.replay(ada, endpoint.id, delivery.id)

    assert office.send_all(OK) == 1
    assert office.states() == {"delivered": 1}


def test_looking_says_when_the_next_delivery_is_due(
    studio: Studio, office: Office, ada: Caller, endpoint: Endpoint
) -> None:
    assert office.desk.look().next_seconds is None
    tell(studio, ada)
    office.send_all(ERROR)

    due = office.desk.look()

    assert (due.lanes, due.next_seconds) == ((), PAUSES[0].total_seconds())


def test_every_lane_is_found_however_many_wait_in_one(
    studio: Studio, office: Office, ada: Caller, bob: Caller, endpoint: Endpoint
) -> None:
    others = [office.endpoint(bob, f"https://e{n}.example.com/") for n in range(3)]
    tell(studio, ada, 8)
    studio.database.advance(timedelta(seconds=1))
    tell(studio, bob)

    lanes = [lane.name for lane in office.desk.look().lanes]

    assert lanes[0] == f"{ada.account_id}/{endpoint.id}"
    assert sorted(lanes[1:]) == sorted(f"{bob.account_id}/{one.id}" for one in others)


@on_sqlite_only
def test_a_moved_endpoint_gets_what_waits_at_its_new_address(
    studio: Studio, office: Office, ada: Caller, endpoint: Endpoint
) -> None:
    from gen_video.webhooks.changes import EndpointChanges  # noqa: PLC0415

    tell(studio, ada)
    office.settle(ERROR, *office.claim())
    moved = f"{URL}/new"

    office.webhooks.update(ada, endpoint.id, EndpointChanges(url=moved))

    studio.database.advance(PAUSES[0])
    (parcel,) = office.claim()
    (delivery,) = office.deliveries_of(ada, endpoint)
    assert (parcel.url, delivery.url) == (moved, moved)
