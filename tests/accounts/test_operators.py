"""What an operator does: users, plans and keys are rows, and every change counts at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from gen_video.accounts.errors import (
    AccountExistsError,
    InvalidKeyError,
    InvalidNameError,
    UnknownAccountError,
    UnknownKeyError,
    UnknownPlanError,
)
from gen_video.accounts.models import DEFAULT_PLANS, AccountRow, Plan
from gen_video.accounts.service import AccountService
from gen_video.db.database import Database
from gen_video.errors import ServiceError
from tests.accounts.conftest import PEPPER
from tests.db.clocked import START, ClockedDatabase, on_sqlite_only

FREE, PAID = DEFAULT_PLANS
STUDIO = replace(FREE, id="studio", tier="paid", images_per_day=1_000, weight=20)
RACERS = 8


@pytest.fixture
def empty(database: Database) -> AccountService:
    """Return the service outside production, before anything was seeded."""
    return AccountService(database, pepper=PEPPER, allow_test_keys=True)


# Users


def test_a_new_user_has_a_plan_and_no_jobs(accounts: AccountService) -> None:
    row = accounts.create_account("bob", plan_id="paid")

    assert (row.name, row.plan_id, row.in_flight, row.is_disabled) == ("bob", "paid", 0, False)
    assert row.created_at == START
    assert row.id.startswith("acc_")


def test_users_are_listed_oldest_first(accounts: AccountService, database: ClockedDatabase) -> None:
    for name in ("zoe", "bob"):
        database.advance(timedelta(seconds=1))
        accounts.create_account(name, plan_id="free")

    assert [row.name for row in accounts.list_accounts()] == ["ada", "zoe", "bob"]


def test_a_name_is_given_once(accounts: AccountService) -> None:
    with pytest.raises(AccountExistsError, match="ada"):
        accounts.create_account("ada", plan_id="paid")

    assert [row.plan_id for row in accounts.list_accounts()] == ["free"]


@on_sqlite_only
@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "a" * 65])
def test_a_name_is_a_part_of_an_address(accounts: AccountService, name: str) -> None:
    with pytest.raises(InvalidNameError):
        accounts.create_account(name, plan_id="free")

    assert [row.name for row in accounts.list_accounts()] == ["ada"]


def test_a_name_with_dots_is_one(accounts: AccountService) -> None:
    assert accounts.create_account("a.b...", plan_id="free").name == "a.b..."


def test_a_name_cannot_be_another_users_id(accounts: AccountService) -> None:
    """Operators name users by either."""
    [ada] = accounts.list_accounts()

    with pytest.raises(AccountExistsError):
        accounts.create_account(ada.id, plan_id="free")


def test_operators_who_add_the_same_user_together_add_one(accounts: AccountService) -> None:
    def add(_: int) -> AccountRow | None:
        try:
            return accounts.create_account("bob", plan_id="free")
        except AccountExistsError:
            return None

    with ThreadPoolExecutor(RACERS) as threads:
        added = [row for row in threads.map(add, range(RACERS)) if row is not None]

    assert len(added) == 1
    assert sorted(row.name for row in accounts.list_accounts()) == ["ada", "bob"]


@on_sqlite_only
def test_a_user_can_be_named_by_id(accounts: AccountService) -> None:
    [ada] = accounts.list_accounts()

    moved = accounts.set_plan(ada.id, plan_id="paid")

    assert (moved.name, moved.plan_id) == ("ada", "paid")


@on_sqlite_only
@pytest.mark.parametrize(
    ("call", "error", "name"),
    [
        (lambda accounts: accounts.create_key("eve"), UnknownAccountError, "eve"),
        (lambda accounts: accounts.list_keys("eve"), UnknownAccountError, "eve"),
        (lambda accounts: accounts.set_plan("eve", plan_id="free"), UnknownAccountError, "eve"),
        (
            lambda accounts: accounts.set_disabled("eve", is_disabled=True),
            UnknownAccountError,
            "eve",
        ),
        (lambda accounts: accounts.set_plan("ada", plan_id="gold"), UnknownPlanError, "gold"),
        (lambda accounts: accounts.create_account("bob", plan_id="gold"), UnknownPlanError, "gold"),
        (lambda accounts: accounts.get_plan("gold"), UnknownPlanError, "gold"),
        (lambda accounts: accounts.revoke_key("key_none"), UnknownKeyError, "key_none"),
    ],
)
def test_what_does_not_exist_is_told_by_name_and_nothing_changes(
    accounts: AccountService,
    call: Callable[[AccountService], object],
    error: type[ServiceError],
    name: str,
) -> None:
    before = accounts.list_accounts(), accounts.list_plans(), accounts.list_keys()

    with pytest.raises(error, match=name) as caught:
        call(accounts)

    assert caught.value.status == 404
    assert (accounts.list_accounts(), accounts.list_plans(), accounts.list_keys()) == before


# Plans


def test_a_new_database_starts_with_the_default_plans(accounts: AccountService) -> None:
    assert accounts.list_plans() == list(DEFAULT_PLANS)
    assert [(plan.images_per_day, plan.videos_per_day) for plan in DEFAULT_PLANS] == [
        (10, 2),
        (100, 20),
    ]


def test_a_plan_is_a_row_that_the_operator_adds_and_edits(accounts: AccountService) -> None:
    accounts.save_plan(STUDIO)
    edited = replace(STUDIO, videos_per_day=7, max_work=2**62)

    accounts.save_plan(edited)

    assert accounts.get_plan("studio") == edited
    assert accounts.list_plans() == [FREE, PAID, edited]


@on_sqlite_only
def test_an_edited_plan_counts_for_its_users_at_the_next_look(accounts: AccountService) -> None:
    key = accounts.create_key("ada").plaintext
    assert accounts.authenticate(key).plan == FREE
    edited = replace(FREE, images_per_day=11)

    accounts.save_plan(edited)

    assert accounts.authenticate(key).plan == edited


@on_sqlite_only
def test_a_user_who_is_moved_has_the_new_plan_at_the_next_look(accounts: AccountService) -> None:
    key = accounts.create_key("ada").plaintext

    accounts.set_plan("ada", plan_id="paid")

    assert accounts.authenticate(key).plan == PAID


@pytest.mark.parametrize("figure", ["images_per_day", "videos_per_day"])
def test_a_plan_with_a_negative_quota_is_refused_by_the_database(
    accounts: AccountService, figure: str
) -> None:
    broken = Plan(**(_figures(FREE) | {figure: -1}))

    with pytest.raises(IntegrityError):
        accounts.save_plan(broken)

    assert accounts.get_plan("free") == FREE


# Keys


def test_keys_are_listed_with_their_owner_and_without_others(accounts: AccountService) -> None:
    accounts.create_account("bob", plan_id="free")
    laptop = accounts.create_key("ada", label="laptop", lifetime=timedelta(days=1)).row
    server = accounts.create_key("bob", label="server", images_per_day=5).row

    assert accounts.list_keys("ada") == [laptop]
    assert accounts.list_keys("bob") == [server]
    assert {row.id for row in accounts.list_keys()} == {laptop.id, server.id}
    assert (laptop.account_name, laptop.label) == ("ada", "laptop")
    assert (laptop.created_at, laptop.expires_at) == (START, START + timedelta(days=1))


@pytest.mark.parametrize("name", ["id", "lookup"])
def test_a_key_is_revoked_by_its_id_or_its_public_part(accounts: AccountService, name: str) -> None:
    issued = accounts.create_key("ada")

    row = accounts.revoke_key(getattr(issued.row, name))

    assert row == replace(issued.row, revoked_at=START)
    assert accounts.list_keys() == [row]


@on_sqlite_only
def test_revoking_twice_keeps_the_first_moment(
    accounts: AccountService, database: ClockedDatabase
) -> None:
    issued = accounts.create_key("ada")
    accounts.revoke_key(issued.row.id)
    database.advance(timedelta(hours=1))

    assert accounts.revoke_key(issued.row.id).revoked_at == START


# The seed


def test_seeding_again_adds_nothing(empty: AccountService) -> None:
    empty.seed()
    before = empty.list_accounts(), empty.list_plans(), empty.list_keys()

    empty.seed()

    assert (empty.list_accounts(), empty.list_plans(), empty.list_keys()) == before
    assert {row.name for row in before[0]} == {"test_user", "demo_user"}


def test_seeding_keeps_what_the_operator_changed(empty: AccountService) -> None:
    """Every start seeds; it must not bring back a revoked key or an old figure."""
    empty.seed()
    edited = replace(FREE, images_per_day=3)
    empty.save_plan(edited)
    empty.set_plan("test_user", plan_id="paid")
    empty.revoke_key("demo-key-456")

    empty.seed()

    assert empty.get_plan("free") == edited
    assert empty.authenticate("test-key-123").plan == PAID
    with pytest.raises(InvalidKeyError):
        empty.authenticate("demo-key-456")


@on_sqlite_only
def test_production_is_seeded_with_plans_and_nothing_else(database: Database) -> None:
    production = AccountService(database, pepper=PEPPER, allow_test_keys=False)

    production.seed()

    assert production.list_plans() == list(DEFAULT_PLANS)
    assert (production.list_accounts(), production.list_keys()) == ([], [])


def test_processes_that_start_together_seed_once(empty: AccountService) -> None:
    with ThreadPoolExecutor(RACERS) as threads:
        list(threads.map(lambda _: empty.seed(), range(RACERS)))

    assert empty.list_plans() == list(DEFAULT_PLANS)
    assert len(empty.list_accounts()) == len(empty.list_keys()) == 2


def _figures(plan: Plan) -> dict[str, Any]:
    return {field.name: getattr(plan, field.name) for field in fields(plan)}
