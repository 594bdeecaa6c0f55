"""The roster: users as operators page through them, and the keys that people keep themselves."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from gen_video.accounts import store
from gen_video.accounts.errors import (
    PlanExistsError,
    TooManyKeysError,
    UnknownAccountError,
    UnknownKeyError,
)
from gen_video.accounts.models import AccountRow, Caller, IssuedKey, KeyRow, Plan, Role
from gen_video.accounts.service import AccountService
from gen_video.accounts.tables import accounts, api_keys
from gen_video.audit_log.models import Actor
from gen_video.db.database import Database

MAX_PAGE = 100
MAX_KEYS = 50
"""Keys of one account that work at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPage:
    """One page of users, by name."""

    accounts: tuple[AccountRow, ...]
    last_used: dict[str, datetime]
    has_more: bool


class Roster:
    """Users for operators, and an account's own keys."""

    def __init__(self, database: Database, service: AccountService) -> None:
        self._database = database
        self._service = service

    def list_accounts(
        self, *, limit: int = 50, after: str | None = None, search: str = ""
    ) -> AccountPage:
        """Return a page of users by name, from behind the name `after`.

        Args:
            limit: Users of a page.
            after: The last name of the page before.
            search: A part of the name or of the e-mail address.
        """
        size = min(limit, MAX_PAGE)

        def work(connection: Connection) -> AccountPage:
            rows = _list_accounts(connection, limit=size + 1, after=after, search=search.strip())
            page = tuple(rows[:size])
            return AccountPage(
                accounts=page,
                last_used=_last_used(connection, [row.id for row in page]),
                has_more=len(rows) > size,
            )

        return self._database.read(work)

    def get_account(self, name: str) -> tuple[AccountRow, list[KeyRow]]:
        """Return a user with all keys.

        Raises:
            UnknownAccountError: No such user.
        """
        account = self._database.read(lambda connection: store.find_account(connection, name))
        if account is None:
            raise UnknownAccountError(name=name[:80])
        return account, self._service.list_keys(account.id)

    def count_by_plan(self) -> dict[str, int]:
        """Return how many users each plan has."""
        statement = select(accounts.c.plan_id, func.count()).group_by(accounts.c.plan_id)
        rows = self._database.read(lambda connection: connection.execute(statement).all())
        return {row[0]: row[1] for row in rows}

    def add_plan(self, plan: Plan, *, by: Actor) -> None:
        """Add a plan.

        Raises:
            PlanExistsError: There is one of this id.
        """
        if plan.id in {known.id for known in self._service.list_plans()}:
            raise PlanExistsError(plan=plan.id)
        self._service.save_plan(plan, by=by)

    def list_own_keys(self, caller: Caller) -> list[KeyRow]:
        """Return the keys of an account, the newest first."""
        return self._service.list_keys(caller.account_id)[::-1]

    def create_own_key(
        self,
        caller: Caller,
        *,
        label: str,
        lifetime: timedelta | None,
        images_per_day: int | None,
        videos_per_day: int | None,
        by: Actor,
    ) -> IssuedKey:
        """Make a key for oneself; the plaintext is in the result and nowhere else.

        Raises:
            TooManyKeysError: The account has enough of them.
        """
        working = [row for row in self.list_own_keys(caller) if row.revoked_at is None]
        if len(working) >= MAX_KEYS:
            raise TooManyKeysError(limit=MAX_KEYS)
        return self._service.create_key(
            caller.account_id,
            label=label,
            lifetime=lifetime,
            images_per_day=images_per_day,
            videos_per_day=videos_per_day,
            by=by,
        )

    def revoke_own_key(self, caller: Caller, key_id: str, *, by: Actor) -> KeyRow:
        """End one's own key.

        Raises:
            UnknownKeyError: Missing or foreign.
        """
        if key_id not in {row.id for row in self.list_own_keys(caller)}:
            raise UnknownKeyError(key=key_id[:60])
        return self._service.revoke_key(key_id, by=by)


def _list_accounts(
    connection: Connection, *, limit: int, after: str | None, search: str
) -> list[AccountRow]:
    columns = (accounts.c[name] for name in AccountRow.__dataclass_fields__)
    statement = select(*columns).order_by(accounts.c.name).limit(limit)
    if after is not None:
        statement = statement.where(accounts.c.name > after)
    if search:
        statement = statement.where(
            accounts.c.name.icontains(search, autoescape=True)
            | accounts.c.email.icontains(search, autoescape=True)
        )
    rows = (row._asdict() for row in connection.execute(statement))
    return [AccountRow(**row | {"role": Role(row["role"])}) for row in rows]


def _last_used(connection: Connection, account_ids: list[str]) -> dict[str, datetime]:
    statement = (
        select(api_keys.c.account_id, func.max(api_keys.c.last_used_at))
        .where(api_keys.c.account_id.in_(account_ids), api_keys.c.last_used_at.is_not(None))
        .group_by(api_keys.c.account_id)
    )
    return {row[0]: row[1] for row in connection.execute(statement)}
