"""Use cases of webhooks for their owners: endpoints, secrets, deliveries, events.

Every query carries the caller's account: a foreign id and a missing id are the same thing.
"""

from collections.abc import Sequence

from sqlalchemy import Connection

from gen_video.accounts.models import Caller
from gen_video.accounts.service import AccountService
from gen_video.db.database import Database
from gen_video.db.watch import announce
from gen_video.egress.fetcher import UrlRefusedError
from gen_video.egress.post import Poster
from gen_video.ids import is_id, new_id
from gen_video.webhooks import delivery_store, store
from gen_video.webhooks.bodies import trial_body
from gen_video.webhooks.changes import EndpointChanges
from gen_video.webhooks.errors import (
    DeliveryNotFoundError,
    EndpointDisabledError,
    EndpointNotFoundError,
    EventNotFoundError,
    TooManyEndpointsError,
)
from gen_video.webhooks.lanes import lane_of
from gen_video.webhooks.models import (
    Delivery,
    DeliveryPage,
    DeliveryState,
    DisabledReason,
    Endpoint,
    EndpointPage,
    Event,
    EventPage,
    EventType,
    NewEndpoint,
    RotatedSecret,
)
from gen_video.webhooks.signing import ROTATION, Signer
from gen_video.webhooks.urls import UrlRules, refused

MAX_ENDPOINTS = 20
MAX_PAGE = 100


