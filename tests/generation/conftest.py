"""Fixtures of the generation tests: a studio with ada, who has ten pictures a day.

Making and dropping a PostgreSQL database takes a second, so these tests share one per process
and find it emptied; on SQLite each has a copy of a blank file.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from gen_video.accounts.models import Caller
from gen_video.db.schema import metadata
from gen_video.storage.memory import MemoryObjectStore
from tests.db.clocked import migrated_database
from tests.generation.fakes import FlakyDatabase
from tests.generation.studio import Studio, open_studio
from tests.services import POSTGRESQL, fresh_postgresql_database, require_service

OpenDatabase = Callable[[], FlakyDatabase]


@pytest.fixture(scope="session")
def blank_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a SQLite database at this version's schema, to be copied."""
    path = tmp_path_factory.mktemp("blank") / "blank.sqlite3"
    with migrated_database(f"sqlite:///{path}"):
        return path


@pytest.fixture(scope="session")
def shared_postgresql_url() -> Iterator[str]:
    """Return a PostgreSQL database at this version's schema, of this process."""
    require_service(POSTGRESQL)
    with fresh_postgresql_database() as url:
        with migrated_database(url):
            pass
        yield url


@pytest.fixture
def postgresql_url(shared_postgresql_url: str) -> str:
    """Return the shared database, emptied."""
    address = shared_postgresql_url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(address) as connection:
        connection.execute("SET session_replication_role = replica")
        for table in reversed(metadata.sorted_tables):
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table.name)))
    return shared_postgresql_url


@pytest.fixture
def open_database(database_url: str, blank_file: Path) -> Iterator[OpenDatabase]:
    """Return a function that opens the test's database once more, as another process does."""
    if database_url.startswith("sqlite:///"):
        shutil.copyfile(blank_file, database_url.removeprefix("sqlite:///"))
    opened: list[FlakyDatabase] = []

    def start() -> FlakyDatabase:
        opened.append(FlakyDatabase(database_url))
        return opened[-1]

    yield start
    for database in opened:
        database.close()


@pytest.fixture
def objects() -> MemoryObjectStore:
    return MemoryObjectStore()


@pytest.fixture
def studio(open_database: OpenDatabase, objects: MemoryObjectStore) -> Studio:
    studio = open_studio(open_database(), objects)
    studio.accounts.seed()
    return studio


@pytest.fixture
def caller(studio: Studio) -> Caller:
    """Return ada on the free plan."""
    return studio.new_caller()
