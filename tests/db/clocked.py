"""A database whose clock a test can move, on SQLite and PostgreSQL alike."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection
from typing_extensions import override

from gen_video.db import migrate
from gen_video.db.database import Database

on_sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For rules in which the make of the database has no part."""

START = datetime(2026, 3, 10, 12, tzinfo=UTC)


class ClockedDatabase(Database):
    """Tells `moment` instead of the server's time."""

    moment = START

    @override
    def now(self, connection: Connection) -> datetime:
        """Return the moment that the test set."""
        return self.moment

    def advance(self, duration: timedelta) -> None:
        """Let time pass, or go back for a negative duration."""
        self.moment += duration


@contextmanager
def migrated_database(url: str) -> Iterator[ClockedDatabase]:
    """Open an empty database at this version's schema, and close it afterwards."""
    database = ClockedDatabase(url)
    migrate.upgrade(database)
    try:
        yield database
    finally:
        database.close()
