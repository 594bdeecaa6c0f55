"""Database: opens transactions and runs one unit of work in each.

`write` takes the write lock at once (SQLite `BEGIN IMMEDIATE`), commits when the work returns,
rolls back when it raises, and repeats the whole work when the database asks for it
(serialization failure, deadlock). `read` sees one consistent snapshot. No work may do network,
GPU or file I/O: transactions stay in the milliseconds.

Only what the server has certainly rolled back is repeated. A connection that breaks while the
commit is under way leaves the outcome unknown: the caller is told that the database is unavailable,
and the idempotency key of the request finds out.
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
from gen_video.db import postgresql, sqlite
from gen_video.db.postgresql import Pooler
from gen_video.db.pulse import Pulse
from gen_video.errors import ServiceUnavailableError

Result = TypeVar("Result")
Work = Callable[[Connection], Result]

RETRIES = 5
POOL_SIZE = 8
SQLITE_OVERFLOW = 8
SQLITE_POOL_TIMEOUT_SECONDS = 10


class DatabaseUnavailableError(ServiceUnavailableError):
    """The database cannot be reached, is locked for too long, or its disk is full."""

    code = "database_unavailable"


class Database:
    """One database, shared by all threads of a process.

    Args:
        url: SQLAlchemy URL, `sqlite:///path` or `postgresql+psycopg://…`.
        clock: Used on SQLite, which runs on this machine; PostgreSQL tells its own time.
        pool_size: Connections to PostgreSQL that this process has at most. Who finds none free for
            `POOL_TIMEOUT_SECONDS` is told that the database is busy.
        pooler: What stands before PostgreSQL: nothing, or a pooler in transaction mode.
        statement_seconds: What one statement may take on PostgreSQL.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Clock = utc_now,
        pool_size: int = POOL_SIZE,
        pooler: Pooler = "none",
        statement_seconds: float = postgresql.STATEMENT_SECONDS,
    ) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.pooler = pooler
        self._clock = clock
        self._writer = threading.Lock()
        self._pulse: Pulse | None = None
        self.journal: sqlite.JournalChoice | None = None
        if self.is_sqlite:
            self.engine = self._sqlite_engine()
        else:
            limits = postgresql.Limits(pooler=pooler, statement_seconds=statement_seconds)
            self._pulse = postgresql.create_pulse(self.url, limits)
            self.engine = postgresql.create_pool(
                self.url, limits, pulse=self._pulse, size=pool_size
            )

    def write(self, work: Work[Result]) -> Result:
        """Run one unit of work in a durable transaction and return its result.

        Raises:
            DatabaseUnavailableError: Nothing is known to be kept; safe to retry with the same
                idempotency key.
        """
        for attempt in range(RETRIES + 1):
            self._refuse_when_away()
            try:
                with self._writing(), self._writer_connection() as connection, connection.begin():
                    return work(connection)
            except (DBAPIError, PoolTimeoutError) as error:
                if not _is_unavailable(error):
                    raise
                if attempt == RETRIES or not _wants_retry(error):
                    raise DatabaseUnavailableError(_reason(error)) from error
                time.sleep(random.uniform(0.005, 0.02) * 2**attempt)  # noqa: S311 - jitter
        raise AssertionError  # pragma: no cover - the loop returns or raises

    def read(self, work: Work[Result]) -> Result:
        """Run one read-only unit of work on a consistent snapshot."""
        self._refuse_when_away()
        try:
            with self._reader_connection() as connection, connection.begin():
                return work(connection)
        except (DBAPIError, PoolTimeoutError) as error:
            if not _is_unavailable(error):
                raise
            raise DatabaseUnavailableError(_reason(error)) from error

    @contextmanager
    def patient(self, *, statement_seconds: float) -> Iterator["Database"]:
        """Give the same database for work that may take long, such as a migration."""
        if self.is_sqlite:
            yield self
            return
        patient = Database(
            self.url.render_as_string(hide_password=False),
            clock=self._clock,
            pool_size=1,
            pooler=self.pooler,
            statement_seconds=statement_seconds,
        )
        try:
            yield patient
        finally:
            patient.close()

    def now(self, connection: Connection) -> datetime:
        """Return the database's clock, aware, in UTC."""
        if self.is_sqlite:
            return self._clock()
        moment: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        return moment.astimezone(UTC)

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()
        if self._pulse:
            self._pulse.close()

    @contextmanager
    def _writer_connection(self) -> Iterator[Connection]:
        with self.engine.connect() as connection:
            yield connection.execution_options(gv_write=True)

    @contextmanager
    def _reader_connection(self) -> Iterator[Connection]:
        with self.engine.connect() as connection:
            # PostgreSQL's default gives every statement a snapshot of its own.
            options = {} if self.is_sqlite else postgresql.snapshot_options(self.pooler)
            yield connection.execution_options(**options)

    def _refuse_when_away(self) -> None:
        if self._pulse is not None and self._pulse.is_away:
            raise DatabaseUnavailableError("database does not answer")

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
            self.url,
            module=driver,
            pool_size=POOL_SIZE,
            max_overflow=SQLITE_OVERFLOW,
            pool_timeout=SQLITE_POOL_TIMEOUT_SECONDS,
        )

        @event.listens_for(engine, "connect")
        def _prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - any DB-API
            sqlite.prepare_connection(connection, journal)

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            is_write = connection.get_execution_options().get("gv_write", False)
            connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")

        return engine


def _is_unavailable(error: Exception) -> bool:
    if isinstance(error, (OperationalError, InterfaceError, PoolTimeoutError)):
        return True
    return _sqlstate(error) in postgresql.AWAY_SQLSTATES


def _wants_retry(error: Exception) -> bool:
    return _sqlstate(error) in postgresql.RETRYABLE_SQLSTATES


def _sqlstate(error: Exception) -> str | None:
    return postgresql.find_sqlstate(error.orig if isinstance(error, DBAPIError) else None)


def _reason(error: Exception) -> str:
    if isinstance(error, PoolTimeoutError):
        return "database is busy"
    known = postgresql.REASONS.get(_sqlstate(error) or "")
    if known:
        return known
    text = str(error.orig if isinstance(error, DBAPIError) else error).lower()
    if "too many clients" in text or "connection slots" in text:
        # Refused at the door: the driver keeps no SQLSTATE of it.
        return postgresql.REASONS["53300"]
    if "full" in text:
        return "database disk is full"
    if "locked" in text or "busy" in text:
        return "database is busy"
    return "database cannot be reached"
