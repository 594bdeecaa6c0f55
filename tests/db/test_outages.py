"""A PostgreSQL that is killed, frozen, cut off or full: told in seconds, and then served again."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import count

import pytest
from sqlalchemy import Connection, func, insert, make_url, select, text

from gen_video.db import pulse as pulse_module
from gen_video.db import watch
from gen_video.db.database import Database, DatabaseUnavailableError
from gen_video.db.postgresql import Pooler
from gen_video.db.watch import ChangeWatcher, announce
from tests.db.bouncer import private_bouncer
from tests.db.conftest import notes
from tests.db.private_postgres import PrivatePostgres, private_postgres
from tests.db.proxy import Mode, Proxy, proxy_before
from tests.db.test_watch import close_at_once, count_listening_connections, subscribed_bell

pytestmark = pytest.mark.postgresql

SOON_SECONDS = 2.5
"""A call that nobody answers: the promise is two seconds, the rest is a busy test machine."""

AT_ONCE_SECONDS = 0.3
BACK_SECONDS = 30.0
FIRST_CONNECTION_SECONDS = 3.0
POOL_SIZE = 4

numbers = count(1)


@dataclass(frozen=True, slots=True)
class Refusal:
    """How long a call took to fail, and why it did."""

    seconds: float
    reason: str


@pytest.fixture(scope="module")
def shared_server() -> Iterator[PrivatePostgres]:
    with private_postgres() as server:
        yield server


@pytest.fixture
def server(shared_server: PrivatePostgres) -> Iterator[PrivatePostgres]:
    """Return the running server; whatever a test does to it is mended afterwards."""
    yield shared_server
    shared_server.thaw()
    shared_server.stop()
    shared_server.start()


@pytest.fixture
def proxy(shared_server: PrivatePostgres) -> Iterator[Proxy]:
    with proxy_before(shared_server.url) as proxy:
        yield proxy


def opened(url: str, pooler: Pooler = "none") -> Database:
    """Open a database with the table of notes and a full pool of living connections."""
    database = Database(url, pool_size=POOL_SIZE, pooler=pooler)
    database.write(lambda connection: notes.create(connection, checkfirst=True))
    meeting = threading.Barrier(POOL_SIZE)
    call_together(lambda: database.read(lambda _connection: meeting.wait(5)), POOL_SIZE)
    return database


def add_note(connection: Connection) -> int:
    note_id = time.time_ns() + next(numbers)
    connection.execute(insert(notes).values(id=note_id % 2**31))
    return note_id % 2**31


def count_notes(connection: Connection) -> int:
    found: int = connection.execute(select(func.count()).select_from(notes)).scalar_one()
    return found


def refusal_of(call: Callable[[], object]) -> Refusal:
    started = time.monotonic()
    with pytest.raises(DatabaseUnavailableError) as caught:
        call()
    return Refusal(time.monotonic() - started, str(caught.value.facts["reason"]))


def call_together(call: Callable[[], object], threads: int) -> list[object]:
    with ThreadPoolExecutor(threads) as pool:
        return [future.result() for future in [pool.submit(call) for _ in range(threads)]]


def seconds_until_it_works(call: Callable[[], object]) -> float:
    started = time.monotonic()
    while time.monotonic() - started < BACK_SECONDS:
        try:
            call()
        except DatabaseUnavailableError:
            time.sleep(0.05)
        else:
            return time.monotonic() - started
    pytest.fail(f"not back within {BACK_SECONDS} s")


# Killed


def test_while_the_server_is_dead_calls_fail_at_once_and_afterwards_they_work(
    server: PrivatePostgres,
) -> None:
    database = opened(server.url)
    before = database.read(count_notes)

    server.kill()
    refusals = [refusal_of(lambda: database.write(add_note)) for _ in range(20)]
    server.start()
    waited = seconds_until_it_works(lambda: database.write(add_note))

    assert max(refusal.seconds for refusal in refusals) < AT_ONCE_SECONDS
    assert {refusal.reason for refusal in refusals} == {"database cannot be reached"}
    assert waited < BACK_SECONDS
    assert database.read(count_notes) == before + 1
    database.close()


def test_a_kill_in_the_middle_of_a_transaction_keeps_nothing(server: PrivatePostgres) -> None:
    database = opened(server.url)
    before = database.read(count_notes)

    def work(connection: Connection) -> None:
        add_note(connection)
        server.kill()
        add_note(connection)

    refusal_of(lambda: database.write(work))
    server.start()

    assert database.read(count_notes) == before
    database.close()


# Frozen, or behind a network that swallows everything


@pytest.mark.parametrize("is_write", [True, False], ids=["write", "read"])
def test_a_frozen_server_is_given_up_soon_and_then_at_once(
    server: PrivatePostgres, *, is_write: bool
) -> None:
    database = opened(server.url)
    call = database.write if is_write else database.read

    server.freeze()
    first = refusal_of(lambda: call(count_notes))
    later = [refusal_of(lambda: call(count_notes)) for _ in range(20)]
    server.thaw()
    seconds_until_it_works(lambda: call(count_notes))

    assert first.seconds < SOON_SECONDS
    assert max(refusal.seconds for refusal in later) < AT_ONCE_SECONDS
    assert {refusal.reason for refusal in later} == {"database does not answer"}
    database.close()


def test_many_threads_that_wait_for_a_frozen_server_are_all_released_soon(
    server: PrivatePostgres,
) -> None:
    """More threads than connections: some wait for the server, the others for the pool."""
    database = opened(server.url)

    server.freeze()
    refusals = call_together(
        lambda: refusal_of(lambda: database.write(add_note)).seconds, 4 * POOL_SIZE
    )
    server.thaw()
    seconds_until_it_works(lambda: database.write(add_note))

    assert max(float(str(seconds)) for seconds in refusals) < SOON_SECONDS
    database.close()


def test_a_server_that_freezes_in_a_transaction_is_given_up_soon(server: PrivatePostgres) -> None:
    database = opened(server.url)
    before = database.read(count_notes)

    def work(connection: Connection) -> None:
        add_note(connection)
        server.freeze()
        add_note(connection)

    refusal = refusal_of(lambda: database.write(work))
    server.thaw()
    seconds_until_it_works(lambda: database.read(count_notes))

    assert refusal.seconds < SOON_SECONDS
    assert database.read(count_notes) == before
    database.close()


def test_the_first_connection_to_a_frozen_server_is_given_up_too(server: PrivatePostgres) -> None:
    server.freeze()
    database = Database(server.url)

    first = refusal_of(lambda: database.read(count_notes))
    second = refusal_of(lambda: database.read(count_notes))

    assert first.seconds < FIRST_CONNECTION_SECONDS
    assert second.seconds < AT_ONCE_SECONDS
    database.close()


def test_a_network_that_swallows_packets_is_given_up_soon_and_used_again(proxy: Proxy) -> None:
    database = opened(proxy.url)

    proxy.mode = Mode.SWALLOW
    first = refusal_of(lambda: database.write(add_note))
    later = refusal_of(lambda: database.write(add_note))
    proxy.mode = Mode.PASS
    waited = seconds_until_it_works(lambda: database.write(add_note))

    assert first.seconds < SOON_SECONDS
    assert later.seconds < AT_ONCE_SECONDS
    assert waited < BACK_SECONDS
    database.close()


def test_a_slow_statement_is_not_taken_for_a_server_that_is_gone(server: PrivatePostgres) -> None:
    """Behind one hot row a transaction may wait for seconds while the server is well."""
    database = opened(server.url)
    slow_seconds = 3 * pulse_module.SILENCE_SECONDS

    database.write(lambda connection: connection.execute(select(func.pg_sleep(slow_seconds))))
    refusal = refusal_of(
        lambda: database.write(lambda connection: connection.execute(select(func.pg_sleep(20))))
    )

    assert refusal.reason == "database is busy"
    assert 4.5 < refusal.seconds < 6.5, "the server ends it at its own limit"
    database.close()


def test_one_session_that_is_stuck_on_a_healthy_server_is_given_up_by_patience(
    server: PrivatePostgres,
) -> None:
    """A firewall may forget an old connection while new ones go through."""
    database = Database(server.url, statement_seconds=1)
    database.write(lambda connection: notes.create(connection, checkfirst=True))

    def work(connection: Connection) -> None:
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        server.freeze_only(pid)
        connection.execute(text("SELECT 1"))

    refusal = refusal_of(lambda: database.write(work))

    assert refusal.seconds < 5
    assert database.read(count_notes) >= 0, "others were served all the time"
    database.close()


# Behind a pooler


def test_a_frozen_server_behind_a_pooler_is_given_up_soon_and_used_again(
    server: PrivatePostgres,
) -> None:
    """The pooler answers in its place: only a statement that goes through tells."""
    with private_bouncer(server.url) as bouncer:
        database = opened(bouncer.url_of(server.url), pooler="transaction")

        server.freeze()
        first = refusal_of(lambda: database.write(add_note))
        later = refusal_of(lambda: database.write(add_note))
        server.thaw()
        waited = seconds_until_it_works(lambda: database.write(add_note))

        assert first.seconds < SOON_SECONDS
        assert later.seconds < AT_ONCE_SECONDS
        assert waited < BACK_SECONDS
        database.close()


def test_a_server_killed_behind_a_pooler_is_told_soon_and_used_again(
    server: PrivatePostgres,
) -> None:
    with private_bouncer(server.url) as bouncer:
        database = opened(bouncer.url_of(server.url), pooler="transaction")

        server.kill()
        refusals = [refusal_of(lambda: database.write(add_note)) for _ in range(5)]
        server.start()
        waited = seconds_until_it_works(lambda: database.write(add_note))

        assert max(refusal.seconds for refusal in refusals) < SOON_SECONDS
        assert waited < BACK_SECONDS
        database.close()


def test_a_pooler_that_is_gone_is_told_at_once_and_used_again(server: PrivatePostgres) -> None:
    with private_bouncer(server.url) as bouncer:
        database = opened(bouncer.url_of(server.url), pooler="transaction")

        bouncer.stop()
        refusals = [refusal_of(lambda: database.write(add_note)) for _ in range(5)]
        bouncer.start()
        waited = seconds_until_it_works(lambda: database.write(add_note))

        assert max(refusal.seconds for refusal in refusals) < AT_ONCE_SECONDS
        assert waited < BACK_SECONDS
        database.close()


def test_a_pooler_that_nobody_named_is_refused_and_loses_no_limits(server: PrivatePostgres) -> None:
    with private_bouncer(server.url) as bouncer:
        database = Database(bouncer.url_of(server.url))

        refusal = refusal_of(lambda: database.read(count_notes))

        assert refusal.seconds < AT_ONCE_SECONDS
        assert "unsupported startup parameter: options" in bouncer.read_log()
        database.close()


# Full, or refusing


def test_the_pool_is_the_limit_and_who_finds_nothing_free_is_told_soon(
    server: PrivatePostgres,
) -> None:
    database = opened(server.url)
    everybody = threading.Barrier(POOL_SIZE + 1)
    end = threading.Event()

    def hold(_connection: Connection) -> None:
        everybody.wait(5)
        end.wait(10)

    with ThreadPoolExecutor(POOL_SIZE) as threads:
        for _ in range(POOL_SIZE):
            threads.submit(database.read, hold)
        everybody.wait(5)
        refusal = refusal_of(lambda: database.read(count_notes))
        end.set()

    assert refusal.reason == "database is busy"
    assert 1 < refusal.seconds < SOON_SECONDS
    assert database.read(count_notes) >= 0
    database.close()


@pytest.mark.parametrize(
    ("sqlstate", "reason"),
    [
        ("57P01", "database cannot be reached"),
        ("57P02", "database cannot be reached"),
        ("57P03", "database cannot be reached"),
        ("57P04", "database cannot be reached"),
        ("53300", "database has no free connection"),
        ("53100", "database disk is full"),
        ("25006", "database is read-only"),
        ("25P03", "database cannot be reached"),
        ("55P03", "database is busy"),
    ],
)
def test_what_the_server_says_when_it_cannot_serve_is_told_as_unavailable_and_not_repeated(
    server: PrivatePostgres, sqlstate: str, reason: str
) -> None:
    database = Database(server.url)
    attempts: list[int] = []

    def work(connection: Connection) -> None:
        attempts.append(1)
        connection.execute(text(f"DO $$ BEGIN RAISE SQLSTATE '{sqlstate}'; END $$"))

    refusal = refusal_of(lambda: database.write(work))

    assert refusal.reason == reason
    assert len(attempts) == 1
    database.close()


def test_a_server_without_a_free_connection_is_told_as_unavailable_and_later_works() -> None:
    with private_postgres(["max_connections=5", "superuser_reserved_connections=0"]) as server:
        greedy = [Database(server.url, pool_size=1) for _ in range(5)]
        for database in greedy:
            database.read(lambda connection: connection.execute(text("SELECT 1")))
        late = Database(server.url)

        refusal = refusal_of(lambda: late.read(count_notes))
        greedy.pop().close()
        seconds_until_it_works(
            lambda: late.read(lambda connection: connection.execute(text("SELECT 1")))
        )

        assert refusal.seconds < SOON_SECONDS
        assert refusal.reason == "database has no free connection"
        for database in (*greedy, late):
            database.close()


def test_of_several_hosts_the_one_that_answers_is_used(
    server: PrivatePostgres, proxy: Proxy
) -> None:
    """The first swallows everything; the wait for it is bounded."""
    proxy.mode = Mode.SWALLOW
    silent, real = make_url(proxy.url).port, make_url(server.url).port
    database = Database(
        f"postgresql+psycopg://postgres@/postgres?host=127.0.0.1:{silent}&host=127.0.0.1:{real}"
    )
    started = time.monotonic()

    found = database.read(lambda connection: connection.execute(text("SELECT 1")).scalar())

    assert found == 1
    assert time.monotonic() - started < FIRST_CONNECTION_SECONDS
    database.close()


# Cut after the commit


def test_a_commit_whose_answer_is_lost_is_told_as_unavailable_and_was_done_exactly_once(
    server: PrivatePostgres, proxy: Proxy
) -> None:
    """Repeating it would do it twice; only the caller's idempotency key can find out."""
    database, witness = opened(proxy.url), opened(server.url)
    written: list[int] = []

    for _ in range(10):
        proxy.mode = Mode.CUT_AFTER_COMMIT
        refusal_of(lambda: database.write(lambda connection: written.append(add_note(connection))))
        proxy.mode = Mode.PASS

    found = witness.read(
        lambda connection: connection.execute(
            select(notes.c.id).where(notes.c.id.in_(written))
        ).scalars()
    )
    assert proxy.cuts >= 10
    assert len(written) == 10, "the work ran once per call"
    assert sorted(found) == sorted(written)
    database.close()
    witness.close()


