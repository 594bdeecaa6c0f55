"""Fixtures of the ledger tests: a migrated database and one account's day."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import Connection

from gen_video.billing.ledger import Position
from gen_video.billing.service import LedgerService
from tests.db.clocked import ClockedDatabase, migrated_database

POSITION = Position(account_id="acc_ada", kind="image", window_date="2026-03-10")


@dataclass(frozen=True, slots=True)
class Book:
    """The ledger as a job writes it: every call is one transaction."""

    database: ClockedDatabase
    ledger: LedgerService

    def reserve(self, job_id: str, units: int, position: Position = POSITION) -> None:
        """Write down a promise."""

        def work(connection: Connection) -> None:
            now = self.database.now(connection)
            self.ledger.record_reserve(
                connection, job_id=job_id, position=position, units=units, now=now
            )

        self.database.write(work)

    def settle(
        self, job_id: str, units: int, *, captured: int, position: Position = POSITION
    ) -> None:
        """Write down how a promise ended."""

        def work(connection: Connection) -> None:
            self.ledger.record_settle(
                connection,
                job_id=job_id,
                position=position,
                units=units,
                captured=captured,
                now=self.database.now(connection),
            )

        self.database.write(work)

    def balances(self, position: Position = POSITION) -> tuple[int, int, int]:
        """Return available, held and used of one day."""
        sums = self.database.read(self.ledger.sum_accounts)
        available, held, used = (
            sums.get(position.ledger_account(part), 0) for part in ("available", "held", "used")
        )
        return available, held, used


@pytest.fixture
def book(database_url: str) -> Iterator[Book]:
    with migrated_database(database_url) as database:
        yield Book(database, LedgerService())