class WebhookService:
    """Webhooks as their owners use them."""

    def __init__(
        self,
        *,
        database: Database,
        accounts: AccountService,
        signer: Signer,
        rules: UrlRules,
        poster: Poster,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._signer = signer
        self._rules = rules
        self._poster = poster

    def check_url(self, url: str) -> None:
        """Check that an endpoint may have a URL; asks the resolver, so it may take seconds.

        Raises:
            InvalidRequestError: Says why not.
        """
        target = self._rules.require(url, pointer="/url")
        try:
            self._poster.look_up(target)
        except UrlRefusedError as error:
            raise refused("/url", error) from error

    def create(
        self,
        caller: Caller,
        *,
        url: str,
        events: Sequence[EventType] | None = None,
        description: str = "",
    ) -> NewEndpoint:
        """Add an endpoint; its secret is shown now and never again.

        Raises:
            InvalidRequestError: The URL cannot be one of an endpoint.
            TooManyEndpointsError: The account has enough of them.
        """
        self.check_url(url)

        def work(connection: Connection) -> Endpoint:
            self._accounts.lock(connection, caller.account_id)
            if store.count_endpoints(connection, account_id=caller.account_id) >= MAX_ENDPOINTS:
                raise TooManyEndpointsError(limit=MAX_ENDPOINTS)
            endpoint = Endpoint(
                id=new_id("whk"),
                url=url,
                events=None if events is None else tuple(events),
                description=description,
                is_enabled=True,
                disabled_reason=None,
                secret_version=1,
                created_at=self._database.now(connection),
            )
            store.insert_endpoint(connection, endpoint, account_id=caller.account_id)
            return endpoint

        endpoint = self._database.write(work)
        secret = self._signer.secret(endpoint.id, endpoint.secret_version)
        return NewEndpoint(endpoint=endpoint, secret=secret)

    def get(self, caller: Caller, endpoint_id: str) -> Endpoint:
        """Return one endpoint.

        Raises:
            EndpointNotFoundError: Missing or foreign.
        """
        return self._database.read(lambda connection: _require(connection, caller, endpoint_id))

    def list_endpoints(
        self, caller: Caller, *, limit: int = 20, after: str | None = None
    ) -> EndpointPage:
        """Return a page of endpoints, newest first, from behind the endpoint `after`."""
        size = min(limit, MAX_PAGE)

        def work(connection: Connection) -> EndpointPage:
            found = store.list_endpoints(
                connection,
                account_id=caller.account_id,
                limit=size + 1,
                after=None if after is None else _require(connection, caller, after),
            )
            return EndpointPage(endpoints=tuple(found[:size]), has_more=len(found) > size)

        return self._database.read(work)

    def update(self, caller: Caller, endpoint_id: str, changes: EndpointChanges) -> Endpoint:
        """Change an endpoint; disabling fails what waits for it, enabling forgets its failures.

        Raises:
            EndpointNotFoundError: Missing or foreign.
            InvalidRequestError: The new URL cannot be one of an endpoint.
        """
        self.get(caller, endpoint_id)
        if changes.url is not None:
            self.check_url(changes.url)

        def work(connection: Connection) -> Endpoint:
            _require(connection, caller, endpoint_id, is_locking=True)
            columns = changes.columns()
            if columns:
                store.change_endpoint(connection, endpoint_id, **columns)
            if changes.url is not None:
                delivery_store.move_pending(connection, endpoint_id, url=changes.url)
            if changes.is_enabled is False:
                reason = DisabledReason.OWNER.value
                delivery_store.disable(connection, endpoint_id, reason=reason)
            return _require(connection, caller, endpoint_id)

        return self._database.write(work)

    def delete(self, caller: Caller, endpoint_id: str) -> Endpoint:
        """Remove an endpoint; what waits for it is not sent any more.

        Raises:
            EndpointNotFoundError: Missing or foreign.
        """

        def work(connection: Connection) -> Endpoint:
            endpoint = _require(connection, caller, endpoint_id, is_locking=True)
            store.change_endpoint(connection, endpoint_id, state="deleted", throttled_until=None)
            delivery_store.fail_open(connection, endpoint_id)
            return endpoint

        return self._database.write(work)

    def rotate_secret(self, caller: Caller, endpoint_id: str) -> RotatedSecret:
        """Give an endpoint a new secret; the one before signs too for a day.

        Raises:
            EndpointNotFoundError: Missing or foreign.
        """

        def work(connection: Connection) -> RotatedSecret:
            _require(connection, caller, endpoint_id, is_locking=True)
            until = self._database.now(connection) + ROTATION
            version = store.rotate_endpoint(connection, endpoint_id, previous_until=until)
            secret = self._signer.secret(endpoint_id, version)
            return RotatedSecret(secret=secret, previous_valid_until=until)

        return self._database.write(work)

    def get_account_secret(self, caller: Caller) -> str:
        """Return the secret that signs deliveries to addresses that jobs name."""
        name = self._database.read(
            lambda connection: store.find_account_secret(connection, account_id=caller.account_id)
        )
        return self._signer.secret(name.owner_id, name.version)

    def rotate_account_secret(self, caller: Caller) -> RotatedSecret:
        """Give the account a new secret; the one before signs too for a day."""

        def work(connection: Connection) -> RotatedSecret:
            until = self._database.now(connection) + ROTATION
            version = store.rotate_account(
                connection, account_id=caller.account_id, previous_until=until
            )
            secret = self._signer.secret(caller.account_id, version)
            return RotatedSecret(secret=secret, previous_valid_until=until)

        return self._database.write(work)

    def send_test(self, caller: Caller, endpoint_id: str) -> Delivery:
        """Send an event to one endpoint that only tries the way.

        Raises:
            EndpointNotFoundError: Missing or foreign.
            EndpointDisabledError: It is told nothing.
        """

        def work(connection: Connection) -> Delivery:
            endpoint = _require_enabled(connection, caller, endpoint_id)
            now = self._database.now(connection)
            event = Event(
                id=new_id("evt"),
                type=EventType.TEST,
                body=trial_body(endpoint_id, now=now),
                created_at=now,
            )
            store.insert_event(connection, event, account_id=caller.account_id, job_id=None)
            delivery_id = new_id("dlv")
            delivery_store.insert_one(
                connection,
                event,
                delivery_id=delivery_id,
                account_id=caller.account_id,
                endpoint_id=endpoint_id,
                url=endpoint.url,
                lane=lane_of(caller.account_id, endpoint_id),
            )
            announce(connection)
            return _require_delivery(connection, endpoint_id, delivery_id)

        return self._database.write(work)

    def list_deliveries(
        self,
        caller: Caller,
        endpoint_id: str,
        *,
        limit: int = 20,
        after: str | None = None,
        state: DeliveryState | None = None,
    ) -> DeliveryPage:
        """Return a page of an endpoint's deliveries, newest first; `pending` has `sending` in it.

        Raises:
            EndpointNotFoundError: Missing or foreign.
            DeliveryNotFoundError: `after` names no delivery of this endpoint.
        """
        size = min(limit, MAX_PAGE)
        states = [] if state is None else [state]
        if state is DeliveryState.PENDING:
            states.append(DeliveryState.SENDING)

        def work(connection: Connection) -> DeliveryPage:
            _require(connection, caller, endpoint_id)
            cursor = None if after is None else _require_delivery(connection, endpoint_id, after)
            found = delivery_store.list_deliveries(
                connection, endpoint_id=endpoint_id, limit=size + 1, after=cursor, states=states
            )
            return DeliveryPage(deliveries=tuple(found[:size]), has_more=len(found) > size)

        return self._database.read(work)

    def replay(self, caller: Caller, endpoint_id: str, delivery_id: str) -> Delivery:
        """Send a delivery again, by the schedule from its beginning; same id, same bytes.

        Raises:
            EndpointNotFoundError: Missing or foreign.
            DeliveryNotFoundError: No such delivery of this endpoint.
            EndpointDisabledError: The endpoint is told nothing.
        """

        def work(connection: Connection) -> Delivery:
            endpoint = _require_enabled(connection, caller, endpoint_id)
            _require_delivery(connection, endpoint_id, delivery_id)
            now = self._database.now(connection)
            delivery_store.replay(connection, delivery_id, url=endpoint.url, now=now)
            announce(connection)
            return _require_delivery(connection, endpoint_id, delivery_id)

        return self._database.write(work)

    def get_event(self, caller: Caller, event_id: str) -> Event:
        """Return one event.

        Raises:
            EventNotFoundError: Missing, foreign or older than 30 days.
        """
        return self._database.read(lambda connection: _require_event(connection, caller, event_id))

    def list_events(
        self,
        caller: Caller,
        *,
        limit: int = 20,
        after: str | None = None,
        event_type: EventType | None = None,
    ) -> EventPage:
        """Return a page of events, newest first, from behind the event `after`.

        Raises:
            EventNotFoundError: `after` names no event of this caller.
        """
        size = min(limit, MAX_PAGE)

        def work(connection: Connection) -> EventPage:
            found = store.list_events(
                connection,
                account_id=caller.account_id,
                limit=size + 1,
                after=None if after is None else _require_event(connection, caller, after),
                event_type=event_type,
            )
            return EventPage(events=tuple(found[:size]), has_more=len(found) > size)

        return self._database.read(work)


def _require(
    connection: Connection, caller: Caller, endpoint_id: str, *, is_locking: bool = False
) -> Endpoint:
    found = None
    if is_id(endpoint_id, "whk"):
        found = store.find_endpoint(
            connection, endpoint_id, account_id=caller.account_id, is_locking=is_locking
        )
    if found is None:
        raise EndpointNotFoundError
    return found


def _require_enabled(connection: Connection, caller: Caller, endpoint_id: str) -> Endpoint:
    endpoint = _require(connection, caller, endpoint_id, is_locking=True)
    if not endpoint.is_enabled:
        raise EndpointDisabledError
    return endpoint


def _require_delivery(connection: Connection, endpoint_id: str, delivery_id: str) -> Delivery:
    found = None
    if is_id(delivery_id, "dlv"):
        found = delivery_store.find_delivery(connection, delivery_id, endpoint_id=endpoint_id)
    if found is None:
        raise DeliveryNotFoundError
    return found


def _require_event(connection: Connection, caller: Caller, event_id: str) -> Event:
    found = None
    if is_id(event_id, "evt"):
        found = store.find_event(connection, event_id, account_id=caller.account_id)
    if found is None:
        raise EventNotFoundError
    return found
