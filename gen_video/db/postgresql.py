"""PostgreSQL: how connections are set up, directly or through a pooler, and what its errors mean.

Behind a pooler in transaction mode (pgbouncer) every transaction may meet another server session:
nothing may be left in a session or expected from one. So there are no start-up options and no
prepared statements, and the limits travel with each BEGIN, in the same packet.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event

from gen_video.db.pulse import Pulse, ServerSilentError, WatchedConnection

Pooler = Literal["none", "transaction"]

STATEMENT_SECONDS = 5.0
IDLE_TRANSACTION_SECONDS = 10.0
MARGIN_SECONDS = 2.0
"""How much longer than the server's own limit an answer may take before the client gives up."""

POOL_TIMEOUT_SECONDS = 1.5
CONNECT_TIMEOUT_SECONDS = 2
"""Per address of the URL; the driver knows no less."""

CONNECTING: Mapping[str, str | int] = {
    "application_name": "gen_video",
    "connect_timeout": CONNECT_TIMEOUT_SECONDS,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 5_000,  # milliseconds until unacknowledged bytes close the connection
}

RETRYABLE_SQLSTATES = frozenset({"40001", "40P01"})
LOCK_NOT_AVAILABLE = "55P03"

AWAY_SQLSTATES = frozenset(
    {
        "25006",  # writing on a standby: the primary has moved
        "25P03",  # the server ended a transaction that idled
        "57P04",  # the database is being dropped or restored
    }
)
"""Errors that the driver does not call operational, though only waiting helps."""

REASONS: Mapping[str, str] = {
    "25006": "database is read-only",
    "40001": "database is busy",
    "40P01": "database is busy",
    "53100": "database disk is full",
    "53300": "database has no free connection",
    "55P03": "database is busy",
    "57014": "database is busy",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the sessions of one pool are bounded by, and how they are told."""

    pooler: Pooler = "none"
    statement_seconds: float = STATEMENT_SECONDS

    @property
    def patience_seconds(self) -> float:
        """Return how long the client waits for an answer of a server that is alive."""
        return self.statement_seconds + MARGIN_SECONDS

    @property
    def options(self) -> str:
        """Return the limits as start-up options of a session."""
        return " ".join(f"-c {name}={value}" for name, value in self._settings.items())

    def begin(self, isolation: str) -> str:
        """Return a BEGIN that carries the limits, for one round trip of the simple protocol."""
        limits = (f"SET LOCAL {name} = '{value}'" for name, value in self._settings.items())
        return "; ".join((f"BEGIN ISOLATION LEVEL {isolation}", *limits))

    @property
    def _settings(self) -> dict[str, str]:
        return {
            "statement_timeout": f"{self.statement_seconds * 1000:.0f}",
            "idle_in_transaction_session_timeout": f"{IDLE_TRANSACTION_SECONDS * 1000:.0f}",
            "synchronous_commit": "on",
            "timezone": "UTC",
        }


def create_pool(url: URL, limits: Limits, *, pulse: Pulse, size: int) -> Engine:
    """Return a pool of at most `size` connections that give up on a silent server."""
    is_pooled = limits.pooler == "transaction"
    engine = create_engine(
        url,
        pool_size=size,
        # The size is the true limit: all processes share the server's max_connections.
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_SECONDS,
        pool_pre_ping=True,
        # Behind a pooler BEGIN is written below.
        isolation_level="AUTOCOMMIT" if is_pooled else "READ COMMITTED",
        connect_args=_connect_arguments(url, limits),
    )

    @event.listens_for(engine, "do_connect")
    def _connect(
        _dialect: object, _record: object, _arguments: object, named: dict[str, Any]
    ) -> WatchedConnection:
        if pulse.is_away:
            raise ServerSilentError("the server does not answer")
        try:
            return _open(named, pulse=pulse, patience_seconds=limits.patience_seconds)
        except psycopg.errors.ConnectionTimeout:
            pulse.note_silence()
            raise

    if is_pooled:
        begin, begin_snapshot = limits.begin("READ COMMITTED"), limits.begin("REPEATABLE READ")

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            is_snapshot = connection.get_execution_options().get("gv_snapshot", False)
            connection.exec_driver_sql(begin_snapshot if is_snapshot else begin)

    return engine


def snapshot_options(pooler: Pooler) -> dict[str, Any]:
    """Return the execution options under which all of a transaction sees one snapshot."""
    if pooler == "transaction":
        return {"gv_snapshot": True}
    return {"isolation_level": "REPEATABLE READ"}


def create_pulse(url: URL, limits: Limits) -> Pulse:
    """Return the pulse of the server, or pooler, at a URL."""
    return Pulse(
        lambda: open_connection(url, limits, patience_seconds=float(CONNECT_TIMEOUT_SECONDS))
    )


def open_connection(url: URL, limits: Limits, *, patience_seconds: float) -> WatchedConnection:
    """Open one connection outside the pool, in autocommit.

    Raises:
        psycopg.OperationalError: Nobody is there, or nobody answers.
    """
    own = url.set(drivername="postgresql+psycopg")
    _, of_url = own.get_dialect()().create_connect_args(own)
    arguments = {**of_url, **_connect_arguments(own, limits), "autocommit": True}
    return _open(arguments, pulse=None, patience_seconds=patience_seconds)


def find_sqlstate(error: BaseException | None) -> str | None:
    """Return the five characters with which the server names an error."""
    return error.sqlstate if isinstance(error, psycopg.Error) else None


def _connect_arguments(url: URL, limits: Limits) -> dict[str, str | int | None]:
    # What the URL says wins.
    chosen: dict[str, str | int | None] = {
        name: value for name, value in CONNECTING.items() if name not in url.query
    }
    if limits.pooler == "transaction":
        return chosen | {"prepare_threshold": None}
    return chosen | {"options": f"{url.query.get('options', '')} {limits.options}".strip()}


def _open(
    arguments: dict[str, Any], *, pulse: Pulse | None, patience_seconds: float
) -> WatchedConnection:
    connection = WatchedConnection.connect(**arguments)
    connection.pulse = pulse
    connection.patience_seconds = patience_seconds
    return connection
