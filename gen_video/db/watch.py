"""The change watcher: one thread per process that says "something was committed".

SQLite: `PRAGMA data_version` changes when another connection commits; asking costs microseconds.
PostgreSQL: `LISTEN`; every transaction that changes a job announces itself. Listeners are told
that something changed, never what: they look it up. A lost announcement costs at most
`FALLBACK_SECONDS`, because listeners are also called then.
"""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import structlog
from sqlalchemy import Connection, func, select

from gen_video.db import sqlite
from gen_video.db.database import Database

POLL_SECONDS = 0.015
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
    """

    def __init__(self, database: Database) -> None:
        self._database = database
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
        changes = self._sqlite_changes if self._database.is_sqlite else self._postgresql_changes
        while not self._is_stopping.is_set():
            try:
                for _change in changes():
                    self._tell()
            except Exception:
                log.warning("watcher_reconnects", exc_info=True)
                self._is_stopping.wait(RECONNECT_SECONDS)
                self._tell()

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

    def _postgresql_changes(self) -> Iterator[None]:
        url = self._database.url.set(drivername="postgresql")
        address = url.render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True, connect_timeout=5) as connection:
            connection.execute(f"LISTEN {CHANNEL}")
            while self._wait_until_wanted():
                yield
                # One wake-up serves any number of announcements that arrive together.
                for _note in connection.notifies(timeout=FALLBACK_SECONDS, stop_after=1):
                    pass

    def _wait_until_wanted(self) -> bool:
        self._has_listeners.wait()
        return not self._is_stopping.is_set()
