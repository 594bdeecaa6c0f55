"""Who calls: only the holder of a valid key, soon nobody after its end, and cheaply."""

import hmac
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import Connection, event, inspect, select
from typing_extensions import override

from gen_video.accounts import keys
from gen_video.accounts import service as service_module
from gen_video.accounts.errors import InvalidKeyError
from gen_video.accounts.models import Caller, IssuedKey
from gen_video.accounts.service import KEY_CACHE_SECONDS, AccountService
from gen_video.db.database import Database, DatabaseUnavailableError, Result, Work
from gen_video.db.schema import metadata
from tests.accounts.conftest import PEPPER
from tests.db.clocked import START, ClockedDatabase, on_sqlite_only

UNKNOWN_KEY = keys.make_key().plaintext


def with_checksum(body: str) -> str:
    return body + keys.checksum(body)


def forged_twin(plaintext: str) -> str:
    """Return a well-formed key with the same public part and another secret."""
    return with_checksum("_".join(plaintext.split("_")[:3]) + "_" + "0" * keys.SECRET_LENGTH)


def last_used(accounts: AccountService, issued: IssuedKey) -> object:
    return {row.id: row.last_used_at for row in accounts.list_keys()}[issued.row.id]


def call_like_a_door(accounts: AccountService, key: str) -> Caller:
    return accounts.find_cached(key) or accounts.authenticate(key)


@contextmanager
def count_database_work(database: Database) -> Iterator[list[str]]:
    """Note every connection taken and every statement sent."""
    noted: list[str] = []

    def note_checkout(*_: object) -> None:
        noted.append("connection")

    def note_statement(*arguments: object) -> None:
        noted.append(str(arguments[2]))

    event.listen(database.engine, "checkout", note_checkout)
    event.listen(database.engine, "before_cursor_execute", note_statement)
    yield noted
    event.remove(database.engine, "checkout", note_checkout)
    event.remove(database.engine, "before_cursor_execute", note_statement)


@pytest.fixture
def issued(accounts: AccountService) -> IssuedKey:
    return accounts.create_key("ada", label="laptop")


