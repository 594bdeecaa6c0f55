"""SQL of couriers: deliveries claimed under a lease, settled under its fence.

Every function takes the connection first and never commits. A settlement names the fence that its
delivery was claimed under; a courier that was thought dead changes nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, literal, select, update

from gen_video.db.schema import UtcTime
from gen_video.webhooks.lanes import DueLane, lane_of
from gen_video.webhooks.models import Attempt, DeliveryState, Parcel, SecretName
from gen_video.webhooks.tables import (
    IS_ENABLED,
    IS_PENDING,
    IS_SENDING,
    deliveries,
    delivery_attempts,
    events,
    webhook_endpoints,
    webhook_secrets,
)

AnyRow = Row[*tuple[Any, ...]]


def list_due_lanes(connection: Connection, *, now: datetime) -> list[DueLane]:
    """Return the lanes with deliveries that are due, the longest waiting first.

    Walks from lane to lane: however long one of them is, it costs one step.
    """
    first = select(func.min(deliveries.c.lane).label("lane")).where(IS_PENDING)
    walk = first.cte("walk", recursive=True)
    following = (
        select(func.min(deliveries.c.lane))
        .where(IS_PENDING, deliveries.c.lane > walk.c.lane)
        .scalar_subquery()
    )
    walk = walk.union_all(select(following).where(walk.c.lane.is_not(None)))
    earliest = (
        select(func.min(deliveries.c.next_attempt_at))
        .where(IS_PENDING, deliveries.c.lane == walk.c.lane)
        .scalar_subquery()
    )
    statement = (
        select(walk.c.lane, earliest.label("due_at"))
        .where(walk.c.lane.is_not(None), earliest <= literal(now, UtcTime()))
        .order_by("due_at")
    )
    return [DueLane(name=row.lane) for row in connection.execute(statement)]


def list_throttled_lanes(connection: Connection, *, now: datetime) -> dict[str, datetime]:
    """Return until when lanes are left alone whose endpoints asked for less."""
    statement = select(
        webhook_endpoints.c.account_id, webhook_endpoints.c.id, webhook_endpoints.c.throttled_until
    ).where(webhook_endpoints.c.throttled_until > now)
    return {
        lane_of(row.account_id, row.id): row.throttled_until
        for row in connection.execute(statement)
    }


def claim(
    connection: Connection,
    wanted: dict[str, int],
    *,
    owner: str,
    now: datetime,
    lease_until: datetime,
) -> list[Parcel]:
    """Lease the given number of deliveries of each lane, the longest due first."""
    ids = [
        delivery_id
        for lane, count in wanted.items()
        for delivery_id in _lock_due(connection, lane, count, now=now)
    ]
    if not ids:
        return []
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id.in_(ids), IS_PENDING)
        .values(
            state=DeliveryState.SENDING.value,
            next_attempt_at=None,
            lease_owner=owner,
            lease_expires_at=lease_until,
            fence=deliveries.c.fence + 1,
        )
    )
    return _read_parcels(connection, ids)


def renew(connection: Connection, ids: Sequence[str], *, owner: str, lease_until: datetime) -> None:
    """Prolong a courier's leases."""
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id.in_(ids), IS_SENDING, deliveries.c.lease_owner == owner)
        .values(lease_expires_at=lease_until)
    )


def settle(
    connection: Connection,
    parcel: Parcel,
    *,
    state: DeliveryState,
    next_attempt_at: datetime | None,
    attempt: Attempt | None,
) -> bool:
    """End a lease: tried once more, or given back; False when it was lost."""
    tried = int(attempt is not None)
    statement = (
        update(deliveries)
        .where(deliveries.c.id == parcel.id, IS_SENDING, deliveries.c.fence == parcel.fence)
        .values(
            state=state.value,
            next_attempt_at=next_attempt_at,
            lease_owner=None,
            lease_expires_at=None,
            url=parcel.url,
            attempt=deliveries.c.attempt + tried,
            attempts=deliveries.c.attempts + tried,
        )
    )
    if connection.execute(statement).rowcount != 1:
        return False
    if attempt is not None:
        connection.execute(
            insert(delivery_attempts).values(
                delivery_id=parcel.id,
                number=parcel.attempts + 1,
                at=attempt.at,
                status_code=attempt.status_code,
                error=attempt.error,
                duration_ms=attempt.duration_ms,
            )
        )
    return True


