"""Fixtures of the quota tests: a caller with ten pictures and two videos a day in Shanghai."""

from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import pytest

from gen_video.accounts.models import Caller
from gen_video.accounts.service import AccountService
from gen_video.quotas.models import Hold, QuotaExceededError
from gen_video.quotas.service import QuotaService
from tests.db.clocked import ClockedDatabase, migrated_database

SHANGHAI = ZoneInfo("Asia/Shanghai")
IMAGES_PER_DAY = 10
VIDEOS_PER_DAY = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Quotas as a request or a worker uses them: every call is one transaction."""

    database: ClockedDatabase
    accounts: AccountService
    quotas: QuotaService

    def reserve(self, caller: Caller, units: int, *, kind: str = "image") -> Hold:
        """Place a hold, or raise QuotaExceededError."""
        return self.database.write(
            lambda connection: self.quotas.place_hold(connection, caller, kind=kind, units=units)
        )

    def try_reserve(self, caller: Caller, units: int, *, kind: str = "image") -> Hold | None:
        """Place a hold, None when the day's quota does not cover it."""
        try:
            return self.reserve(caller, units, kind=kind)
        except QuotaExceededError:
            return None

    def settle(self, hold: Hold, *, captured: int) -> None:
        """End a hold."""
        self.database.write(
            lambda connection: self.quotas.settle(connection, hold, captured=captured)
        )

    def new_caller(self, name: str = "ada", *, images_per_day: int | None = None) -> Caller:
        """Return a caller with a new key of a user, who is added when missing."""
        if name not in {row.name for row in self.accounts.list_accounts()}:
            self.accounts.create_account(name, plan_id="free")
        issued = self.accounts.create_key(name, images_per_day=images_per_day)
        return self.accounts.authenticate(issued.plaintext)


def open_desk(database: ClockedDatabase, timezone: ZoneInfo = SHANGHAI) -> Desk:
    """Return a desk with accounts and quotas of its own, as a process has."""
    accounts = AccountService(database, pepper=b"pepper", allow_test_keys=False)
    quotas = QuotaService(database, accounts, timezone=timezone)
    return Desk(database=database, accounts=accounts, quotas=quotas)


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    with migrated_database(database_url) as database:
        desk = open_desk(database)
        desk.accounts.seed()
        yield desk


@pytest.fixture
def caller(desk: Desk) -> Caller:
    """Return ada on the free plan."""
    return desk.new_caller()
