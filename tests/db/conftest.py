"""Fixtures of the database tests: an open database with one small table.

The tests run on SQLite, on PostgreSQL, and on PostgreSQL through pgbouncer in transaction mode.
"""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Column, Integer, MetaData, Table, make_url

from gen_video.db.database import Database
from gen_video.db.postgresql import Pooler
from gen_video.db.schema import UtcTime
from tests.db.bouncer import Bouncer, private_bouncer
from tests.db.private_postgres import PrivatePostgres, private_postgres

Open = Callable[[], Database]
POOLED = pytest.param("pgbouncer", marks=pytest.mark.postgresql)

notes = Table(
    "notes",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("written_at", UtcTime),
)


@dataclass(frozen=True, slots=True)
class PooledServer:
    """A PostgreSQL that nobody else writes to, and a pgbouncer before it."""

    server: PrivatePostgres
    bouncer: Bouncer


@pytest.fixture(scope="session")
def pooled_server() -> Iterator[PooledServer]:
    with (
        private_postgres(["autovacuum=off"]) as server,
        private_bouncer(server.url) as bouncer,
    ):
        yield PooledServer(server, bouncer)


@pytest.fixture
def direct_url(pooled_server: PooledServer) -> str:
    """Return the URL of an empty database that leads past the pgbouncer."""
    name = f"pooled_{uuid.uuid4().hex}"
    administrator = pooled_server.server.url.replace("+psycopg", "")
    with psycopg.connect(administrator, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return make_url(pooled_server.server.url).set(database=name).render_as_string()


@pytest.fixture
def pooled_url(pooled_server: PooledServer, direct_url: str) -> str:
    """Return the URL of the same database through the pgbouncer."""
    return pooled_server.bouncer.url_of(direct_url)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql), POOLED])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database, on every make and through pgbouncer."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.sqlite3'}"
    name = "pooled_url" if request.param == "pgbouncer" else "postgresql_url"
    url: str = request.getfixturevalue(name)
    return url


@pytest.fixture
def pooler(request: pytest.FixtureRequest) -> Pooler:
    """Return what stands before the database of this test."""
    return "transaction" if request.node.callspec.params["database_url"] == "pgbouncer" else "none"


@pytest.fixture
def open_database(database_url: str, pooler: Pooler) -> Iterator[Open]:
    """Return a function that opens the database once more, as another process would."""
    opened: list[Database] = []

    def open_once() -> Database:
        opened.append(Database(database_url, pooler=pooler))
        return opened[-1]

    yield open_once
    for database in opened:
        database.close()


@pytest.fixture
def database(open_database: Open) -> Database:
    database = open_database()
    database.write(notes.create)
    return database


@pytest.fixture
def other_process(database: Database, open_database: Open) -> Database:
    """Return the same database with connections and locks of its own."""
    return open_database()
