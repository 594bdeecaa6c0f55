"""The change watcher: it wakes after commits of other processes, on both databases, and goes on."""

import threading
import time
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from sqlalchemy import Connection, insert, text

from gen_video.db import watch
from gen_video.db.database import Database
from gen_video.db.watch import ChangeWatcher, announce
from tests.db.conftest import notes

FALLBACK_SECONDS = 30.0
SOON_SECONDS = 5.0
"""Far below the fallback: who is called within it was called because of the commit."""

QUIET_SECONDS = 0.4


class Bell:
    """A listener that can be waited for."""

    def __init__(self) -> None:
        self._rung = threading.Event()

    def __call__(self) -> None:
        self._rung.set()

    def rings(self, *, within_seconds: float) -> bool:
        """Wait for the next call and forget it."""
        was_rung = self._rung.wait(within_seconds)
        self._rung.clear()
        return was_rung


def broken_listener() -> None:
    raise RuntimeError("Event loop is closed")


def close_at_once(watcher: ChangeWatcher, database: Database) -> None:
    """Close without waiting for the fallback."""
    watcher._is_stopping.set()
    database.write(announce)
    watcher.close()


@pytest.fixture(autouse=True)
def _late_fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "FALLBACK_SECONDS", FALLBACK_SECONDS)


@pytest.fixture
def watcher(database: Database) -> Iterator[ChangeWatcher]:
    watcher = ChangeWatcher(database)
    yield watcher
    close_at_once(watcher, database)


@pytest.fixture
def commit(other_process: Database) -> Callable[[], None]:
    """Return a function that commits a change in another process."""
    numbers = count(1)

    def work(connection: Connection) -> None:
        connection.execute(insert(notes).values(id=next(numbers)))
        announce(connection)

    return lambda: other_process.write(work)


def subscribed_bell(watcher: ChangeWatcher) -> Bell:
    """Return the first listener; it has heard the call that a new thread starts with."""
    bell = Bell()
    watcher.subscribe(bell)
    assert bell.rings(within_seconds=SOON_SECONDS)
    return bell


def test_a_listener_is_told_soon_after_another_process_commits(
    watcher: ChangeWatcher, commit: Callable[[], None]
) -> None:
    bell = subscribed_bell(watcher)

    for _ in range(3):
        commit()

        assert bell.rings(within_seconds=SOON_SECONDS)


def test_a_change_of_the_own_process_is_told_too(
    watcher: ChangeWatcher, database: Database
) -> None:
    """The watcher has a connection of its own, so a worker's and a web thread's commits count."""
    bell = subscribed_bell(watcher)

    def work(connection: Connection) -> None:
        connection.execute(insert(notes).values(id=1))
        announce(connection)

    database.write(work)

    assert bell.rings(within_seconds=SOON_SECONDS)


def test_every_listener_is_told(watcher: ChangeWatcher, commit: Callable[[], None]) -> None:
    first = subscribed_bell(watcher)
    second = Bell()
    watcher.subscribe(second)

    commit()

    assert first.rings(within_seconds=SOON_SECONDS)
    assert second.rings(within_seconds=SOON_SECONDS)


def test_nothing_is_told_before_the_commit_nor_after_a_rollback(
    watcher: ChangeWatcher, other_process: Database
) -> None:
    bell = subscribed_bell(watcher)
    was_told: list[bool] = []

    def work(connection: Connection) -> None:
        connection.execute(insert(notes).values(id=1))
        announce(connection)
        was_told.append(bell.rings(within_seconds=QUIET_SECONDS))
        raise LookupError

    with pytest.raises(LookupError):
        other_process.write(work)

    assert was_told == [False]
    if other_process.pooler == "none":  # a snapshot tells that a transaction ended, not how
        assert not bell.rings(within_seconds=QUIET_SECONDS)


def test_a_lost_announcement_costs_no_more_than_the_fallback(
    watcher: ChangeWatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "FALLBACK_SECONDS", 0.1)
    bell = subscribed_bell(watcher)

    assert bell.rings(within_seconds=SOON_SECONDS)
    assert bell.rings(within_seconds=SOON_SECONDS)


