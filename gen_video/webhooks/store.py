"""SQL of events, endpoints and secrets. Takes the connection first and never commits."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.schema import Column, Table

from gen_video.webhooks.models import Endpoint, Event, EventType, SecretName
from gen_video.webhooks.tables import (
    deliveries,
    delivery_attempts,
    events,
    webhook_endpoints,
    webhook_secrets,
)

AnyRow = Row[*tuple[Any, ...]]
NOT_DELETED = webhook_endpoints.c.state != literal_column("'deleted'")


def insert_event(
    connection: Connection, event: Event, *, account_id: str, job_id: str | None
) -> None:
    """Add an event."""
    connection.execute(
        insert(events).values(
            id=event.id,
            account_id=account_id,
            type=event.type.value,
            job_id=job_id,
            body=event.body,
            created_at=event.created_at,
        )
    )


def find_event(connection: Connection, event_id: str, *, account_id: str) -> Event | None:
    """Return an account's event."""
    row = connection.execute(
        select(events).where(events.c.id == event_id, events.c.account_id == account_id)
    ).one_or_none()
    return None if row is None else _event(row)


def list_events(
    connection: Connection,
    *,
    account_id: str,
    limit: int,
    after: Event | None,
    event_type: EventType | None,
) -> list[Event]:
    """Return an account's events, newest first, from behind `after`."""
    statement = select(events).where(events.c.account_id == account_id)
    if event_type is not None:
        statement = statement.where(events.c.type == event_type.value)
    if after is not None:
        statement = statement.where(is_behind(events, after.created_at, after.id))
    return [_event(row) for row in connection.execute(newest_first(statement, events, limit))]


def count_job_events(connection: Connection) -> dict[tuple[str, str], int]:
    """Return how many events each job has, by (job, type), for the audit."""
    statement = (
        select(events.c.job_id, events.c.type, func.count())
        .where(events.c.job_id.is_not(None))
        .group_by(events.c.job_id, events.c.type)
    )
    return {(row[0], row[1]): row[2] for row in connection.execute(statement)}


def list_old_events(connection: Connection, *, before: datetime, limit: int) -> list[str]:
    """Return events of before a moment that nothing waits for any more."""
    is_open = (
        select(deliveries.c.id)
        .where(deliveries.c.event_id == events.c.id, deliveries.c.state.in_(("pending", "sending")))
        .exists()
    )
    statement = (
        select(events.c.id)
        .where(events.c.created_at < before, ~is_open)
        .order_by(events.c.created_at)
        .limit(limit)
    )
    return list(connection.execute(statement).scalars())


def delete_events(connection: Connection, event_ids: Sequence[str]) -> None:
    """Delete events with their deliveries and the attempts at those."""
    own = select(deliveries.c.id).where(deliveries.c.event_id.in_(event_ids))
    connection.execute(delete(delivery_attempts).where(delivery_attempts.c.delivery_id.in_(own)))
    connection.execute(delete(deliveries).where(deliveries.c.event_id.in_(event_ids)))
    connection.execute(delete(events).where(events.c.id.in_(event_ids)))


def delete_closed_endpoints(connection: Connection, *, before: datetime) -> int:
    """Delete endpoints that their owners removed, and of which no delivery is kept."""
    own = select(deliveries.c.id).where(deliveries.c.endpoint_id == webhook_endpoints.c.id)
    statement = delete(webhook_endpoints).where(
        ~NOT_DELETED, webhook_endpoints.c.created_at < before, ~own.exists()
    )
    return connection.execute(statement).rowcount


def insert_endpoint(connection: Connection, endpoint: Endpoint, *, account_id: str) -> None:
    """Add an enabled endpoint."""
    connection.execute(
        insert(webhook_endpoints).values(
            id=endpoint.id,
            account_id=account_id,
            url=endpoint.url,
            events_json=write_types(endpoint.events),
            description=endpoint.description,
            state="enabled",
            created_at=endpoint.created_at,
        )
    )


def count_endpoints(connection: Connection, *, account_id: str) -> int:
    """Return how many endpoints an account has."""
    return connection.execute(
        select(func.count())
        .select_from(webhook_endpoints)
        .where(webhook_endpoints.c.account_id == account_id, NOT_DELETED)
    ).scalar_one()


