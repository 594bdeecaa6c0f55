"""Steps that other slices take in their own transactions: slots of unfinished jobs, the day."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError, NoResultFound

from gen_video.accounts.errors import TooManyJobsError
from gen_video.accounts.models import Caller
from gen_video.accounts.service import AccountService
from gen_video.db.database import Database
from tests.db.clocked import on_sqlite_only

SLOTS = 5
RACERS = 24


@pytest.fixture
def caller(accounts: AccountService) -> Caller:
    """Return ada, who may have five unfinished jobs."""
    accounts.save_plan(replace(accounts.get_plan("free"), max_in_flight=SLOTS))
    return accounts.authenticate(accounts.create_key("ada").plaintext)


def take_slot(accounts: AccountService, database: Database, caller: Caller) -> bool:
    try:
        database.write(lambda connection: accounts.take_slot(connection, caller))
    except TooManyJobsError:
        return False
    return True


def free_slot(accounts: AccountService, database: Database, caller: Caller) -> None:
    database.write(lambda connection: accounts.free_slot(connection, caller.account_id))


def test_the_last_slot_is_taken_once_and_comes_back_when_a_job_ends(
    accounts: AccountService, database: Database, caller: Caller
) -> None:
    taken = [take_slot(accounts, database, caller) for _ in range(SLOTS + 1)]
    assert taken == [True] * SLOTS + [False]

    free_slot(accounts, database, caller)

    assert take_slot(accounts, database, caller)
    assert database.read(accounts.list_in_flight) == {caller.account_id: SLOTS}


@on_sqlite_only
def test_who_is_refused_learns_the_limit_and_when_to_come_back(
    accounts: AccountService, database: Database, caller: Caller
) -> None:
    nobody = replace(caller, plan=replace(caller.plan, max_in_flight=0))

    with pytest.raises(TooManyJobsError, match="allows 0 unfinished") as caught:
        database.write(lambda connection: accounts.take_slot(connection, nobody))

    assert (caught.value.status, caught.value.retry_after_seconds) == (429, 5)
    assert caught.value.is_retryable


def test_requests_that_race_for_slots_get_as_many_as_there_are(
    accounts: AccountService, database: Database, caller: Caller
) -> None:
    with ThreadPoolExecutor(RACERS) as threads:
        taken = list(threads.map(lambda _: take_slot(accounts, database, caller), range(RACERS)))

    assert sum(taken) == SLOTS
    assert database.read(accounts.list_in_flight) == {caller.account_id: SLOTS}


def test_a_slot_of_a_transaction_that_failed_was_never_taken(
    accounts: AccountService, database: Database, caller: Caller
) -> None:
    def work(connection: Connection) -> None:
        accounts.take_slot(connection, caller)
        raise LookupError

    with pytest.raises(LookupError):
        database.write(work)

    assert database.read(accounts.list_in_flight) == {caller.account_id: 0}


def test_a_slot_that_nobody_took_cannot_be_freed(
    accounts: AccountService, database: Database, caller: Caller
) -> None:
    """A job that ends twice is a mistake in the program; the database stops it."""
    with pytest.raises(IntegrityError):
        free_slot(accounts, database, caller)

    assert database.read(accounts.list_in_flight) == {caller.account_id: 0}


@on_sqlite_only
def test_slots_of_one_user_are_nobody_elses(
    accounts: AccountService, database: Database, caller: Caller
) -> None:
    accounts.create_account("bob", plan_id="free")
    bob = accounts.authenticate(accounts.create_key("bob").plaintext)
    for _ in range(SLOTS):
        take_slot(accounts, database, caller)

    assert take_slot(accounts, database, bob)


def test_the_day_of_an_account_moves_forward_and_never_back(
    accounts: AccountService, database: Database, caller: Caller
) -> None:
    """A clock that is set back must not open a day whose quota was used before."""

    def advance(window_date: str) -> str:
        return database.write(
            lambda connection: accounts.advance_window(
                connection, account_id=caller.account_id, window_date=window_date
            )
        )

    days = [advance(day) for day in ("2026-03-10", "2026-03-11", "2026-03-10", "2027-01-01")]

    assert days == ["2026-03-10", "2026-03-11", "2026-03-11", "2027-01-01"]


@on_sqlite_only
def test_looking_at_the_day_does_not_move_it(
    accounts: AccountService, database: Database, caller: Caller
) -> None:
    def look(window_date: str) -> str:
        return database.read(
            lambda connection: accounts.current_window(
                connection, account_id=caller.account_id, window_date=window_date
            )
        )

    assert [look(day) for day in ("2026-03-11", "2026-03-10")] == ["2026-03-11", "2026-03-10"]


def test_a_job_finds_its_caller_after_the_key_was_revoked(
    accounts: AccountService, database: Database, caller: Caller
) -> None:
    """What was accepted is finished and settled."""
    accounts.revoke_key(caller.key_id)

    found = database.read(
        lambda connection: accounts.get_caller(
            connection, account_id=caller.account_id, key_id=caller.key_id
        )
    )

    assert found == caller


def test_a_key_finds_no_caller_under_another_account(
    accounts: AccountService, database: Database, caller: Caller
) -> None:
    bob = accounts.create_account("bob", plan_id="free")

    with pytest.raises(NoResultFound):
        database.read(
            lambda connection: accounts.get_caller(
                connection, account_id=bob.id, key_id=caller.key_id
            )
        )