@pytest.fixture
def process_clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Replace the clock that the cache goes by; a test sets `seconds`."""
    clock = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(service_module, "time", SimpleNamespace(monotonic=lambda: clock.seconds))
    return clock


# The right key


def test_a_key_tells_who_calls(accounts: AccountService, issued: IssuedKey) -> None:
    caller = accounts.authenticate(issued.plaintext)

    assert (caller.account_name, caller.key_id) == ("ada", issued.row.id)
    assert caller.account_id == issued.row.account_id
    assert caller.plan == accounts.get_plan("free")


def test_a_key_is_shown_once_and_stored_only_as_its_keyed_hash(
    accounts: AccountService, issued: IssuedKey, database: Database
) -> None:
    secret = issued.plaintext.split("_")[3][: keys.SECRET_LENGTH]

    def dump(connection: Connection) -> str:
        names = inspect(connection).get_table_names()
        tables = [table for table in metadata.sorted_tables if table.name in names]
        return "\n".join(str(connection.execute(select(table)).all()) for table in tables)

    stored = database.read(dump)

    assert secret not in stored
    assert secret not in repr(accounts.list_keys()) + repr(issued)
    assert keys.hash_key(issued.plaintext, pepper=PEPPER) in stored
    assert issued.row.hint == issued.plaintext[-4:]


def test_several_keys_of_one_user_work_and_end_independently(accounts: AccountService) -> None:
    laptop, server = (accounts.create_key("ada", label=label) for label in ("laptop", "server"))

    accounts.revoke_key(laptop.row.id)

    assert accounts.authenticate(server.plaintext).account_name == "ada"
    with pytest.raises(InvalidKeyError):
        accounts.authenticate(laptop.plaintext)


@on_sqlite_only
def test_a_key_of_one_user_never_speaks_for_another(accounts: AccountService) -> None:
    accounts.create_account("bob", plan_id="paid")
    of_ada, of_bob = accounts.create_key("ada"), accounts.create_key("bob")

    callers = [accounts.authenticate(key.plaintext) for key in (of_ada, of_bob)]

    assert [(caller.account_name, caller.plan.id) for caller in callers] == [
        ("ada", "free"),
        ("bob", "paid"),
    ]


def test_a_keys_own_limits_come_with_the_caller(accounts: AccountService) -> None:
    limited = accounts.create_key("ada", images_per_day=3, videos_per_day=0)
    unlimited = accounts.create_key("ada")

    with_limits = accounts.authenticate(limited.plaintext)
    without = accounts.authenticate(unlimited.plaintext)

    assert [with_limits.key_units_per_day(kind) for kind in ("image", "video")] == [3, 0]
    assert [without.key_units_per_day(kind) for kind in ("image", "video")] == [None, None]


# Every other key


def _wrong_secret(accounts: AccountService, issued: IssuedKey) -> str:
    return forged_twin(issued.plaintext)


def _unknown(accounts: AccountService, issued: IssuedKey) -> str:
    return UNKNOWN_KEY


def _malformed(accounts: AccountService, issued: IssuedKey) -> str:
    return issued.plaintext[:-1]


def _revoked(accounts: AccountService, issued: IssuedKey) -> str:
    accounts.revoke_key(issued.row.id)
    return issued.plaintext


def _expired(accounts: AccountService, issued: IssuedKey) -> str:
    return accounts.create_key("ada", lifetime=timedelta(0)).plaintext


def _disabled(accounts: AccountService, issued: IssuedKey) -> str:
    accounts.set_disabled("ada", is_disabled=True)
    return issued.plaintext


@pytest.mark.parametrize(
    "spoil", [_wrong_secret, _unknown, _malformed, _revoked, _expired, _disabled]
)
def test_every_key_that_is_not_valid_is_refused_in_the_same_words(
    accounts: AccountService, issued: IssuedKey, spoil: Callable[[AccountService, IssuedKey], str]
) -> None:
    """Whoever guesses must not learn which part was right."""
    key = spoil(accounts, issued)

    with pytest.raises(InvalidKeyError) as caught:
        accounts.authenticate(key)

    assert (caught.value.status, str(caught.value)) == (401, str(InvalidKeyError()))
    assert accounts.find_cached(key) is None


def test_an_account_that_is_opened_again_may_call_again(
    accounts: AccountService, issued: IssuedKey
) -> None:
    accounts.set_disabled("ada", is_disabled=True)
    accounts.set_disabled("ada", is_disabled=False)

    assert accounts.authenticate(issued.plaintext).account_name == "ada"


@on_sqlite_only
def test_another_pepper_makes_every_stored_key_unknown(
    database: Database, issued: IssuedKey
) -> None:
    stranger = AccountService(database, pepper=b"another", allow_test_keys=False)

    with pytest.raises(InvalidKeyError):
        stranger.authenticate(issued.plaintext)


@on_sqlite_only
@pytest.mark.parametrize(
    "key",
    [
        pytest.param(UNKNOWN_KEY[:-1] + ("0" if UNKNOWN_KEY[-1] != "0" else "1"), id="mistyped"),
        pytest.param("gv_live_" + "x" * 61, id="invented"),
        pytest.param("test-key-123", id="test key in production"),
        pytest.param("", id="empty"),
        pytest.param("' OR 1=1 --", id="injection"),
        pytest.param("k" * 1_000_000, id="a megabyte"),
    ],
)
def test_a_key_whose_checksum_is_wrong_costs_no_database_work(
    accounts: AccountService, database: Database, key: str
) -> None:
    with count_database_work(database) as work, pytest.raises(InvalidKeyError):
        accounts.authenticate(key)

    assert work == []


@on_sqlite_only
def test_a_well_formed_key_does_cost_database_work(
    accounts: AccountService, database: Database
) -> None:
    """Or the test above would count nothing."""
    with count_database_work(database) as work, pytest.raises(InvalidKeyError):
        accounts.authenticate(UNKNOWN_KEY)

    assert "connection" in work
    assert any("FROM api_keys" in statement for statement in work)


@on_sqlite_only
@pytest.mark.parametrize("forge", [forged_twin, lambda _: UNKNOWN_KEY], ids=["secret", "lookup"])
def test_hashes_are_compared_in_constant_time_whether_or_not_the_key_exists(
    accounts: AccountService,
    issued: IssuedKey,
    monkeypatch: pytest.MonkeyPatch,
    forge: Callable[[str], str],
) -> None:
    """An early answer for an unknown key would tell which keys exist."""
    compared: list[tuple[str, str]] = []

    def compare_digest(left: str, right: str) -> bool:
        compared.append((left, right))
        return hmac.compare_digest(left, right)

    monkeypatch.setattr(keys, "hmac", SimpleNamespace(compare_digest=compare_digest, new=hmac.new))
    forged = forge(issued.plaintext)

    with pytest.raises(InvalidKeyError):
        accounts.authenticate(forged)

    [(given, stored)] = compared
    assert given == keys.hash_key(forged, pepper=PEPPER)
    assert len(stored) == len(given)


# The end of a key


def test_a_key_works_until_the_moment_it_expires(
    accounts: AccountService, database: ClockedDatabase
) -> None:
    issued = accounts.create_key("ada", lifetime=timedelta(days=30))
    assert issued.row.expires_at == START + timedelta(days=30)

    database.advance(timedelta(days=30) - timedelta(microseconds=1))
    assert accounts.authenticate(issued.plaintext).account_name == "ada"

    database.advance(timedelta(microseconds=1))
    with pytest.raises(InvalidKeyError):
        accounts.authenticate(issued.plaintext)


def test_a_revoked_key_is_refused_within_a_second_by_a_process_that_remembers_it(
    accounts: AccountService, issued: IssuedKey, other_process: AccountService
) -> None:
    other_process.authenticate(issued.plaintext)
    assert other_process.find_cached(issued.plaintext) is not None

    accounts.revoke_key(issued.row.lookup)
    revoked_at = time.monotonic()

    with pytest.raises(InvalidKeyError):  # noqa: PT012 - a door that is called all the time
        while time.monotonic() < revoked_at + 5:
            call_like_a_door(other_process, issued.plaintext)
            time.sleep(0.005)
    assert time.monotonic() - revoked_at < 1


# What is remembered


@on_sqlite_only
def test_a_caller_is_remembered_for_half_a_second_and_no_longer(
    accounts: AccountService,
    issued: IssuedKey,
    database: Database,
    process_clock: SimpleNamespace,
) -> None:
    caller = accounts.authenticate(issued.plaintext)

    with count_database_work(database) as work:
        process_clock.seconds += KEY_CACHE_SECONDS
        assert accounts.find_cached(issued.plaintext) == caller
        process_clock.seconds += 0.001
        assert accounts.find_cached(issued.plaintext) is None
    assert work == []


@on_sqlite_only
def test_a_slow_database_does_not_lengthen_what_is_remembered(
    accounts: AccountService, database_url: str, issued: IssuedKey, process_clock: SimpleNamespace
) -> None:
    """The key may have been revoked right after the slow look at it."""

    class SlowDatabase(ClockedDatabase):
        @override
        def read(self, work: Work[Result]) -> Result:
            result = super().read(work)
            process_clock.seconds += KEY_CACHE_SECONDS + 0.1
            return result

    database = SlowDatabase(database_url)
    slow = AccountService(database, pepper=PEPPER, allow_test_keys=False)

    slow.authenticate(issued.plaintext)

    assert slow.find_cached(issued.plaintext) is None
    database.close()


@on_sqlite_only
def test_only_the_latest_callers_are_remembered(
    accounts: AccountService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood of keys must not fill the memory."""
    monkeypatch.setattr(service_module, "KEY_CACHE_SIZE", 2)
    issued = [accounts.create_key("ada").plaintext for _ in range(3)]

    for key in (issued[0], issued[1], issued[0], issued[2]):
        accounts.authenticate(key)

    assert [accounts.find_cached(key) is not None for key in issued] == [True, False, True]


