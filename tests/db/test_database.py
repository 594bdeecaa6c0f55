"""Transactions: all or nothing, one writer at a time on SQLite, repeated where the server asks."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from gen_video.db import database as database_module
from gen_video.db import sqlite
from gen_video.db.database import RETRIES, Database, DatabaseUnavailableError
from tests.db.clocked import START
from tests.db.conftest import notes

WAIT_SECONDS = 10
SERIALIZATION_FAILURE = "40001"


class DroppedError(Exception):
    """The work changes its mind."""


def add_note(connection: Connection, note_id: int = 1) -> None:
    connection.execute(insert(notes).values(id=note_id))


def count_notes(connection: Connection) -> int:
    found: int = connection.execute(select(func.count()).select_from(notes)).scalar_one()
    return found


def fail_in_the_server(connection: Connection, sqlstate: str) -> None:
    connection.execute(text(f"DO $$ BEGIN RAISE SQLSTATE '{sqlstate}'; END $$"))


@contextmanager
def held_open(database: Database) -> Iterator[None]:
    """Keep a transaction of another connection open that has written a note."""
    with database.engine.connect() as connection:
        connection.execution_options(gv_write=True)
        with connection.begin() as transaction:
            add_note(connection, 99)
            yield
            transaction.rollback()


@pytest.fixture(params=["direct", "pgbouncer"])
def postgresql(request: pytest.FixtureRequest) -> Iterator[Database]:
    if request.param == "direct":
        database = Database(request.getfixturevalue("postgresql_url"))
    else:
        database = Database(request.getfixturevalue("pooled_url"), pooler="transaction")
    database.write(notes.create)
    yield database
    database.close()


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'test.sqlite3'}")
    database.write(notes.create)
    yield database
    database.close()


# All or nothing


def test_a_write_returns_its_result_and_other_processes_see_it(
    database: Database, other_process: Database
) -> None:
    def work(connection: Connection) -> str:
        add_note(connection)
        return "written"

    result = database.write(work)

    assert result == "written"
    assert other_process.read(count_notes) == 1


def test_work_that_raises_leaves_nothing(database: Database) -> None:
    def work(connection: Connection) -> None:
        add_note(connection, 1)
        add_note(connection, 2)
        raise DroppedError

    with pytest.raises(DroppedError):
        database.write(work)

    assert database.read(count_notes) == 0


def test_after_work_that_raised_the_next_write_goes_through(database: Database) -> None:
    """The lock and the connection were given back."""
    for _ in range(2 * database_module.POOL_SIZE + 1):
        with suppress(ZeroDivisionError):
            database.write(lambda _connection: 1 // 0)

    database.write(add_note)

    assert database.read(count_notes) == 1


def test_a_broken_rule_is_told_and_leaves_nothing(database: Database) -> None:
    def work(connection: Connection) -> None:
        add_note(connection, 1)
        add_note(connection, 1)

    with pytest.raises(IntegrityError):
        database.write(work)

    assert database.read(count_notes) == 0


def test_threads_that_count_together_lose_no_step(database: Database) -> None:
    """Every thread reads and writes back in one transaction; SQLite lets one in at a time."""
    database.write(lambda connection: connection.execute(insert(notes).values(id=0)))

    def step(connection: Connection) -> None:
        reading = select(notes.c.id).with_for_update()
        found = connection.execute(reading).scalar_one()
        connection.execute(update(notes).values(id=found + 1))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: database.write(step), range(80)))

    assert database.read(lambda connection: connection.execute(select(notes.c.id)).scalar()) == 80


# Isolation


def test_a_read_sees_one_snapshot_from_its_first_look(
    database: Database, other_process: Database
) -> None:
    """An audit that compares two tables must not meet a commit between them."""

    def work(connection: Connection) -> tuple[int, int]:
        first = count_notes(connection)
        other_process.write(add_note)
        return first, count_notes(connection)

    assert database.read(work) == (0, 0)
    assert database.read(count_notes) == 1


def test_a_read_never_waits_for_a_writer_nor_sees_what_is_not_committed(
    database: Database, other_process: Database
) -> None:
    with held_open(other_process):
        assert database.read(count_notes) == 0


def test_a_write_after_a_read_on_the_same_connection_still_takes_the_newest_state(
    database: Database, other_process: Database
) -> None:
    """Isolation of a read must not stick to the pooled connection: admissions count on it."""
    database.read(count_notes)

    def work(connection: Connection) -> tuple[int, int]:
        first = count_notes(connection)
        if not database.is_sqlite:
            other_process.write(add_note)
        return first, count_notes(connection)

    assert database.write(work) == ((0, 0) if database.is_sqlite else (0, 1))


# Repeating


@pytest.mark.postgresql
def test_work_is_repeated_as_often_as_the_server_asks(postgresql: Database) -> None:
    attempts: list[int] = []

    def work(connection: Connection) -> None:
        attempts.append(count_notes(connection))
        add_note(connection)
        if len(attempts) <= RETRIES:
            fail_in_the_server(connection, SERIALIZATION_FAILURE)

    postgresql.write(work)

    assert attempts == [0] * (RETRIES + 1)
    assert postgresql.read(count_notes) == 1


@pytest.mark.postgresql
def test_work_that_never_gets_through_is_given_up_as_unavailable(postgresql: Database) -> None:
    attempts: list[int] = []

    def work(connection: Connection) -> None:
        attempts.append(1)
        fail_in_the_server(connection, SERIALIZATION_FAILURE)

    with pytest.raises(DatabaseUnavailableError) as caught:
        postgresql.write(work)

    assert len(attempts) == RETRIES + 1
    assert (caught.value.status, caught.value.is_retryable) == (503, True)


@pytest.mark.postgresql
def test_a_mistake_in_the_work_is_not_repeated(postgresql: Database) -> None:
    attempts: list[int] = []

    def work(connection: Connection) -> None:
        attempts.append(1)
        connection.execute(text("SELECT 1 / 0"))

    with pytest.raises(Exception, match="division by zero"):
        postgresql.write(work)

    assert len(attempts) == 1


@pytest.mark.postgresql
def test_two_writers_that_block_each_other_both_get_through(postgresql: Database) -> None:
    """The server ends one of them after a second; its work is repeated."""
    postgresql.write(lambda connection: connection.execute(insert(notes), [{"id": 1}, {"id": 2}]))
    meeting = threading.Barrier(2)
    attempts: list[int] = []

    def touch(connection: Connection, note_id: int) -> None:
        connection.execute(update(notes).where(notes.c.id == note_id).values(written_at=START))

    def work(connection: Connection, first: int, second: int) -> None:
        attempts.append(first)
        touch(connection, first)
        with suppress(threading.BrokenBarrierError):
            meeting.wait(timeout=WAIT_SECONDS if len(attempts) <= 2 else 0)
        touch(connection, second)

    with ThreadPoolExecutor(2) as threads:
        both = [
            threads.submit(postgresql.write, lambda connection: work(connection, 1, 2)),
            threads.submit(postgresql.write, lambda connection: work(connection, 2, 1)),
        ]
        for writer in both:
            writer.result(timeout=WAIT_SECONDS)

    assert len(attempts) == 3


# A database that does not answer


def test_a_sqlite_file_locked_for_too_long_is_told_as_busy(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MILLISECONDS", 50)
    impatient = Database(sqlite_database.url.render_as_string())

    with held_open(sqlite_database), pytest.raises(DatabaseUnavailableError, match="is busy"):
        impatient.write(add_note)

    impatient.write(add_note)
    assert impatient.read(count_notes) == 1
    impatient.close()


def test_a_thread_waits_for_the_writer_of_its_own_process_no_longer_than_for_another(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MILLISECONDS", 50)

    def work(_connection: Connection) -> None:
        with ThreadPoolExecutor(1) as threads:
            threads.submit(sqlite_database.write, add_note).result(timeout=WAIT_SECONDS)

    with pytest.raises(DatabaseUnavailableError, match="is busy"):
        sqlite_database.write(work)


def test_a_full_disk_refuses_the_write_keeps_nothing_and_still_reads(
    sqlite_database: Database,
) -> None:
    def work(connection: Connection) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        connection.execute(insert(notes), [{"id": note_id} for note_id in range(5_000)])

    with pytest.raises(DatabaseUnavailableError, match="disk is full"):
        sqlite_database.write(work)

    assert sqlite_database.read(count_notes) == 0


@pytest.mark.parametrize("is_write", [True, False], ids=["write", "read"])
def test_a_server_that_is_not_there_is_told_as_unavailable(*, is_write: bool) -> None:
    nobody = Database("postgresql+psycopg://postgres@127.0.0.1:1/nothing")
    call = nobody.write if is_write else nobody.read

    with pytest.raises(DatabaseUnavailableError, match="cannot be reached") as caught:
        call(count_notes)

    assert "127.0.0.1" not in str(caught.value)


def test_a_folder_that_is_not_there_is_told_as_unavailable(tmp_path: Path) -> None:
    nowhere = Database(f"sqlite:///{tmp_path / 'missing' / 'test.sqlite3'}")

    with pytest.raises(DatabaseUnavailableError, match="cannot be reached"):
        nowhere.read(count_notes)


@pytest.mark.postgresql
def test_a_connection_that_the_server_dropped_is_replaced_unseen(postgresql: Database) -> None:
    """As after a restart of the server: the pool holds a dead connection."""
    postgresql.read(count_notes)
    killer = Database(
        postgresql.url.render_as_string(hide_password=False), pooler=postgresql.pooler
    )
    killer.write(
        lambda connection: connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    )
    killer.close()

    postgresql.write(add_note)

    assert postgresql.read(count_notes) == 1


@pytest.mark.postgresql
@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("synchronous_commit", "on"),
        ("statement_timeout", "5s"),
        ("idle_in_transaction_session_timeout", "10s"),
        ("TimeZone", "UTC"),
    ],
)
def test_postgresql_sessions_are_durable_and_bounded(
    postgresql: Database, setting: str, value: str
) -> None:
    shown = postgresql.write(
        lambda connection: connection.execute(text(f"SHOW {setting}")).scalar_one()
    )

    assert shown == value


# The clock


def test_postgresql_tells_its_own_time(postgresql: Database) -> None:
    """Two machines whose clocks differ still agree on when a lease ends."""
    wrong = Database(
        postgresql.url.render_as_string(hide_password=False),
        clock=lambda: datetime(1999, 1, 1, tzinfo=UTC),
        pooler=postgresql.pooler,
    )

    told = wrong.read(wrong.now)

    assert told.tzinfo is UTC
    assert abs(told - postgresql.read(postgresql.now)) < timedelta(minutes=1)
    wrong.close()


def test_sqlite_is_told_the_time_by_the_clock_that_it_was_given(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'test.sqlite3'}", clock=lambda: START)

    assert database.read(database.now) == START
    database.close()
