"""SQL of the quotas slice. Every function takes the connection first and never commits."""

from collections.abc import Sequence

from sqlalchemy import Connection, case, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gen_video.quotas.models import KindQuota
from gen_video.quotas.tables import quota_windows as windows


def reserve(
    connection: Connection, *, owner_id: str, kind: str, window_date: str, units: int, limit: int
) -> bool:
    """Set units aside in one conditional statement; False when they do not fit.

    A limit that was raised during the day counts at once; a lowered one counts from the next.
    """
    if _try_reserve(connection, owner_id, kind, window_date, units=units, limit=limit):
        return True
    _ensure_window(connection, owner_id, kind, window_date, limit=limit)
    return _try_reserve(connection, owner_id, kind, window_date, units=units, limit=limit)


def _try_reserve(
    connection: Connection, owner_id: str, kind: str, window_date: str, *, units: int, limit: int
) -> bool:
    effective = case((windows.c.limit_units < limit, limit), else_=windows.c.limit_units)
    statement = (
        update(windows)
        .where(
            windows.c.owner_id == owner_id,
            windows.c.kind == kind,
            windows.c.window_date == window_date,
            windows.c.used + windows.c.reserved + units <= effective,
        )
        .values(reserved=windows.c.reserved + units, limit_units=effective)
    )
    return connection.execute(statement).rowcount == 1


def _ensure_window(
    connection: Connection, owner_id: str, kind: str, window_date: str, *, limit: int
) -> None:
    dialect_insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    connection.execute(
        dialect_insert(windows)
        .values(owner_id=owner_id, kind=kind, window_date=window_date, limit_units=limit)
        .on_conflict_do_nothing()
    )


def settle(
    connection: Connection,
    *,
    owner_id: str,
    kind: str,
    window_date: str,
    reserved: int,
    captured: int,
) -> None:
    """End a hold: `captured` units were used, the rest is free again."""
    statement = (
        update(windows)
        .where(
            windows.c.owner_id == owner_id,
            windows.c.kind == kind,
            windows.c.window_date == window_date,
        )
        .values(reserved=windows.c.reserved - reserved, used=windows.c.used + captured)
    )
    connection.execute(statement)


def read_windows(
    connection: Connection, *, owner_ids: Sequence[str], window_date: str
) -> dict[tuple[str, str], KindQuota]:
    """Return the windows of some owners on one day by (owner, kind)."""
    statement = select(windows).where(
        windows.c.owner_id.in_(owner_ids), windows.c.window_date == window_date
    )
    return {
        (row.owner_id, row.kind): KindQuota(
            limit=row.limit_units, used=row.used, reserved=row.reserved
        )
        for row in connection.execute(statement)
    }


def list_windows(connection: Connection) -> dict[tuple[str, str, str], KindQuota]:
    """Return every window by (owner, kind, day), for the audit."""
    return {
        (row.owner_id, row.kind, row.window_date): KindQuota(
            limit=row.limit_units, used=row.used, reserved=row.reserved
        )
        for row in connection.execute(select(windows))
    }
