"""SQLite: which library is loaded, which journal is safe with it, how connections are set up.

SQLite 3.7.0 to 3.51.2 can lose committed writes under WAL when two connections write and
checkpoint at the same moment; 3.51.3 and the back-ports 3.50.7 and 3.44.6 are mended. On an
affected library the rollback journal with synchronous=EXTRA is used: slower, and safe. Commits are
fully synchronous either way.
"""

import sqlite3
from dataclasses import dataclass
from types import ModuleType
from typing import Any

Version = tuple[int, int, int]

WAL_SAFE_FROM: Version = (3, 51, 3)
WAL_SAFE_BACKPORTS: tuple[Version, ...] = ((3, 50, 7), (3, 44, 6))
BUSY_TIMEOUT_MILLISECONDS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalChoice:
    """The journal mode with the synchronous level that makes it durable, and why."""

    journal_mode: str
    synchronous: str
    reason: str


def load_driver() -> ModuleType:
    """Return the DB-API module with the newest SQLite: the bundled wheel, else the standard one."""
    try:
        from pysqlite3 import dbapi2  # noqa: PLC0415 - optional wheel
    except ImportError:
        return sqlite3
    driver: ModuleType = dbapi2
    return driver if driver.sqlite_version_info >= sqlite3.sqlite_version_info else sqlite3


def is_wal_safe(version: Version) -> bool:
    """Tell whether this SQLite keeps committed writes under WAL with several connections."""
    if version >= WAL_SAFE_FROM:
        return True
    return any(
        version[:2] == backport[:2] and version >= backport for backport in WAL_SAFE_BACKPORTS
    )


def choose_journal(version: Version) -> JournalChoice:
    """Choose the fastest journal that loses nothing on this version."""
    text = ".".join(map(str, version))
    if is_wal_safe(version):
        return JournalChoice(
            journal_mode="WAL", synchronous="FULL", reason=f"SQLite {text} is safe under WAL"
        )
    return JournalChoice(
        journal_mode="DELETE",
        synchronous="EXTRA",
        reason=f"SQLite {text} can lose writes under WAL (fixed in 3.51.3)",
    )


def prepare_connection(connection: Any, journal: JournalChoice) -> None:  # noqa: ANN401 - any DB-API
    """Set up one DB-API connection: explicit transactions, waiting, durability, schema rules."""
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MILLISECONDS}")
        if cursor.execute("PRAGMA journal_mode").fetchone()[0].upper() != journal.journal_mode:
            cursor.execute(f"PRAGMA journal_mode={journal.journal_mode}")
        cursor.execute(f"PRAGMA synchronous={journal.synchronous}")
        cursor.execute("PRAGMA foreign_keys=ON")
        # Without it REPLACE deletes rows and fires no trigger: the ledger could be rewritten.
        cursor.execute("PRAGMA recursive_triggers=ON")
    finally:
        cursor.close()
