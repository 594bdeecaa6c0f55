"""Migrating: all or nothing, once, also when several processes start at the same moment."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from gen_video.db import migrate
from gen_video.db.compatibility import allow_code
from gen_video.db.database import Database, DatabaseUnavailableError
from gen_video.db.migrate import MigrationBlockedError, SchemaError, SchemaTooNewError
from gen_video.db.postgresql import Pooler
from tests.db.conftest import POOLED, Open

HEAD = migrate.head_revision()
MIGRATIONS = migrate.CONFIG_FILE.parent / "migrations"
PROCESSES = 2

on_postgresql = pytest.mark.parametrize(
    "database_url",
    [pytest.param("postgresql", marks=pytest.mark.postgresql), POOLED],
    indirect=True,
)


@pytest.fixture
def database(open_database: Open) -> Database:
    return open_database()


@pytest.fixture
def add_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return a function that adds a next revision to this version's migrations."""
    versions = tmp_path / "versions"
    versions.mkdir()
    config = tmp_path / "alembic.ini"
    config.write_text(
        f"[alembic]\nscript_location = {MIGRATIONS}\npath_separator = os\n"
        f"version_locations = {MIGRATIONS / 'versions'}:{versions}\n"
    )

    def add(name: str, *statements: str) -> str:
        lines = [
            "import sqlalchemy as sa",
            "from alembic import op",
            "from gen_video.db.compatibility import allow_code",
            f"revision, down_revision = {name!r}, {HEAD!r}",
            "branch_labels = depends_on = None",
            "def upgrade():",
            *(f"    {statement}" for statement in statements),
        ]
        (versions / f"{name}.py").write_text("\n".join(lines))
        monkeypatch.setattr(migrate, "CONFIG_FILE", config)
        return name

    return add


@pytest.fixture
def broken_revision(add_revision: Callable[..., str]) -> str:
    """Add a next revision that makes a table, adds a row, and then fails."""
    return add_revision(
        "broken",
        'op.create_table("half_done", sa.Column("id", sa.Integer(), primary_key=True))',
        'op.execute("INSERT INTO half_done VALUES (1)")',
        'op.execute("INSERT INTO no_such_table VALUES (1)")',
    )


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

    with pytest.raises(SchemaTooNewError, match="newer version") as caught:
        migrate.require_schema(database)
    with pytest.raises(SchemaTooNewError):
        migrate.upgrade(database)

    assert caught.value.facts == {"found": "from_the_future", "wanted": HEAD}


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


def test_processes_that_start_together_migrate_once(database_url: str, pooler: Pooler) -> None:
    program = (
        "import sys; from gen_video.db import migrate; from gen_video.db.database import Database;"
        "print(migrate.upgrade(Database(sys.argv[1], pooler=sys.argv[2])))"
    )

    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, database_url, pooler],
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


# One release of rollback


@pytest.fixture
def newer_revision(add_revision: Callable[..., str]) -> str:
    """Add the migration of the next release, which lets code of this one run on."""
    return add_revision(
        "newer",
        f"allow_code(op.get_bind(), revision, {HEAD!r}, 'release_before')",
    )


@pytest.fixture
def migrated_by_next_release(
    database: Database, newer_revision: str, monkeypatch: pytest.MonkeyPatch
) -> Database:
    """Return a database that the next release has migrated; this one knows nothing of it."""
    migrate.upgrade(database, newer_revision)
    monkeypatch.undo()
    assert migrate.head_revision() == HEAD
    return database


def test_code_runs_on_the_next_schema_when_that_allows_it_and_says_so(
    migrated_by_next_release: Database,
) -> None:
    with capture_logs() as events:
        migrate.require_schema(migrated_by_next_release)

    assert [(event["event"], event["log_level"]) for event in events] == [
        ("schema_is_newer", "warning")
    ]


def test_code_that_migrates_leaves_a_newer_schema_that_allows_it_as_it_is(
    migrated_by_next_release: Database,
) -> None:
    tables = list_tables(migrated_by_next_release)

    with capture_logs():
        assert migrate.upgrade(migrated_by_next_release) == "newer"

    assert list_tables(migrated_by_next_release) == tables


def test_what_one_migration_allows_does_not_hold_for_the_one_after_it(
    migrated_by_next_release: Database,
) -> None:
    migrated_by_next_release.write(
        lambda connection: connection.execute(
            text("UPDATE alembic_version SET version_num = 'two_releases_later'")
        )
    )

    with pytest.raises(SchemaTooNewError):
        migrate.require_schema(migrated_by_next_release)


