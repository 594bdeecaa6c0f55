"""SQLite: which journal a library version gets, and what a connection is told."""

import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import Connection

from gen_video.db import sqlite
from gen_video.db.database import Database

SYNCHRONOUS_LEVELS = {"FULL": 2, "EXTRA": 3}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'test.sqlite3'}")
    yield database
    database.close()


def open_prepared(file: Path, version: sqlite.Version) -> sqlite3.Connection:
    connection = sqlite3.connect(file)
    sqlite.prepare_connection(connection, sqlite.choose_journal(version))
    return connection


def ask(connection: sqlite3.Connection, pragma: str) -> object:
    return connection.execute(f"PRAGMA {pragma}").fetchone()[0]


@pytest.mark.parametrize(
    ("version", "journal_mode"),
    [
        ((3, 6, 23), "DELETE"),
        ((3, 7, 0), "DELETE"),
        ((3, 40, 1), "DELETE"),
        ((3, 44, 5), "DELETE"),
        ((3, 44, 6), "WAL"),
        ((3, 44, 7), "WAL"),
        ((3, 45, 0), "DELETE"),
        ((3, 49, 9), "DELETE"),
        ((3, 50, 6), "DELETE"),
        ((3, 50, 7), "WAL"),
        ((3, 51, 0), "DELETE"),
        ((3, 51, 2), "DELETE"),
        ((3, 51, 3), "WAL"),
        ((3, 52, 0), "WAL"),
        ((4, 0, 0), "WAL"),
    ],
)
def test_wal_is_chosen_only_where_it_loses_nothing(
    version: sqlite.Version, journal_mode: str
) -> None:
    choice = sqlite.choose_journal(version)

    assert choice.journal_mode == journal_mode
    assert ".".join(map(str, version)) in choice.reason


@pytest.mark.parametrize(
    ("version", "journal_mode", "synchronous"),
    [((3, 51, 3), "wal", "FULL"), ((3, 51, 2), "delete", "EXTRA")],
)
def test_every_commit_reaches_the_disk_under_either_journal(
    tmp_path: Path, version: sqlite.Version, journal_mode: str, synchronous: str
) -> None:
    """NORMAL would lose the last commits of a machine that loses power."""
    connection = open_prepared(tmp_path / "test.sqlite3", version)

    assert ask(connection, "journal_mode") == journal_mode
    assert ask(connection, "synchronous") == SYNCHRONOUS_LEVELS[synchronous]
    connection.close()


def test_a_database_written_under_wal_opens_on_an_older_library(tmp_path: Path) -> None:
    file = tmp_path / "test.sqlite3"
    with open_prepared(file, (3, 51, 3)) as connection:
        connection.execute("CREATE TABLE kept (x INTEGER)")
        connection.execute("INSERT INTO kept VALUES (1)")
    connection.close()

    connection = open_prepared(file, (3, 51, 2))

    assert ask(connection, "journal_mode") == "delete"
    assert connection.execute("SELECT x FROM kept").fetchall() == [(1,)]
    connection.close()


def test_every_pooled_connection_is_set_up_alike(database: Database) -> None:
    assert database.journal is not None
    synchronous = SYNCHRONOUS_LEVELS[database.journal.synchronous]

    def settings(connection: Connection) -> dict[str, object]:
        names = (
            "journal_mode",
            "synchronous",
            "foreign_keys",
            "recursive_triggers",
            "busy_timeout",
        )
        return {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names}

    def settings_of_two_connections(outer: Connection) -> list[dict[str, object]]:
        return [settings(outer), database.read(settings)]

    expected = {
        "journal_mode": database.journal.journal_mode.lower(),
        "synchronous": synchronous,
        "foreign_keys": 1,
        "recursive_triggers": 1,
        "busy_timeout": sqlite.BUSY_TIMEOUT_MILLISECONDS,
    }
    assert database.read(settings_of_two_connections) == [expected, expected]


@pytest.mark.parametrize(
    ("bundled", "is_bundled_taken"),
    [((99, 0, 0), True), (sqlite3.sqlite_version_info, True), ((3, 0, 0), False)],
)
def test_the_newest_library_is_loaded(
    monkeypatch: pytest.MonkeyPatch, bundled: sqlite.Version, *, is_bundled_taken: bool
) -> None:
    wheel, dbapi2 = ModuleType("pysqlite3"), ModuleType("pysqlite3.dbapi2")
    dbapi2.__dict__["sqlite_version_info"] = bundled
    wheel.__dict__["dbapi2"] = dbapi2
    monkeypatch.setitem(sys.modules, "pysqlite3", wheel)

    driver = sqlite.load_driver()

    assert driver is (dbapi2 if is_bundled_taken else sqlite3)


def test_the_standard_library_serves_where_no_wheel_exists(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pysqlite3", None)

    assert sqlite.load_driver() is sqlite3
