"""SQL of the call log. Every function takes the connection first and never commits."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime

from sqlalchemy import Connection, and_, case, delete, func, insert, or_, select

from gen_video.calls.models import Answers, Call, LoggedCall
from gen_video.calls.tables import api_calls

SERVER_ERROR = 500
_NAMES = tuple(field.name for field in fields(Call))


def insert_calls(connection: Connection, calls: Sequence[Call]) -> None:
    """Append calls."""
    connection.execute(insert(api_calls), [asdict(call) for call in calls])


def find_place(
    connection: Connection, call_id: int, *, account_id: str
) -> tuple[datetime, int] | None:
    """Return where a call of an account stands in the order of its log."""
    row = connection.execute(
        select(api_calls.c.at, api_calls.c.id).where(
            api_calls.c.id == call_id, api_calls.c.account_id == account_id
        )
    ).one_or_none()
    return None if row is None else (row.at, row.id)


def list_calls(
    connection: Connection,
    *,
    account_id: str,
    limit: int,
    after: tuple[datetime, int] | None,
    only_errors: bool,
) -> list[LoggedCall]:
    """Return an account's calls, newest first, from behind (at, id)."""
    statement = (
        select(api_calls)
        .where(api_calls.c.account_id == account_id)
        .order_by(api_calls.c.at.desc(), api_calls.c.id.desc())
        .limit(limit)
    )
    if only_errors:
        statement = statement.where(api_calls.c.status >= 400)  # noqa: PLR2004 - HTTP's own
    if after is not None:
        at, call_id = after
        is_older = api_calls.c.at < at
        statement = statement.where(
            or_(is_older, and_(api_calls.c.at == at, api_calls.c.id < call_id))
        )
    rows = (row._asdict() for row in connection.execute(statement))
    return [
        LoggedCall(id=row["id"], call=Call(**{name: row[name] for name in _NAMES})) for row in rows
    ]


def count_answers(connection: Connection, *, since: datetime) -> Answers:
    """Count what was answered since a moment; reads the index alone."""
    is_ours = case((api_calls.c.status >= SERVER_ERROR, 1), else_=0)
    row = connection.execute(
        select(func.count(), func.coalesce(func.sum(is_ours), 0)).where(api_calls.c.at >= since)
    ).one()
    return Answers(calls=int(row[0]), server_errors=int(row[1]))


def delete_old(connection: Connection, *, before: datetime, limit: int) -> int:
    """Forget some calls that are older than a moment; return how many."""
    old = select(api_calls.c.id).where(api_calls.c.at < before).limit(limit)
    return connection.execute(delete(api_calls).where(api_calls.c.id.in_(old))).rowcount
