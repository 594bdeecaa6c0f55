"""SQL of the throttles. Every function takes the connection first and never commits."""

from datetime import datetime

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from gen_video.throttles.tables import rate_windows as windows


def lease(connection: Connection, *, owner: str, window: int, hits: int, limit: int) -> int | None:
    """Take `hits` of a window's allowance in one conditional statement.

    `hits` is at most `limit`: the first lease of a window is not compared with it.

    Returns:
        What all have taken of the window by now, None when too few are left.
    """
    dialect_insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = (
        dialect_insert(windows)
        .values(owner=owner, window=window, hits=hits)
        .on_conflict_do_update(
            index_elements=[windows.c.owner, windows.c.window],
            set_={"hits": windows.c.hits + hits},
            where=windows.c.hits + hits <= limit,
        )
        .returning(windows.c.hits)
    )
    total: int | None = connection.execute(statement).scalar_one_or_none()
    return total


def purge(connection: Connection, *, before: datetime) -> int:
    """Delete the windows that started before a moment and return their number."""
    old = delete(windows).where(windows.c.window < int(before.timestamp()))
    return connection.execute(old).rowcount


def has_old(connection: Connection, *, before: datetime) -> bool:
    """Tell, without writing, whether there is something to purge."""
    old = select(windows.c.owner).where(windows.c.window < int(before.timestamp())).limit(1)
    return connection.execute(old).first() is not None
