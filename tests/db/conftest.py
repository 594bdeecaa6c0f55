"""Fixtures of the database tests: an open database with one small table."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Column, Integer, MetaData, Table

from gen_video.db.database import Database
from gen_video.db.schema import UtcTime

notes = Table(
    "notes",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("written_at", UtcTime),
)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    database.write(notes.create)
    yield database
    database.close()


@pytest.fixture
def other_process(database: Database, database_url: str) -> Iterator[Database]:
    """Return the same database with connections and locks of its own."""
    other = Database(database_url)
    yield other
    other.close()