# The watcher


@pytest.mark.parametrize("way", ["killed", "frozen"])
def test_the_watcher_tells_its_listeners_of_an_outage_and_hears_commits_afterwards(
    server: PrivatePostgres, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(watch, "FALLBACK_SECONDS", 1.0)
    database = opened(server.url)
    watcher = ChangeWatcher(database)
    bell = subscribed_bell(watcher)
    assert bell.rings(within_seconds=5), "it has asked whether the server is there"

    server.kill() if way == "killed" else server.freeze()
    bell.rings(within_seconds=0.1)
    told = bell.rings(within_seconds=8)
    monkeypatch.setattr(watch, "FALLBACK_SECONDS", 60.0)
    server.start() if way == "killed" else server.thaw()
    wait_for_listener(database)
    bell.rings(within_seconds=0.5)  # the new connection starts with a look of its own
    database.write(announce)

    assert told, "what was committed meanwhile may be lost"
    assert bell.rings(within_seconds=5)
    close_at_once(watcher, database)
    database.close()


def wait_for_listener(database: Database) -> None:
    deadline = time.monotonic() + BACK_SECONDS
    while time.monotonic() < deadline:
        with suppress(DatabaseUnavailableError):
            if database.read(count_listening_connections):
                return
        time.sleep(0.05)
    pytest.fail("nobody listens")