def test_who_unsubscribed_is_told_no_more_and_who_comes_later_is(
    watcher: ChangeWatcher, commit: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In between nobody listens and the thread sleeps; it must wake for the newcomer."""
    monkeypatch.setattr(watch, "FALLBACK_SECONDS", 0.1)
    gone = Bell()
    unsubscribe = watcher.subscribe(gone)
    assert gone.rings(within_seconds=SOON_SECONDS)

    unsubscribe()
    gone.rings(within_seconds=0.2)
    commit()

    assert not gone.rings(within_seconds=QUIET_SECONDS)
    late = subscribed_bell(watcher)
    commit()
    assert late.rings(within_seconds=SOON_SECONDS)


def test_unsubscribing_twice_takes_nobody_elses_place(
    watcher: ChangeWatcher, commit: Callable[[], None]
) -> None:
    first, bell = Bell(), Bell()
    unsubscribe = watcher.subscribe(first)
    assert first.rings(within_seconds=SOON_SECONDS)
    watcher.subscribe(bell)

    unsubscribe()
    unsubscribe()
    commit()

    assert bell.rings(within_seconds=SOON_SECONDS)


def test_a_broken_listener_keeps_nobody_else_from_being_told(
    watcher: ChangeWatcher, commit: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event loop that was closed without unsubscribing raises at every call."""
    monkeypatch.setattr(watch, "RECONNECT_SECONDS", 0.05)
    watcher.subscribe(broken_listener)
    bell = Bell()
    watcher.subscribe(bell)

    for _ in range(3):
        commit()

        assert bell.rings(within_seconds=SOON_SECONDS)


def test_close_ends_the_thread_with_and_without_listeners(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "FALLBACK_SECONDS", 0.5)
    before = set(threading.enumerate())
    busy, idle = ChangeWatcher(database), ChangeWatcher(database)
    subscribed_bell(busy)
    idle.subscribe(Bell())()
    assert len(set(threading.enumerate()) - before) == 2

    busy.close()
    idle.close()

    assert set(threading.enumerate()) <= before


def test_a_watcher_that_nobody_used_closes_at_once(database: Database) -> None:
    before = set(threading.enumerate())
    watcher = ChangeWatcher(database)

    watcher.close()

    assert set(threading.enumerate()) <= before


@pytest.mark.postgresql
def test_behind_a_pooler_announcements_are_heard_at_the_address_that_leads_past_it(
    pooled_url: str, direct_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "SNAPSHOT_POLL_SECONDS", FALLBACK_SECONDS)
    database = Database(pooled_url, pooler="transaction")
    watcher = ChangeWatcher(database, direct_url)
    bell = subscribed_bell(watcher)

    database.write(announce)

    assert bell.rings(within_seconds=SOON_SECONDS)
    close_at_once(watcher, database)
    database.close()


@pytest.mark.postgresql
def test_without_that_address_a_commit_is_noticed_that_overtook_an_earlier_transaction(
    pooled_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The older transaction commits last: no counter grows, yet something new can be seen."""
    monkeypatch.setattr(watch, "SNAPSHOT_POLL_SECONDS", 0.02)
    database = Database(pooled_url, pooler="transaction")
    database.write(notes.create)
    watcher = ChangeWatcher(database)
    bell = subscribed_bell(watcher)

    def work(connection: Connection) -> None:
        connection.execute(insert(notes).values(id=1))
        database.write(lambda other: other.execute(insert(notes).values(id=2)))
        assert bell.rings(within_seconds=SOON_SECONDS)
        assert not bell.rings(within_seconds=QUIET_SECONDS)

    database.write(work)

    assert bell.rings(within_seconds=SOON_SECONDS)
    close_at_once(watcher, database)
    database.close()


@pytest.mark.postgresql
def test_a_dropped_connection_is_opened_again_and_hears_the_next_commit(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "RECONNECT_SECONDS", 0.05)
    database = Database(postgresql_url)
    watcher = ChangeWatcher(database)
    bell = subscribed_bell(watcher)

    database.write(_drop_listening_connections)
    assert bell.rings(within_seconds=SOON_SECONDS), "what was committed meanwhile may be lost"
    while not database.read(count_listening_connections):
        time.sleep(0.01)
    bell.rings(within_seconds=0.5)  # the new connection starts with a look of its own
    database.write(announce)

    assert bell.rings(within_seconds=SOON_SECONDS)
    close_at_once(watcher, database)
    database.close()


def count_listening_connections(connection: Connection) -> int:
    count: int = connection.execute(
        text(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
    ).scalar_one()
    return count


def _drop_listening_connections(connection: Connection) -> None:
    connection.execute(
        text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
    )
