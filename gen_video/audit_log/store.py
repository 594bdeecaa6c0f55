"""SQL of the audit log. Every function takes the connection first and never commits."""

import json
from datetime import datetime

from sqlalchemy import Connection, and_, insert, or_, select

from gen_video.audit_log.models import Action, Actor, ActorKind, Entry
from gen_video.audit_log.tables import audit_log


def insert_entry(connection: Connection, entry: Entry) -> None:
    """Append one line."""
    connection.execute(
        insert(audit_log).values(
            id=entry.id,
            at=entry.at,
            actor_kind=entry.actor.kind.value,
            actor_name=entry.actor.name[:120],
            actor_id=entry.actor.account_id,
            action=entry.action.value,
            subject=entry.subject[:200],
            facts_json=json.dumps(dict(entry.facts), ensure_ascii=False),
        )
    )


def find_place(connection: Connection, entry_id: str) -> tuple[datetime, str] | None:
    """Return where a line stands in the order of the log."""
    row = connection.execute(
        select(audit_log.c.at, audit_log.c.id).where(audit_log.c.id == entry_id)
    ).one_or_none()
    return None if row is None else (row.at, row.id)


def list_entries(
    connection: Connection,
    *,
    limit: int,
    after: tuple[datetime, str] | None,
    action: Action | None,
) -> list[Entry]:
    """Return lines, newest first, from behind (at, id)."""
    statement = select(audit_log).order_by(audit_log.c.at.desc(), audit_log.c.id.desc())
    if action is not None:
        statement = statement.where(audit_log.c.action == action.value)
    if after is not None:
        at, entry_id = after
        is_older = audit_log.c.at < at
        statement = statement.where(
            or_(is_older, and_(audit_log.c.at == at, audit_log.c.id < entry_id))
        )
    return [
        Entry(
            id=row.id,
            at=row.at,
            actor=Actor(
                kind=ActorKind(row.actor_kind), name=row.actor_name, account_id=row.actor_id
            ),
            action=Action(row.action),
            subject=row.subject,
            facts=json.loads(row.facts_json),
        )
        for row in connection.execute(statement.limit(limit))
    ]
