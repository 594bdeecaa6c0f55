"""The ledger in the database: written once, never rewritten, always in balance."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from gen_video.billing.tables import ledger_entries, ledger_txns
from gen_video.db.database import Database
from tests.billing.conftest import POSITION, Book
from tests.db.clocked import START, on_sqlite_only

RACERS = 16
REWRITES = {
    "update an amount": "UPDATE ledger_entries SET amount = amount + 1",
    "update one row": "UPDATE ledger_entries SET amount = 0 WHERE id = 1",
    "move to another account": "UPDATE ledger_entries SET ledger_account = 'mine'",
    "update a transaction": "UPDATE ledger_txns SET job_id = 'job_other'",
    "free a settlement": "UPDATE ledger_txns SET idem_key = 'other' WHERE kind = 'settle'",
    "delete entries": "DELETE FROM ledger_entries",
    "delete one entry": "DELETE FROM ledger_entries WHERE id = 1",
    "delete transactions": "DELETE FROM ledger_txns",
    "overwrite an entry": (
        "INSERT INTO ledger_entries (id, txn_id, ledger_account, asset, amount)"
        " VALUES (1, 1, 'mine', 'image', 7) ON CONFLICT (id) DO UPDATE SET amount = 7"
    ),
}
ONLY_SQLITE = {
    "replace an entry": "INSERT OR REPLACE INTO ledger_entries VALUES (1, 1, 'mine', 'image', 7)",
    "replace a transaction": (
        "INSERT OR REPLACE INTO ledger_txns VALUES (1, 'reserve:job_1', 'job_9', 'reserve', 0)"
    ),
    "update or replace": "UPDATE OR REPLACE ledger_entries SET id = 1 WHERE id = 2",
}
ONLY_POSTGRESQL = {
    "truncate entries": "TRUNCATE ledger_entries",
    "truncate both": "TRUNCATE ledger_txns CASCADE",
}


def dump(database: Database) -> list[object]:
    def work(connection: Connection) -> list[object]:
        return [
            connection.execute(select(table).order_by(table.c.id)).all()
            for table in (ledger_txns, ledger_entries)
        ]

    return database.read(work)


@pytest.fixture
def written(book: Book) -> Book:
    """Return a ledger with one finished and one running job."""
    book.reserve("job_1", 4)
    book.settle("job_1", 4, captured=3)
    book.reserve("job_2", 2)
    return book


# Promises and ends


def test_the_balances_follow_a_job_from_promise_to_end(book: Book) -> None:
    book.reserve("job_1", 4)
    assert book.balances() == (-4, 4, 0)

    book.settle("job_1", 4, captured=3)

    assert book.balances() == (-3, 0, 3)


def test_a_released_job_leaves_no_balance_but_stays_on_record(book: Book) -> None:
    book.reserve("job_1", 4)
    book.settle("job_1", 4, captured=0)

    assert book.balances() == (0, 0, 0)
    assert book.database.read(book.ledger.count_txns) == {
        ("job_1", "reserve"): 1,
        ("job_1", "settle"): 1,
    }


@on_sqlite_only
def test_days_and_kinds_are_booked_apart(book: Book) -> None:
    tomorrow = replace(POSITION, window_date="2026-03-11")
    video = replace(POSITION, kind="video")

    book.reserve("job_1", 4)
    book.reserve("job_2", 1, tomorrow)
    book.reserve("job_3", 2, video)

    assert book.balances() == (-4, 4, 0)
    assert book.balances(tomorrow) == (-1, 1, 0)
    assert book.balances(video) == (-2, 2, 0)


def test_a_transaction_knows_its_job_and_moment(book: Book) -> None:
    book.reserve("job_1", 4)

    [txn] = book.database.read(lambda connection: connection.execute(select(ledger_txns)).all())

    assert (txn.job_id, txn.kind, txn.created_at) == ("job_1", "reserve", START)


# Once each


@pytest.mark.parametrize("captured", [0, 1, 4])
def test_a_job_is_settled_once_whatever_the_second_settlement_says(
    book: Book, captured: int
) -> None:
    """Capture and release share one key, so a captured job cannot be released as well."""
    book.reserve("job_1", 4)
    book.settle("job_1", 4, captured=4)
    before = dump(book.database)

    with pytest.raises(IntegrityError):
        book.settle("job_1", 4, captured=captured)

    assert dump(book.database) == before
    assert book.balances() == (-4, 0, 4)


def test_a_job_is_promised_units_once(book: Book) -> None:
    book.reserve("job_1", 4)

    with pytest.raises(IntegrityError):
        book.reserve("job_1", 4)

    assert book.balances() == (-4, 4, 0)


def test_settlements_that_race_leave_one(book: Book) -> None:
    """A worker that finishes while the sweeper gives its job up."""
    book.reserve("job_1", 4)

    def settle(number: int) -> bool:
        try:
            book.settle("job_1", 4, captured=number % 5)
        except IntegrityError:
            return False
        return True

    with ThreadPoolExecutor(RACERS) as threads:
        won = list(threads.map(settle, range(RACERS)))

    captured = won.index(True) % 5
    assert sum(won) == 1
    assert book.balances() == (-captured, 0, captured)


def test_what_a_failed_transaction_wrote_is_not_on_record(book: Book) -> None:
    def work(connection: Connection) -> None:
        book.ledger.record_reserve(
            connection, job_id="job_1", position=POSITION, units=4, now=START
        )
        raise LookupError

    with pytest.raises(LookupError):
        book.database.write(work)

    assert dump(book.database) == [[], []]
    book.reserve("job_1", 4)
    assert book.balances() == (-4, 4, 0)


# Never rewritten


def _assert_refused(book: Book, statement: str) -> None:
    before = dump(book.database)

    with pytest.raises(DBAPIError, match="append-only"):
        book.database.write(lambda connection: connection.execute(text(statement)))

    assert dump(book.database) == before


@pytest.mark.parametrize("rewrite", REWRITES)
def test_history_cannot_be_rewritten(written: Book, rewrite: str) -> None:
    _assert_refused(written, REWRITES[rewrite])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("rewrite", ONLY_SQLITE)
def test_history_cannot_be_replaced_on_sqlite(written: Book, rewrite: str) -> None:
    """REPLACE deletes without asking the trigger, unless the connection says otherwise."""
    _assert_refused(written, ONLY_SQLITE[rewrite])


@pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.postgresql)], indirect=True
)
@pytest.mark.parametrize("rewrite", ONLY_POSTGRESQL)
def test_history_cannot_be_truncated_on_postgresql(written: Book, rewrite: str) -> None:
    """TRUNCATE fires no trigger for rows."""
    _assert_refused(written, ONLY_POSTGRESQL[rewrite])


def test_an_entry_belongs_to_a_transaction(written: Book) -> None:
    def work(connection: Connection) -> None:
        orphan = {"txn_id": 999, "ledger_account": "mine", "asset": "image", "amount": 7}
        connection.execute(insert(ledger_entries).values(orphan))

    with pytest.raises(IntegrityError):
        written.database.write(work)


# The audit's questions


def test_a_ledger_that_is_only_written_by_the_service_is_balanced(written: Book) -> None:
    assert written.database.read(written.ledger.list_unbalanced) == []


def test_an_entry_slipped_in_from_outside_is_found(written: Book) -> None:
    def slip_in(connection: Connection) -> None:
        slipped = {"txn_id": 2, "ledger_account": "mine", "asset": "image", "amount": 7}
        connection.execute(insert(ledger_entries).values(slipped))

    written.database.write(slip_in)

    assert written.database.read(written.ledger.list_unbalanced) == [(2, "image", 7)]


def test_two_assets_that_cancel_out_are_still_unbalanced(written: Book) -> None:
    """Pictures do not pay for videos."""

    def slip_in(connection: Connection) -> None:
        common = {"txn_id": 2, "ledger_account": "mine"}
        connection.execute(
            insert(ledger_entries),
            [common | {"asset": "image", "amount": 7}, common | {"asset": "video", "amount": -7}],
        )

    written.database.write(slip_in)

    found = written.database.read(written.ledger.list_unbalanced)
    assert sorted(found) == [(2, "image", 7), (2, "video", -7)]


@on_sqlite_only
def test_promises_and_ends_are_counted_for_every_job(written: Book) -> None:
    assert written.database.read(written.ledger.count_txns) == {
        ("job_1", "reserve"): 1,
        ("job_1", "settle"): 1,
        ("job_2", "reserve"): 1,
    }
