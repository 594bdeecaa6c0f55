"""Database: opens transactions and runs one unit of work in each.

`write` takes the write lock at once (SQLite `BEGIN IMMEDIATE`), commits when the work returns,
rolls back when it raises, and repeats the whole work when the database asks for it
(serialization failure, deadlock). `read` sees one consistent snapshot. No work may do network,
GPU or file I/O: transactions stay in the milliseconds.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from gen_video.clock import Clock, utc_now
from gen_video.db import sqlite
from gen_video.errors import ServiceUnavailableError

Result = TypeVar("Result")
Work = Callable[[Connection], Result]

RETRIES = 5
RETRYABLE_SQLSTATES = frozenset({"40001", "40P01"})
STATEMENT_TIMEOUT_MILLISECONDS = 5_000
IDLE_TRANSACTION_TIMEOUT_MILLISECONDS = 10_000
POOL_SIZE = 8


class DatabaseUnavailableError(ServiceUnavailableError):
    """The database cannot be reached, is locked for too long, or its disk is full."""

    code = "database_unavailable"


class Database:
    """One database, shared by all threads of a process.

    Args:
        url: SQLAlchemy URL, `sqlite:///path` or `postgresql+psycopg://…`.
        clock: Used on SQLite, which runs on this machine; PostgreSQL tells its own time.
    """

    def __init__(self, url: str, *, clock: Clock = utc_now) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._clock = clock
        self._writer = threading.Lock()
        self.journal: sqlite.JournalChoice | None = None
        self.engine = self._sqlite_engine() if self.is_sqlite else self._postgresql_engine()

    def write(self, work: Work[Result]) -> Result:
        """Run one unit of work in a durable transaction and return its result.

        Raises:
            DatabaseUnavailableError: Nothing is known to be kept; safe to retry with the same
                idempotency key.
        """
        for attempt in range(RETRIES + 1):
            try:
                with self._writing(), self._writer_connection() as connection, connection.begin():
                    return work(connection)
            except (OperationalError, InterfaceError, PoolTimeoutError) as error:
                if attempt == RETRIES or not _wants_retry(error):
                    raise DatabaseUnavailableError(_reason(error)) from error
                time.sleep(random.uniform(0.005, 0.02) * 2**attempt)  # noqa: S311 - jitter
        raise AssertionError  # pragma: no cover - the loop returns or raises

    def read(self, work: Work[Result]) -> Result:
        """Run one read-only unit of work on a consistent snapshot."""
        try:
            with self._reader_connection() as connection, connection.begin():
                return work(connection)
        except (OperationalError, InterfaceError, PoolTimeoutError) as error:
            raise DatabaseUnavailableError(_reason(error)) from error

    def now(self, connection: Connection) -> datetime:
        """Return the database's clock, aware, in UTC."""
        if self.is_sqlite:
            return self._clock()
        moment: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        return moment.astimezone(UTC)

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()

    @contextmanager
    def _writer_connection(self) -> Iterator[Connection]:
        with self.engine.connect() as connection:
            yield connection.execution_options(gv_write=True)

    @contextmanager
    def _reader_connection(self) -> Iterator[Connection]:
        with self.engine.connect() as connection:
            # PostgreSQL's default gives every statement a snapshot of its own.
            options = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
            yield connection.execution_options(**options)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        # SQLite has one writer anyway: queueing in the process is fair and costs no sleeping
        # in the library's busy handler.
        if not self.is_sqlite:
            yield
            return
        if not self._writer.acquire(timeout=sqlite.BUSY_TIMEOUT_MILLISECONDS / 1000):
            raise DatabaseUnavailableError("database is busy")
        try:
            yield
        finally:
            self._writer.release()

    def _sqlite_engine(self) -> Engine:
        driver = sqlite.load_driver()
        journal = sqlite.choose_journal(driver.sqlite_version_info)
        self.journal = journal
        engine = create_engine(
            self.url, module=driver, pool_size=POOL_SIZE, max_overflow=8, pool_timeout=10
        )

        @event.listens_for(engine, "connect")
        def _prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - any DB-API
            sqlite.prepare_connection(connection, journal)

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            is_write = connection.get_execution_options().get("gv_write", False)
            connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")

        return engine

    def _postgresql_engine(self) -> Engine:
        options = (
            f"-c statement_timeout={STATEMENT_TIMEOUT_MILLISECONDS}"
            f" -c idle_in_transaction_session_timeout={IDLE_TRANSACTION_TIMEOUT_MILLISECONDS}"
            " -c synchronous_commit=on -c timezone=UTC"
        )
        return create_engine(
            self.url,
            pool_size=POOL_SIZE,
            max_overflow=8,
            pool_timeout=10,
            pool_pre_ping=True,
            isolation_level="READ COMMITTED",
            connect_args={"options": options, "connect_timeout": 5},
        )


def _wants_retry(error: Exception) -> bool:
    original = error.orig if isinstance(error, DBAPIError) else None
    return getattr(original, "sqlstate", None) in RETRYABLE_SQLSTATES


def _reason(error: Exception) -> str:
    text = str(error.orig if isinstance(error, DBAPIError) else error).lower()
    if "full" in text:
        return "database disk is full"
    if "locked" in text or "busy" in text:
        return "database is busy"
    return "database cannot be reached"