def has_lost(connection: Connection, *, before: datetime) -> bool:
    """Tell whether a lease ran out before a moment."""
    statement = select(deliveries.c.id).where(IS_SENDING, deliveries.c.lease_expires_at < before)
    return connection.execute(statement.limit(1)).first() is not None


def take_back(connection: Connection, *, now: datetime) -> int:
    """Let deliveries whose courier died be claimed again; return how many."""
    statement = (
        update(deliveries)
        .where(IS_SENDING, deliveries.c.lease_expires_at < now)
        .values(
            state=DeliveryState.PENDING.value,
            next_attempt_at=now,
            lease_owner=None,
            lease_expires_at=None,
            fence=deliveries.c.fence + 1,
        )
    )
    return connection.execute(statement).rowcount


def note_success(connection: Connection, endpoint_id: str) -> None:
    """Forget that an endpoint failed or asked for less; writes only where there is a change."""
    endpoint = webhook_endpoints.c
    connection.execute(
        update(webhook_endpoints)
        .where(
            endpoint.id == endpoint_id,
            endpoint.failing_since.is_not(None) | endpoint.throttled_until.is_not(None),
        )
        .values(failing_since=None, throttles=0, throttled_until=None)
    )


def note_failure(
    connection: Connection, endpoint_id: str, *, now: datetime, throttled_until: datetime | None
) -> None:
    """Note that an endpoint failed, and until when it is left alone."""
    endpoint = webhook_endpoints.c
    values: dict[str, object] = {
        "failing_since": func.coalesce(endpoint.failing_since, literal(now, UtcTime()))
    }
    if throttled_until is not None:
        values |= {"throttles": endpoint.throttles + 1, "throttled_until": throttled_until}
    connection.execute(update(webhook_endpoints).where(endpoint.id == endpoint_id).values(values))


def list_closed_endpoints(connection: Connection, endpoint_ids: Sequence[str]) -> list[str]:
    """Return those of some endpoints that are told nothing any more."""
    statement = select(webhook_endpoints.c.id).where(
        webhook_endpoints.c.id.in_(endpoint_ids), ~IS_ENABLED
    )
    return list(connection.execute(statement).scalars())


def _lock_due(connection: Connection, lane: str, count: int, *, now: datetime) -> list[str]:
    statement = (
        select(deliveries.c.id)
        .where(deliveries.c.lane == lane, IS_PENDING, deliveries.c.next_attempt_at <= now)
        .order_by(deliveries.c.next_attempt_at)
        .limit(count)
        .with_for_update(skip_locked=True)
    )
    return list(connection.execute(statement).scalars())


def _read_parcels(connection: Connection, ids: Sequence[str]) -> list[Parcel]:
    endpoint = webhook_endpoints.c
    account = webhook_secrets.c
    statement = (
        select(
            deliveries,
            events.c.body,
            endpoint.url.label("endpoint_url"),
            endpoint.throttles,
            endpoint.failing_since,
            endpoint.secret_version.label("endpoint_version"),
            endpoint.previous_until.label("endpoint_until"),
            account.secret_version.label("account_version"),
            account.previous_until.label("account_until"),
        )
        .join(events, events.c.id == deliveries.c.event_id)
        .outerjoin(webhook_endpoints, endpoint.id == deliveries.c.endpoint_id)
        .outerjoin(webhook_secrets, account.account_id == deliveries.c.account_id)
        .where(deliveries.c.id.in_(ids))
    )
    return [_parcel(row) for row in connection.execute(statement)]


def _parcel(row: AnyRow) -> Parcel:
    is_own = row.endpoint_id is None
    secret = SecretName(
        owner_id=row.account_id if is_own else row.endpoint_id,
        version=(row.account_version or 1) if is_own else row.endpoint_version,
        previous_until=row.account_until if is_own else row.endpoint_until,
    )
    return Parcel(
        id=row.id,
        fence=row.fence,
        lane=row.lane,
        account_id=row.account_id,
        endpoint_id=row.endpoint_id,
        event_id=row.event_id,
        body=row.body,
        url=row.url if is_own else row.endpoint_url,
        attempt=row.attempt,
        attempts=row.attempts,
        throttles=row.throttles or 0,
        failing_since=row.failing_since,
        secret=secret,
    )
