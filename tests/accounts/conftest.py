"""Fixtures of the account tests: a migrated database, its service, and a second process."""

from collections.abc import Iterator

import pytest

from gen_video.accounts.service import AccountService
from tests.db.clocked import ClockedDatabase, migrated_database

PEPPER = b"pepper of the tests"


@pytest.fixture
def database(database_url: str) -> Iterator[ClockedDatabase]:
    with migrated_database(database_url) as database:
        yield database


@pytest.fixture
def accounts(database: ClockedDatabase) -> AccountService:
    """Return the service with the default plans and one user, ada, on the free plan."""
    accounts = AccountService(database, pepper=PEPPER, allow_test_keys=False)
    accounts.seed()
    accounts.create_account("ada", plan_id="free")
    return accounts


@pytest.fixture
def other_process(accounts: AccountService, database_url: str) -> Iterator[AccountService]:
    """Return the same accounts as another process serves them: own connections, own cache."""
    database = ClockedDatabase(database_url)
    yield AccountService(database, pepper=PEPPER, allow_test_keys=False)
    database.close()
