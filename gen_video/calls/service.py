"""Use cases of the call log: note a call without waiting for the database, and read them back.

A web process keeps what it answered in memory and writes it once a second on a thread of its own,
so no request waits for it. What a process that is killed has not written yet is lost, and above
`MAX_KEPT` calls a second so is the rest: this is a log for people, nothing is charged by it.
"""

import threading
import time
from datetime import timedelta
from functools import partial

import structlog
from sqlalchemy import Connection

from gen_video.calls import store
from gen_video.calls.models import Answers, Call, CallNotFoundError, CallPage
from gen_video.db.database import Database
from gen_video.errors import ServiceUnavailableError

FLUSH_SECONDS = 1.0
PURGE_SECONDS = 600.0
MAX_KEPT = 2_000
MAX_PAGE = 100
LIFETIME = timedelta(days=7)
PURGE_BATCH = 5_000
MAX_PATH = 200
MAX_ID = 2**63 - 1

log = structlog.get_logger(__name__)


class CallLog:
    """The API calls of the last seven days."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._guard = threading.Lock()
        self._kept: list[Call] = []
        self._dropped = 0
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None
        self._purge_at = 0.0

    def note(self, call: Call) -> None:
        """Keep a call until the next second's write; costs the request nothing."""
        with self._guard:
            if len(self._kept) >= MAX_KEPT:
                self._dropped += 1
                return
            self._kept.append(call)
            if self._thread is None and not self._is_over.is_set():
                self._thread = threading.Thread(target=self._run, name="call-log", daemon=True)
                self._thread.start()

    def flush(self) -> None:
        """Write what is kept."""
        with self._guard:
            calls, self._kept = self._kept, []
            dropped, self._dropped = self._dropped, 0
        if dropped:
            log.warning("calls_not_logged", count=dropped)
        if calls:
            self._database.write(partial(store.insert_calls, calls=calls))

    def close(self) -> None:
        """Write the rest and end the thread."""
        self._is_over.set()
        if self._thread is not None:
            self._thread.join()
        self._flush_if_possible()

    def list_calls(
        self,
        account_id: str,
        *,
        limit: int = 50,
        after: int | None = None,
        only_errors: bool = False,
    ) -> CallPage:
        """Return a page of an account's calls, newest first, from behind the call `after`.

        Raises:
            CallNotFoundError: `after` names no call of this account.
        """
        size = min(limit, MAX_PAGE)

        def work(connection: Connection) -> CallPage:
            place = None
            if after is not None:
                is_possible = 0 < after <= MAX_ID
                place = is_possible and store.find_place(connection, after, account_id=account_id)
                if not place:
                    raise CallNotFoundError
            calls = store.list_calls(
                connection,
                account_id=account_id,
                limit=size + 1,
                after=place or None,
                only_errors=only_errors,
            )
            return CallPage(calls=tuple(calls[:size]), has_more=len(calls) > size)

        return self._database.read(work)

    def count_answers(self, *, within: timedelta) -> Answers:
        """Count what was answered lately."""

        def work(connection: Connection) -> Answers:
            since = self._database.now(connection) - within
            return store.count_answers(connection, since=since)

        return self._database.read(work)

    def purge(self) -> int:
        """Forget what is older than seven days; return how many calls went."""
        gone = 0
        while True:
            count = self._database.write(self._delete_some)
            gone += count
            if count < PURGE_BATCH:
                return gone

    def _delete_some(self, connection: Connection) -> int:
        before = self._database.now(connection) - LIFETIME
        return store.delete_old(connection, before=before, limit=PURGE_BATCH)

    def _run(self) -> None:
        while not self._is_over.wait(FLUSH_SECONDS):
            self._flush_if_possible()
            if time.monotonic() >= self._purge_at:
                self._purge_at = time.monotonic() + PURGE_SECONDS
                self._purge_if_possible()

    def _flush_if_possible(self) -> None:
        try:
            self.flush()
        except ServiceUnavailableError as error:
            log.warning("calls_not_logged", reason=str(error))

    def _purge_if_possible(self) -> None:
        try:
            self.purge()
        except ServiceUnavailableError as error:
            log.warning("calls_not_purged", reason=str(error))
