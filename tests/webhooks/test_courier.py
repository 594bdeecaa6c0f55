"""The courier beside real receivers: each gets its documented treatment, none waits for another."""

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from standardwebhooks import Webhook

from gen_video.accounts.models import Caller
from gen_video.db.watch import ChangeWatcher
from gen_video.egress.post import EgressPoster
from gen_video.egress.way import Way
from gen_video.errors import ServiceUnavailableError
from gen_video.telemetry.metrics import Metrics
from gen_video.webhooks import courier as couriers
from gen_video.webhooks.courier import Courier, Kit
from gen_video.webhooks.desk import LEASE
from gen_video.webhooks.models import Delivery, DeliveryState
from gen_video.webhooks.service import WebhookService
from gen_video.webhooks.urls import UrlRules
from tests.db.clocked import on_sqlite_only
from tests.egress.internet import PUBLIC, Internet
from tests.egress.servers import response
from tests.generation.fakes import wait_until
from tests.generation.studio import Studio
from tests.webhooks.office import Office
from tests.webhooks.receivers import (
    Answer,
    Receiver,
    drip,
    drip_body,
    flood,
    hang,
    receiving,
)

ANY = UrlRules(allow_private=True)
DEADLINE_SECONDS = 0.6
NAME = "hooks.example.com"


class Round:
    """A courier on its round, with its receiver and the account that it works for."""

    def __init__(self, office: Office, caller: Caller, receiver: Receiver) -> None:
        self.office = office
        self.caller = caller
        self.receiver = receiver
        self.metrics = Metrics()
        self.webhooks = WebhookService(
            database=office.database,
            accounts=office.studio.accounts,
            signer=office.signer,
            rules=ANY,
            poster=EgressPoster(Way(allow_private=True)),
        )

    @contextmanager
    def courier(
        self,
        *,
        poster: EgressPoster | None = None,
        rules: UrlRules = ANY,
        senders: int = 8,
        drain_seconds: float = 5.0,
    ) -> Iterator[Courier]:
        """Run a courier while the block runs."""
        watcher = ChangeWatcher(self.office.database)
        kit = Kit(
            desk=self.office.desk,
            poster=poster
            or EgressPoster(Way(allow_private=True), deadline_seconds=DEADLINE_SECONDS),
            signer=self.office.signer,
            rules=rules,
            metrics=self.metrics,
        )
        courier = Courier(kit, name="test", senders=senders, subscribe=watcher.subscribe)
        courier.start()
        try:
            yield courier
        finally:
            courier.close(drain_seconds)
            watcher.close()

    def endpoint(self, path: str, answer: Answer | None = None) -> str:
        if answer is not None:
            self.receiver.answers[path] = answer
        url = self.receiver.url(path)
        return self.webhooks.create(self.caller, url=url).endpoint.id

    def tell(self, endpoint_id: str, count: int = 1) -> None:
        for _ in range(count):
            self.webhooks.send_test(self.caller, endpoint_id)

    def deliveries(self, endpoint_id: str) -> tuple[Delivery, ...]:
        return self.webhooks.list_deliveries(self.caller, endpoint_id, limit=100).deliveries

    def wait_for_attempt(self, endpoint_id: str) -> Delivery:
        """Return a delivery of an endpoint once it was tried."""
        found: list[Delivery] = []

        def is_tried() -> bool:
            found[:] = [one for one in self.deliveries(endpoint_id) if one.attempts]
            return bool(found)

        wait_until(is_tried)
        return found[0]


@pytest.fixture
def rounds(office: Office, ada: Caller) -> Iterator[Round]:
    with receiving() as receiver:
        yield Round(office, ada, receiver)