def find_endpoint(
    connection: Connection, endpoint_id: str, *, account_id: str, is_locking: bool = False
) -> Endpoint | None:
    """Return an account's endpoint."""
    statement = select(webhook_endpoints).where(
        webhook_endpoints.c.id == endpoint_id,
        webhook_endpoints.c.account_id == account_id,
        NOT_DELETED,
    )
    if is_locking:
        statement = statement.with_for_update()
    row = connection.execute(statement).one_or_none()
    return None if row is None else _endpoint(row)


def list_endpoints(
    connection: Connection, *, account_id: str, limit: int, after: Endpoint | None
) -> list[Endpoint]:
    """Return an account's endpoints, newest first, from behind `after`."""
    statement = select(webhook_endpoints).where(
        webhook_endpoints.c.account_id == account_id, NOT_DELETED
    )
    if after is not None:
        statement = statement.where(is_behind(webhook_endpoints, after.created_at, after.id))
    rows = connection.execute(newest_first(statement, webhook_endpoints, limit))
    return [_endpoint(row) for row in rows]


def change_endpoint(connection: Connection, endpoint_id: str, **values: object) -> None:
    """Set columns of an endpoint."""
    connection.execute(
        update(webhook_endpoints).where(webhook_endpoints.c.id == endpoint_id).values(**values)
    )


def rotate_endpoint(connection: Connection, endpoint_id: str, *, previous_until: datetime) -> int:
    """Move an endpoint to its next secret; return the new version."""
    statement = (
        update(webhook_endpoints)
        .where(webhook_endpoints.c.id == endpoint_id)
        .values(
            secret_version=webhook_endpoints.c.secret_version + 1, previous_until=previous_until
        )
        .returning(webhook_endpoints.c.secret_version)
    )
    return int(connection.execute(statement).scalar_one())


def find_account_secret(connection: Connection, *, account_id: str) -> SecretName:
    """Return what an account's own secret is derived from."""
    row = connection.execute(
        select(webhook_secrets).where(webhook_secrets.c.account_id == account_id)
    ).one_or_none()
    if row is None:
        return SecretName(owner_id=account_id)
    return SecretName(
        owner_id=account_id, version=row.secret_version, previous_until=row.previous_until
    )


def rotate_account(connection: Connection, *, account_id: str, previous_until: datetime) -> int:
    """Move an account to its next secret; return the new version."""
    dialect_insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = (
        dialect_insert(webhook_secrets)
        .values(account_id=account_id, secret_version=2, previous_until=previous_until)
        .on_conflict_do_update(
            index_elements=["account_id"],
            set_={
                "secret_version": webhook_secrets.c.secret_version + 1,
                "previous_until": previous_until,
            },
        )
        .returning(webhook_secrets.c.secret_version)
    )
    return int(connection.execute(statement).scalar_one())


def write_types(types: Sequence[EventType] | None) -> str | None:
    """Write an endpoint's filter as it is stored."""
    return None if types is None else json.dumps([event_type.value for event_type in types])


def wants(event_type: EventType) -> ColumnElement[bool]:
    """Return the condition that an endpoint's filter lets a type through."""
    stored = webhook_endpoints.c.events_json
    return or_(stored.is_(None), stored.like(f'%"{event_type.value}"%'))


def is_behind(table: Table, moment: datetime, row_id: str) -> ColumnElement[bool]:
    """Return the condition that a row comes after another one, newest first."""
    created_at: Column[datetime] = table.c.created_at
    return or_(created_at < moment, and_(created_at == moment, table.c.id < row_id))


def newest_first(
    statement: Select[tuple[Any, ...]], table: Table, limit: int
) -> Select[tuple[Any, ...]]:
    """Return a statement with the order and the length of a page."""
    return statement.order_by(table.c.created_at.desc(), table.c.id.desc()).limit(limit)


def _event(row: AnyRow) -> Event:
    return Event(id=row.id, type=EventType(row.type), body=row.body, created_at=row.created_at)


def _endpoint(row: AnyRow) -> Endpoint:
    types = None
    if row.events_json is not None:
        types = tuple(EventType(name) for name in json.loads(row.events_json))
    return Endpoint(
        id=row.id,
        url=row.url,
        events=types,
        description=row.description,
        is_enabled=row.state == "enabled",
        disabled_reason=row.disabled_reason,
        secret_version=row.secret_version,
        created_at=row.created_at,
    )
