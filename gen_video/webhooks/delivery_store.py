"""SQL of deliveries as events make them and their owners see them.

Every function takes the connection first and never commits.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, literal, select, update

from gen_video.db.schema import UtcTime
from gen_video.webhooks.lanes import lane_of
from gen_video.webhooks.models import Attempt, Delivery, DeliveryState, Event, EventType
from gen_video.webhooks.store import is_behind, newest_first, wants
from gen_video.webhooks.tables import (
    IS_ENABLED,
    IS_PENDING,
    IS_SENDING,
    deliveries,
    delivery_attempts,
    events,
    webhook_endpoints,
)

ID_PART = 11
"""Half of an id's random characters: an event's and an endpoint's make a delivery's."""
AnyRow = Row[*tuple[Any, ...]]


def insert_for_endpoints(connection: Connection, event: Event, *, account_id: str) -> None:
    """Add a delivery of an event for every endpoint of its account that wants it."""
    start = len("evt_") + 1
    delivery_id = f"dlv_{event.id[start - 1 : start - 1 + ID_PART]}"
    chosen = select(
        literal(delivery_id).concat(func.substr(webhook_endpoints.c.id, start, ID_PART)),
        literal(event.id),
        webhook_endpoints.c.id,
        literal(account_id),
        webhook_endpoints.c.url,
        literal(lane_of(account_id, "")).concat(webhook_endpoints.c.id),
        literal(DeliveryState.PENDING.value),
        literal(event.created_at, UtcTime()),
        literal(event.created_at, UtcTime()),
    ).where(webhook_endpoints.c.account_id == account_id, IS_ENABLED, wants(event.type))
    names = (
        "id",
        "event_id",
        "endpoint_id",
        "account_id",
        "url",
        "lane",
        "state",
        "next_attempt_at",
        "created_at",
    )
    connection.execute(insert(deliveries).from_select(names, chosen))


def insert_one(
    connection: Connection,
    event: Event,
    *,
    delivery_id: str,
    account_id: str,
    endpoint_id: str | None,
    url: str,
    lane: str,
) -> None:
    """Add a delivery of an event to one address."""
    connection.execute(
        insert(deliveries).values(
            id=delivery_id,
            event_id=event.id,
            endpoint_id=endpoint_id,
            account_id=account_id,
            url=url,
            lane=lane,
            state=DeliveryState.PENDING.value,
            next_attempt_at=event.created_at,
            created_at=event.created_at,
        )
    )


def list_lost(connection: Connection, *, before: datetime) -> list[str]:
    """Return deliveries whose leases ran out before a moment."""
    statement = select(deliveries.c.id).where(IS_SENDING, deliveries.c.lease_expires_at < before)
    return list(connection.execute(statement).scalars())


def disable(connection: Connection, endpoint_id: str, *, reason: str) -> bool:
    """Disable an endpoint and fail what waits for it; False when it was not enabled."""
    statement = (
        update(webhook_endpoints)
        .where(webhook_endpoints.c.id == endpoint_id, IS_ENABLED)
        .values(state="disabled", disabled_reason=reason, throttled_until=None)
    )
    is_disabled = connection.execute(statement).rowcount == 1
    fail_open(connection, endpoint_id)
    return is_disabled


def fail_open(connection: Connection, endpoint_id: str) -> None:
    """Fail what waits for an endpoint or is on its way to it."""
    connection.execute(
        update(deliveries)
        .where(deliveries.c.endpoint_id == endpoint_id, IS_PENDING | IS_SENDING)
        .values(
            state=DeliveryState.FAILED.value,
            next_attempt_at=None,
            lease_owner=None,
            lease_expires_at=None,
            fence=deliveries.c.fence + 1,
        )
    )


def replay(connection: Connection, delivery_id: str, *, url: str, now: datetime) -> None:
    """Let a delivery begin its schedule anew."""
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery_id, ~IS_SENDING)
        .values(
            state=DeliveryState.PENDING.value,
            next_attempt_at=now,
            attempt=0,
            url=url,
            fence=deliveries.c.fence + 1,
        )
    )


def move_pending(connection: Connection, endpoint_id: str, *, url: str) -> None:
    """Show the new address of an endpoint in what waits for it."""
    connection.execute(
        update(deliveries)
        .where(deliveries.c.endpoint_id == endpoint_id, IS_PENDING)
        .values(url=url)
    )


def find_delivery(connection: Connection, delivery_id: str, *, endpoint_id: str) -> Delivery | None:
    """Return a delivery of an endpoint with its attempts."""
    statement = _select_deliveries().where(
        deliveries.c.id == delivery_id, deliveries.c.endpoint_id == endpoint_id
    )
    found = _with_attempts(connection, list(connection.execute(statement)))
    return found[0] if found else None


def list_deliveries(
    connection: Connection,
    *,
    endpoint_id: str,
    limit: int,
    after: Delivery | None,
    states: Sequence[DeliveryState],
) -> list[Delivery]:
    """Return an endpoint's deliveries with their attempts, newest first, from behind `after`."""
    statement = _select_deliveries().where(deliveries.c.endpoint_id == endpoint_id)
    if states:
        names = [state.value for state in states]
        statement = statement.where(deliveries.c.state.in_(names))
    if after is not None:
        statement = statement.where(is_behind(deliveries, after.created_at, after.id))
    rows = list(connection.execute(newest_first(statement, deliveries, limit)))
    return _with_attempts(connection, rows)


def find_next(connection: Connection, *, after: datetime | None = None) -> datetime | None:
    """Return when the next delivery is due, of those that are due after a moment."""
    statement = select(func.min(deliveries.c.next_attempt_at)).where(IS_PENDING)
    if after is not None:
        statement = statement.where(deliveries.c.next_attempt_at > after)
    found: datetime | None = connection.execute(statement).scalar_one()
    return found


def count_open(connection: Connection) -> int:
    """Return how many deliveries wait or are on their way."""
    statement = select(func.count()).select_from(deliveries).where(IS_PENDING | IS_SENDING)
    return connection.execute(statement).scalar_one()


def _select_deliveries() -> Any:  # noqa: ANN401 - a statement
    return select(deliveries, events.c.type.label("event_type")).join(
        events, events.c.id == deliveries.c.event_id
    )


def _with_attempts(connection: Connection, rows: Sequence[AnyRow]) -> list[Delivery]:
    found: dict[str, list[Attempt]] = {row.id: [] for row in rows}
    statement = (
        select(delivery_attempts)
        .where(delivery_attempts.c.delivery_id.in_(found))
        .order_by(delivery_attempts.c.delivery_id, delivery_attempts.c.number)
    )
    for row in connection.execute(statement) if found else ():
        found[row.delivery_id].append(
            Attempt(
                at=row.at,
                status_code=row.status_code,
                error=row.error,
                duration_ms=row.duration_ms,
            )
        )
    return [
        Delivery(
            id=row.id,
            event_id=row.event_id,
            event_type=EventType(row.event_type),
            endpoint_id=row.endpoint_id,
            url=row.url,
            state=DeliveryState(row.state),
            next_attempt_at=row.next_attempt_at,
            created_at=row.created_at,
            attempts=tuple(found[row.id]),
        )
        for row in rows
    ]