def test_an_event_arrives_at_once_signed_and_as_it_was_written(
    studio: Studio, rounds: Round, ada: Caller
) -> None:
    made = rounds.webhooks.create(ada, url=rounds.receiver.url("/hook?token=1"))
    with rounds.courier():
        started = time.monotonic()
        studio.jobs.cancel(ada, studio.submit(ada).id)
        (received,) = rounds.receiver.wait_for(1)
        wait_until(lambda: rounds.office.states() == {"delivered": 1})

    (event,) = rounds.office.event_rows()
    assert received.at - started < 2.0
    assert received.path == "/hook?token=1"
    assert received.body == event.body.encode()
    assert received.headers["webhook-id"] == event.id
    assert received.headers["content-type"] == "application/json"
    read = Webhook(made.secret).verify(received.body, received.headers)
    assert read == json.loads(event.body)
    text = rounds.metrics.render()[0].decode()
    assert 'gv_webhooks_total{outcome="delivered"} 1.0' in text


@on_sqlite_only
@pytest.mark.parametrize(
    ("answer", "status_code", "error", "state"),
    [
        (response(status="204 No Content"), 204, None, "delivered"),
        (flood, 200, None, "delivered"),
        (drip_body, 200, None, "delivered"),
        (response(status="500 Oops"), 500, "bad_status", "pending"),
        (response(status="301 Moved", location="/elsewhere"), 301, "redirected", "pending"),
        (response(status="307 Moved", location="/elsewhere"), 307, "redirected", "pending"),
        (response(status="410 Gone"), 410, "gone", "failed"),
        (response(status="429 Slow down", retry_after="120"), 429, "throttled", "pending"),
        (hang, None, "timeout", "pending"),
        (drip, None, "timeout", "pending"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", None, "not_http", "pending"),
        (b"", None, "not_http", "pending"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)[:20]),
)
def test_every_answer_gets_the_documented_treatment(
    rounds: Round, answer: Answer, status_code: int | None, error: str | None, state: str
) -> None:
    endpoint_id = rounds.endpoint("/hook", answer)
    rounds.tell(endpoint_id)
    with rounds.courier():
        delivery = rounds.wait_for_attempt(endpoint_id)

    (attempt,) = delivery.attempts
    assert (attempt.status_code, attempt.error) == (status_code, error)
    assert delivery.state == state
    assert attempt.duration_ms < 5000
    assert rounds.receiver.of("/elsewhere") == []
    found = rounds.webhooks.get(rounds.caller, endpoint_id)
    assert found.is_enabled is (status_code != 410)


@on_sqlite_only
def test_a_receiver_that_refuses_connections_is_tried_again(rounds: Round) -> None:
    with receiving() as closed:
        url = closed.url()
    endpoint_id = rounds.webhooks.create(rounds.caller, url=url).endpoint.id
    rounds.tell(endpoint_id)
    with rounds.courier():
        delivery = rounds.wait_for_attempt(endpoint_id)

    assert [attempt.error for attempt in delivery.attempts] == ["connection_failed"]
    assert delivery.state is DeliveryState.PENDING


@on_sqlite_only
def test_a_name_that_turns_to_loopback_is_never_connected_to(
    studio: Studio, rounds: Round, ada: Caller
) -> None:
    """The name was public when the endpoint was made, and at the first attempt."""
    internet = Internet(names={NAME: [[PUBLIC], ["127.0.0.1"]]}, port=rounds.receiver.port)
    rules = UrlRules(allow_http=True)
    poster = EgressPoster(Way(resolve=internet.resolve, connect=internet.connect))
    rounds.receiver.answers["/hook"] = response(status="500 Oops")
    endpoint_id = rounds.webhooks.create(ada, url=f"http://{NAME}:80/hook").endpoint.id
    rounds.tell(endpoint_id)
    with rounds.courier(poster=poster, rules=rules):
        rounds.wait_for_attempt(endpoint_id)
        studio.database.advance(LEASE * 2)
        wait_until(lambda: len(rounds.deliveries(endpoint_id)[0].attempts) == 2)

    (delivery,) = rounds.deliveries(endpoint_id)
    assert [attempt.error for attempt in delivery.attempts] == [
        "bad_status",
        "address_not_allowed",
    ]
    assert internet.looked_up == [NAME, NAME]
    assert internet.connected == [PUBLIC]
    assert rounds.receiver.opened == 1


@on_sqlite_only
@pytest.mark.parametrize("bad", [hang, drip])
def test_a_bad_receiver_delays_nobody_else(
    rounds: Round, ada: Caller, bob: Caller, bad: Answer
) -> None:
    """Eight senders; twenty deliveries to the bad one are due before any other."""
    with rounds.courier(poster=EgressPoster(Way(allow_private=True), deadline_seconds=3.0)):
        for number in range(2):
            rounds.tell(rounds.endpoint(f"/bad{number}", bad), 10)
        wait_until(lambda: len(rounds.receiver.received) == 4)
        started = time.monotonic()
        good = rounds.webhooks.create(bob, url=rounds.receiver.url("/good")).endpoint.id
        for _ in range(20):
            rounds.webhooks.send_test(bob, good)
        arrived = rounds.receiver.wait_for(20, "/good")

    assert max(one.at for one in arrived) - started < 2.0
    assert len(rounds.receiver.received) - len(rounds.receiver.of("/good")) <= 4


@on_sqlite_only
def test_a_stopping_courier_finishes_what_is_under_way(rounds: Round) -> None:
    rounds.receiver.delay_seconds = 0.3
    rounds.tell(rounds.endpoint("/hook"))
    with rounds.courier():
        rounds.receiver.wait_for(1)

    assert rounds.office.states() == {"delivered": 1}


@on_sqlite_only
def test_what_takes_longer_than_the_drain_is_given_back(rounds: Round) -> None:
    rounds.tell(rounds.endpoint("/hook", hang))
    poster = EgressPoster(Way(allow_private=True), deadline_seconds=20.0)
    with rounds.courier(poster=poster, drain_seconds=0.2):
        rounds.receiver.wait_for(1)

    assert rounds.office.states() == {"pending": 1}
    (parcel,) = rounds.office.claim()
    assert parcel.attempt == 0


@on_sqlite_only
def test_an_outage_of_the_database_loses_no_result(
    studio: Studio, rounds: Round, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(couriers, "OUTAGE_PAUSE_SECONDS", 0.05)
    endpoint_id = rounds.endpoint("/hook")
    rounds.receiver.delay_seconds = 0.2
    with rounds.courier():
        rounds.tell(endpoint_id)
        rounds.receiver.wait_for(1)
        studio.database.is_down = True
        wait_until(lambda: studio.database.refusals > 3)
        studio.database.is_down = False
        wait_until(lambda: rounds.office.states() == {"delivered": 1})

    assert len(rounds.receiver.received) == 1


@on_sqlite_only
def test_a_bug_in_a_turn_ends_neither_the_courier_nor_the_delivery(
    rounds: Round, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(couriers, "OUTAGE_PAUSE_SECONDS", 0.05)
    endpoint_id = rounds.endpoint("/hook")
    desk = rounds.office.desk
    healthy: Callable[..., object] = desk.settle
    has_stumbled = threading.Event()

    def stumble(receipts: object) -> object:
        if not has_stumbled.is_set():
            has_stumbled.set()
            raise RuntimeError("a bug")
        return healthy(receipts)

    monkeypatch.setattr(desk, "settle", stumble)
    with rounds.courier():
        rounds.tell(endpoint_id)
        rounds.receiver.wait_for(1)
        wait_until(has_stumbled.is_set)
        rounds.office.database.advance(LEASE * 2)
        wait_until(lambda: rounds.office.states() == {"delivered": 1})

    assert len({one.headers["webhook-id"] for one in rounds.receiver.received}) == 1


def test_a_courier_without_work_asks_little(office: Office, rounds: Round) -> None:
    looks = itertools.count()
    look = office.desk.look

    def counted() -> object:
        next(looks)
        return look()

    office.desk.look = counted  # type: ignore[method-assign,assignment] # to count
    with rounds.courier():
        time.sleep(1.0)

    assert next(looks) <= 3


def test_the_pool_of_a_database_that_is_away_is_left_in_peace(
    studio: Studio, rounds: Round
) -> None:
    studio.database.is_down = True
    with rounds.courier(drain_seconds=0.1):
        wait_until(lambda: studio.database.refusals > 0)
        time.sleep(0.3)

    assert studio.database.refusals < 4
    with pytest.raises(ServiceUnavailableError):
        studio.database.read(lambda _connection: None)
    studio.database.is_down = False
