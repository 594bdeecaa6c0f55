"""The audit log: every deed once, in the deed's own transaction, never unwritten."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gen_video.accounts.errors import UnknownPlanError
from gen_video.accounts.models import DEFAULT_PLANS
from gen_video.accounts.service import AccountService
from gen_video.audit_log.models import Action, Actor, ActorKind, Entry, EntryNotFoundError
from gen_video.audit_log.service import AuditLog
from tests.db.clocked import ClockedDatabase
from tests.generation.conftest import OpenDatabase

GRACE = Actor(kind=ActorKind.CONSOLE, name="grace", account_id="acc_1")


@pytest.fixture
def database(open_database: OpenDatabase) -> ClockedDatabase:
    return open_database()


@pytest.fixture
def accounts(database: ClockedDatabase) -> AccountService:
    accounts = AccountService(database, pepper=b"pepper", allow_test_keys=False)
    accounts.seed()
    return accounts


def entries(database: ClockedDatabase) -> tuple[Entry, ...]:
    """Return the log, oldest first."""
    return AuditLog(database).list_entries(limit=100).entries[::-1]


def test_every_deed_of_an_operator_is_one_line(
    database: ClockedDatabase, accounts: AccountService
) -> None:
    larger = DEFAULT_PLANS[0].__class__(
        **{name: getattr(DEFAULT_PLANS[0], name) for name in DEFAULT_PLANS[0].__slots__}
        | {"images_per_day": 25}
    )

    accounts.create_account("ada", plan_id="free", by=GRACE)
    database.advance(timedelta(seconds=1))
    accounts.set_plan("ada", plan_id="paid", by=GRACE)
    database.advance(timedelta(seconds=1))
    issued = accounts.create_key("ada", label="laptop", by=GRACE)
    database.advance(timedelta(seconds=1))
    accounts.revoke_key(issued.row.id, by=GRACE)
    database.advance(timedelta(seconds=1))
    accounts.revoke_key(issued.row.id, by=GRACE)
    accounts.set_disabled("ada", is_disabled=True, by=GRACE)
    database.advance(timedelta(seconds=1))
    accounts.save_plan(larger, by=GRACE)

    assert [(e.action, e.subject, dict(e.facts)) for e in entries(database)] == [
        (Action.USER_CREATED, "ada", {"plan": "free"}),
        (Action.USER_PLAN_CHANGED, "ada", {"from": "free", "to": "paid"}),
        (Action.KEY_CREATED, issued.row.id, {"user": "ada", "label": "laptop"}),
        (Action.KEY_REVOKED, issued.row.id, {"user": "ada", "label": "laptop"}),
        (Action.USER_DISABLED, "ada", {}),
        (Action.PLAN_SAVED, "free", {"images_per_day": "10 → 25"}),
    ]
    assert {e.actor for e in entries(database)} == {GRACE}
    assert issued.plaintext not in str(entries(database))


def test_a_deed_that_fails_leaves_no_line(
    database: ClockedDatabase, accounts: AccountService
) -> None:
    with pytest.raises(UnknownPlanError):
        accounts.create_account("ada", plan_id="none", by=GRACE)

    assert entries(database) == ()


def test_a_line_cannot_be_changed_or_removed(
    database: ClockedDatabase, accounts: AccountService
) -> None:
    accounts.create_account("ada", plan_id="free", by=GRACE)

    for statement in ("UPDATE audit_log SET subject = 'eve'", "DELETE FROM audit_log"):
        with pytest.raises(DBAPIError, match="append-only"):
            database.write(lambda connection, s=statement: connection.execute(text(s)))  # type: ignore[misc] # bound now

    assert [entry.subject for entry in entries(database)] == ["ada"]


def test_pages_follow_one_another_without_gap_or_repetition(
    database: ClockedDatabase, accounts: AccountService
) -> None:
    """All at the same moment: the id decides between them."""
    log = AuditLog(database)
    for number in range(7):
        accounts.create_account(f"user-{number}", plan_id="free", by=GRACE)

    seen: list[str] = []
    after = None
    while True:
        page = log.list_entries(limit=3, after=after)
        seen += [entry.subject for entry in page.entries]
        if not page.has_more:
            break
        after = page.entries[-1].id

    assert sorted(seen) == [f"user-{number}" for number in range(7)]


def test_one_kind_of_deed_can_be_looked_for(
    database: ClockedDatabase, accounts: AccountService
) -> None:
    accounts.create_account("ada", plan_id="free", by=GRACE)
    accounts.create_key("ada", by=GRACE)

    page = AuditLog(database).list_entries(action=Action.KEY_CREATED)

    assert [entry.action for entry in page.entries] == [Action.KEY_CREATED]


@pytest.mark.parametrize("cursor", ["", "aud_0000000000000000000000", "x" * 300])
def test_an_unknown_cursor_is_refused(database: ClockedDatabase, cursor: str) -> None:
    with pytest.raises(EntryNotFoundError):
        AuditLog(database).list_entries(after=cursor)
