"""The change watcher: one thread per process that says "something was committed".

SQLite: `PRAGMA data_version` changes when another connection commits; asking costs microseconds.
PostgreSQL: `LISTEN`; every transaction that changes a job announces itself. A pooler in transaction
mode delivers no announcements: then either an address that leads past it is listened at, or the
server is asked for its snapshot every `SNAPSHOT_POLL_SECONDS`. Listeners are told that something
changed, never what: they look it up. A lost announcement costs at most `FALLBACK_SECONDS`, because
listeners are also called then.
"""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import structlog
from sqlalchemy import Connection, func, make_url, select

from gen_video.db import postgresql, sqlite
from gen_video.db.database import Database
from gen_video.db.pulse import WatchedConnection

POLL_SECONDS = 0.015
SNAPSHOT_POLL_SECONDS = 0.25
ANSWER_SECONDS = 2.0
FALLBACK_SECONDS = 2.0
RECONNECT_SECONDS = 1.0
CHANNEL = "gv_changes"

Listener = Callable[[], None]
log = structlog.get_logger(__name__)


def announce(connection: Connection) -> None:
    """Wake the watchers of every process when this transaction commits."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_notify(CHANNEL, "")))


class ChangeWatcher:
    """Calls its listeners, on its own thread, soon after any process committed.

    The thread sleeps while nobody listens.

    Args:
        database: Whose commits are watched.
        listen_url: Where PostgreSQL itself listens, when the database's URL leads to a pooler.
    """

    def __init__(self, database: Database, listen_url: str = "") -> None:
        self._database = database
        self._listen_url = make_url(listen_url) if listen_url else database.url
        self._is_polling = database.pooler == "transaction" and not listen_url
        self._listeners: dict[int, Listener] = {}
        self._next_token = 0
        self._guard = threading.Lock()
        self._has_listeners = threading.Event()
        self._is_stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Add a listener; it must return quickly. Returns the function that removes it."""
        with self._guard:
            token = self._next_token
            self._next_token += 1
            self._listeners[token] = listener
            self._has_listeners.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
                self._thread.start()

        def unsubscribe() -> None:
            with self._guard:
                self._listeners.pop(token, None)
                if not self._listeners:
                    self._has_listeners.clear()

        return unsubscribe

    def close(self) -> None:
        """Stop the thread."""
        self._is_stopping.set()
        self._has_listeners.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _run(self) -> None:
        changes = self._choose_changes()
        while not self._is_stopping.is_set():
            try:
                for _change in changes():
                    self._tell()
            except Exception:
                # What was committed until the next connection stands goes unheard.
                log.warning("watcher_reconnects", exc_info=True)
                self._is_stopping.wait(RECONNECT_SECONDS)
                self._tell()

    def _choose_changes(self) -> Callable[[], Iterator[None]]:
        if self._database.is_sqlite:
            return self._sqlite_changes
        return self._snapshot_changes if self._is_polling else self._announced_changes

    def _tell(self) -> None:
        with self._guard:
            listeners = list(self._listeners.values())
        for listener in listeners:
            try:
                listener()
            except Exception:
                # A door that closed without unsubscribing must not silence the others.
                log.exception("watch_listener_failed")

    def _sqlite_changes(self) -> Iterator[None]:
        driver = sqlite.load_driver()
        connection: Any = driver.connect(self._database.url.database, timeout=10)
        try:
            seen: int | None = None
            told_at = time.monotonic()
            while self._wait_until_wanted():
                version = connection.execute("PRAGMA data_version").fetchone()[0]
                if version != seen or time.monotonic() - told_at > FALLBACK_SECONDS:
                    seen, told_at = version, time.monotonic()
                    yield
                self._is_stopping.wait(POLL_SECONDS)
        finally:
            connection.close()

    def _announced_changes(self) -> Iterator[None]:
        with self._connect() as connection:
            connection.execute(f"LISTEN {CHANNEL}")
            while self._wait_until_wanted():
                yield
                # One wake-up serves any number of announcements that arrive together.
                notes = connection.notifies(timeout=FALLBACK_SECONDS, stop_after=1)
                if not list(notes):
                    # Silence is what a quiet server and a dead one have in common.
                    connection.execute("SELECT 1")

    def _snapshot_changes(self) -> Iterator[None]:
        # A transaction that wrote is in no snapshot before its commit and in every one after, so
        # two equal texts mean that nothing was committed between them; reading takes no number.
        with self._connect() as connection:
            seen: object = None
            told_at = time.monotonic()
            while self._wait_until_wanted():
                row = connection.execute("SELECT pg_current_snapshot()::text").fetchone()
                if row != seen or time.monotonic() - told_at > FALLBACK_SECONDS:
                    seen, told_at = row, time.monotonic()
                    yield
                self._is_stopping.wait(SNAPSHOT_POLL_SECONDS)

    def _connect(self) -> WatchedConnection:
        limits = postgresql.Limits(pooler="transaction" if self._is_polling else "none")
        return postgresql.open_connection(self._listen_url, limits, patience_seconds=ANSWER_SECONDS)

    def _wait_until_wanted(self) -> bool:
        self._has_listeners.wait()
        return not self._is_stopping.is_set()
