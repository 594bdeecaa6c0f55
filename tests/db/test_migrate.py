"""Migrating: all or nothing, once, also when several processes start at the same moment."""

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from gen_video.db import migrate
from gen_video.db.database import Database, DatabaseUnavailableError
from gen_video.db.migrate import SchemaError

HEAD = migrate.head_revision()
MIGRATIONS = migrate.CONFIG_FILE.parent / "migrations"
PROCESSES = 2


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def broken_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Add a next revision that makes a table, adds a row, and then fails."""
    script = """
        import sqlalchemy as sa
        from alembic import op

        revision, down_revision = "broken", HEAD
        branch_labels = depends_on = None

        def upgrade():
            op.create_table("half_done", sa.Column("id", sa.Integer(), primary_key=True))
            op.execute("INSERT INTO half_done VALUES (1)")
            op.execute("INSERT INTO no_such_table VALUES (1)")
        """
    versions = tmp_path / "versions"
    versions.mkdir()
    (versions / "broken.py").write_text(textwrap.dedent(script).replace("HEAD", repr(HEAD)))
    config = tmp_path / "alembic.ini"
    config.write_text(
        f"[alembic]\nscript_location = {MIGRATIONS}\npath_separator = os\n"
        f"version_locations = {MIGRATIONS / 'versions'}:{versions}\n"
    )
    monkeypatch.setattr(migrate, "CONFIG_FILE", config)
    return "broken"


def list_tables(database: Database) -> list[str]:
    return sorted(database.read(lambda connection: inspect(connection).get_table_names()))


def test_an_empty_database_has_no_revision_and_is_refused(database: Database) -> None:
    assert migrate.find_revision(database) is None

    with pytest.raises(SchemaError, match="gen-video migrate") as caught:
        migrate.require_schema(database)

    assert caught.value.facts == {"found": "empty", "wanted": HEAD}


def test_a_migrated_database_is_at_the_head_and_is_accepted(database: Database) -> None:
    revision = migrate.upgrade(database)

    assert revision == migrate.find_revision(database) == HEAD
    migrate.require_schema(database)


def test_a_database_of_a_newer_version_is_refused(database: Database) -> None:
    """An old program on new tables would write what the new one cannot read."""
    migrate.upgrade(database)
    database.write(
        lambda connection: connection.execute(
            text("UPDATE alembic_version SET version_num = 'from_the_future'")
        )
    )

    with pytest.raises(SchemaError) as caught:
        migrate.require_schema(database)

    assert caught.value.facts["found"] == "from_the_future"


def test_migrating_twice_changes_nothing_the_second_time(database: Database) -> None:
    first = migrate.upgrade(database)
    tables = list_tables(database)

    assert migrate.upgrade(database) == first
    assert list_tables(database) == tables


def test_a_migration_that_fails_leaves_tables_and_revision_as_they_were(
    database: Database, broken_revision: str
) -> None:
    before = migrate.upgrade(database, HEAD)
    tables = list_tables(database)

    with capture_logs(), pytest.raises((DBAPIError, DatabaseUnavailableError)):
        migrate.upgrade(database, broken_revision)

    assert migrate.find_revision(database) == before
    assert list_tables(database) == tables


def test_what_broke_a_migration_is_logged(database: Database, broken_revision: str) -> None:
    """SQLite calls a missing table an operational error, as it does a locked file."""
    with capture_logs() as events, pytest.raises((DBAPIError, DatabaseUnavailableError)):
        migrate.upgrade(database, broken_revision)

    assert [(event["event"], event["revision"]) for event in events] == [
        ("migration_failed", broken_revision)
    ]


def test_processes_that_start_together_migrate_once(database_url: str) -> None:
    program = (
        "import sys; from gen_video.db import migrate; from gen_video.db.database import Database;"
        "print(migrate.upgrade(Database(sys.argv[1])))"
    )

    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, database_url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    ended = [(*process.communicate(timeout=60), process.returncode) for process in started]

    assert [code for *_, code in ended] == [0] * PROCESSES, ended
    assert {out.split()[-1] for out, *_ in ended} == {HEAD}


def test_a_server_that_is_not_there_is_told_as_unavailable() -> None:
    nobody = Database("postgresql+psycopg://postgres@127.0.0.1:1/nothing")

    with capture_logs(), pytest.raises(DatabaseUnavailableError):
        migrate.upgrade(nobody)