def test_code_that_a_newer_schema_does_not_name_is_refused(
    migrated_by_next_release: Database,
) -> None:
    migrated_by_next_release.write(
        lambda connection: allow_code(connection, "newer", "release_before")
    )

    with pytest.raises(SchemaTooNewError):
        migrate.require_schema(migrated_by_next_release)


# Under load


@contextmanager
def held_jobs(database: Database) -> Iterator[Callable[[], None]]:
    """Keep the table of jobs in use by a transaction; gives the function that ends it."""
    holds, end = threading.Event(), threading.Event()

    def hold() -> None:
        with database.engine.connect() as connection, connection.begin():
            connection.execute(text("SELECT 1 FROM jobs"))
            holds.set()
            end.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    holds.wait(20)
    try:
        yield end.set
    finally:
        end.set()
        thread.join()


@pytest.fixture
def altering_revision(add_revision: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> str:
    """Add a revision that needs a table for itself, and wait for it only briefly."""
    monkeypatch.setattr(migrate, "LOCK_SECONDS", 0.2)
    monkeypatch.setattr(migrate, "PAUSE_SECONDS", 0.1)
    return add_revision(
        "altering",
        'op.create_table("first", sa.Column("id", sa.Integer(), primary_key=True))',
        'op.execute("ALTER TABLE jobs ADD COLUMN note TEXT")',
    )


@on_postgresql
def test_a_migration_that_finds_its_table_in_use_gives_up_with_advice_and_changes_nothing(
    database: Database, altering_revision: str
) -> None:
    migrate.upgrade(database, HEAD)
    tables = list_tables(database)

    with (
        held_jobs(database),
        capture_logs(),
        pytest.raises(MigrationBlockedError, match="Nothing was changed") as caught,
    ):
        migrate.upgrade(database, altering_revision)

    assert "pg_stat_activity" in caught.value.message("zh")
    assert migrate.find_revision(database) == HEAD
    assert list_tables(database) == tables


@on_postgresql
def test_a_migration_tries_again_until_its_table_is_free(
    database: Database, altering_revision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "LOCK_ATTEMPTS", 100)
    migrate.upgrade(database, HEAD)

    with (
        held_jobs(database) as let_go,
        capture_logs() as events,
        ThreadPoolExecutor(1) as threads,
    ):
        migration = threads.submit(migrate.upgrade, database, altering_revision)
        while not events:
            time.sleep(0.01)
        let_go()
        revision = migration.result(20)

    assert revision == altering_revision
    assert {event["event"] for event in events} == {"migration_waits_for_locks"}


@on_postgresql
def test_the_service_reads_on_between_the_tries_of_a_blocked_migration(
    database: Database, altering_revision: str
) -> None:
    """Whoever waits for a table alone makes every later reader wait behind it."""
    migrate.upgrade(database, HEAD)
    slowest = 0.0

    with held_jobs(database), capture_logs():
        migration = threading.Thread(target=_upgrade_blocked, args=(database, altering_revision))
        migration.start()
        while migration.is_alive():
            started = time.monotonic()
            database.read(lambda connection: connection.execute(text("SELECT 1 FROM jobs")))
            slowest = max(slowest, time.monotonic() - started)
        migration.join()

    assert slowest < 2


def _upgrade_blocked(database: Database, revision: str) -> None:
    with pytest.raises(MigrationBlockedError):
        migrate.upgrade(database, revision)


@on_postgresql
def test_a_migration_may_take_longer_than_a_statement_of_the_service(
    database: Database, add_revision: Callable[..., str]
) -> None:
    migrate.upgrade(database, HEAD)
    slow = add_revision("slow", 'op.execute("SELECT pg_sleep(5.5)")')

    assert migrate.upgrade(database, slow) == slow


@on_postgresql
def test_who_waits_for_another_process_to_migrate_waits_longer_than_for_a_table(
    database: Database, open_database: Open, altering_revision: str
) -> None:
    other, entered, end = open_database(), threading.Event(), threading.Event()

    def migrate_slowly(connection: Connection) -> None:
        migrate._take_turn(connection)
        entered.set()
        end.wait(20)

    with ThreadPoolExecutor(2) as threads:
        slow = threads.submit(other.write, migrate_slowly)
        entered.wait(20)
        waiting = threads.submit(migrate.upgrade, database, altering_revision)
        time.sleep(1)
        assert not waiting.done()
        end.set()
        slow.result(20)

        assert waiting.result(20) == altering_revision