# When a key was used last


def test_the_first_use_of_a_key_is_noted(accounts: AccountService, issued: IssuedKey) -> None:
    assert last_used(accounts, issued) is None

    accounts.authenticate(issued.plaintext)

    assert last_used(accounts, issued) == START


@on_sqlite_only
def test_a_key_in_constant_use_is_noted_once_a_minute(
    accounts: AccountService,
    issued: IssuedKey,
    database: ClockedDatabase,
    process_clock: SimpleNamespace,
) -> None:
    def use_after(seconds: int) -> None:
        database.advance(timedelta(seconds=seconds))
        process_clock.seconds += seconds
        accounts.authenticate(issued.plaintext)

    use_after(0)
    use_after(59)
    assert last_used(accounts, issued) == START

    use_after(2)
    assert last_used(accounts, issued) == START + timedelta(seconds=61)


def test_many_processes_note_a_key_together_no_more_often_than_one(
    accounts: AccountService, issued: IssuedKey, other_process: AccountService
) -> None:
    accounts.authenticate(issued.plaintext)

    with count_database_work(other_process._database) as work:
        other_process.authenticate(issued.plaintext)

    assert not any(statement.startswith("UPDATE") for statement in work)


@on_sqlite_only
def test_a_refused_key_is_not_noted_as_used(accounts: AccountService, issued: IssuedKey) -> None:
    with pytest.raises(InvalidKeyError):
        accounts.authenticate(forged_twin(issued.plaintext))

    assert last_used(accounts, issued) is None


@on_sqlite_only
def test_a_disk_that_is_full_keeps_nobody_from_reading(
    accounts: AccountService, database_url: str, issued: IssuedKey
) -> None:
    """The note of the last use is a courtesy; looking at finished pictures must go on."""

    class FullDatabase(ClockedDatabase):
        @override
        def write(self, work: Work[Result]) -> Result:
            raise DatabaseUnavailableError("database disk is full")

    database = FullDatabase(database_url)
    full = AccountService(database, pepper=PEPPER, allow_test_keys=False)

    assert full.authenticate(issued.plaintext).account_name == "ada"
    database.close()


# Test keys


def test_test_keys_work_outside_production(database: Database) -> None:
    accounts = AccountService(database, pepper=PEPPER, allow_test_keys=True)
    accounts.seed()

    callers = [accounts.authenticate(key) for key in ("test-key-123", "demo-key-456")]

    assert [(caller.account_name, caller.plan.tier) for caller in callers] == [
        ("test_user", "free"),
        ("demo_user", "paid"),
    ]


@on_sqlite_only
def test_production_refuses_test_keys_even_where_their_rows_exist(
    accounts: AccountService, database: Database
) -> None:
    """A database that was tried out first and then put to work."""
    AccountService(database, pepper=PEPPER, allow_test_keys=True).seed()

    with count_database_work(database) as work, pytest.raises(InvalidKeyError):
        accounts.authenticate("test-key-123")

    assert work == []
