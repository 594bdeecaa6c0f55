"""SQL of the accounts slice. Every function takes the connection first and never commits."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select, text, update

from gen_video.accounts.models import AccountRow, Caller, KeyRow, Plan, Role
from gen_video.accounts.tables import accounts, api_keys, plans

AnyRow = Row[*tuple[Any, ...]]

_PLAN_NAMES = tuple(Plan.__dataclass_fields__)
PLAN_COLUMNS = tuple(plans.c[name].label(f"plan_{name}") for name in _PLAN_NAMES)
_PRIVATE = frozenset({"last_window", "password_hash"})

CONSOLE_PREFIX = "console:"
"""Begins the public part of the key that stands for an account's browsers; no key matches it."""


def wait_for_operators(connection: Connection) -> None:
    """Let one transaction at a time look for users and plans and then add them.

    SQLite has one writer anyway. On PostgreSQL readers and jobs do not notice the lock.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"LOCK TABLE {plans.name} IN SHARE ROW EXCLUSIVE MODE"))


def insert_plan(connection: Connection, plan: Plan) -> None:
    """Add a plan."""
    connection.execute(insert(plans).values({name: getattr(plan, name) for name in _PLAN_NAMES}))


def update_plan(connection: Connection, plan: Plan) -> bool:
    """Replace a plan's figures; False when it does not exist."""
    values = {name: getattr(plan, name) for name in _PLAN_NAMES if name != "id"}
    return (
        connection.execute(update(plans).where(plans.c.id == plan.id).values(values)).rowcount == 1
    )


def list_plans(connection: Connection) -> list[Plan]:
    """Return every plan, cheapest first."""
    rows = connection.execute(select(*PLAN_COLUMNS).order_by(plans.c.images_per_day, plans.c.id))
    return [read_plan(row) for row in rows]


def find_plan(connection: Connection, plan_id: str) -> Plan | None:
    """Return a plan by id."""
    row = connection.execute(select(*PLAN_COLUMNS).where(plans.c.id == plan_id)).one_or_none()
    return None if row is None else read_plan(row)


def insert_account(
    connection: Connection,
    *,
    account_id: str,
    name: str,
    plan_id: str,
    now: datetime,
    role: Role = Role.MEMBER,
) -> None:
    """Add an account."""
    connection.execute(
        insert(accounts).values(
            id=account_id, name=name, plan_id=plan_id, created_at=now, role=role.value
        )
    )


def find_account(connection: Connection, name_or_id: str) -> AccountRow | None:
    """Return an account by its name or its id."""
    matches = (accounts.c.name == name_or_id) | (accounts.c.id == name_or_id)
    row = connection.execute(_account_select().where(matches)).one_or_none()
    return None if row is None else _account(row)


def list_accounts(connection: Connection) -> list[AccountRow]:
    """Return every account, oldest first."""
    rows = connection.execute(_account_select().order_by(accounts.c.created_at, accounts.c.id))
    return [_account(row) for row in rows]


def set_plan(connection: Connection, *, account_id: str, plan_id: str) -> None:
    """Move an account to another plan."""
    connection.execute(update(accounts).where(accounts.c.id == account_id).values(plan_id=plan_id))


def set_disabled(connection: Connection, *, account_id: str, is_disabled: bool) -> None:
    """Close or open an account for its keys."""
    connection.execute(
        update(accounts).where(accounts.c.id == account_id).values(is_disabled=is_disabled)
    )


def find_email(connection: Connection, email: str) -> AccountRow | None:
    """Return the account of an e-mail address."""
    row = connection.execute(_account_select().where(accounts.c.email == email)).one_or_none()
    return None if row is None else _account(row)


def set_email(connection: Connection, *, account_id: str, email: str | None) -> None:
    """Set what an account signs in with."""
    connection.execute(update(accounts).where(accounts.c.id == account_id).values(email=email))


def set_role(connection: Connection, *, account_id: str, role: Role) -> None:
    """Set what an account may do."""
    connection.execute(update(accounts).where(accounts.c.id == account_id).values(role=role.value))


def take_slot(connection: Connection, *, account_id: str, limit: int) -> bool:
    """Count one more unfinished job, unless the account has `limit` already.

    The updated row stays locked until the transaction ends, so admissions of one account follow
    one another.
    """
    statement = (
        update(accounts)
        .where(accounts.c.id == account_id, accounts.c.in_flight < limit)
        .values(in_flight=accounts.c.in_flight + 1)
    )
    return connection.execute(statement).rowcount == 1


def lock_account(connection: Connection, *, account_id: str) -> None:
    """Lock an account's row until the transaction ends; SQLite has one writer anyway."""
    connection.execute(select(accounts.c.id).where(accounts.c.id == account_id).with_for_update())


def get_plan_of(connection: Connection, *, account_id: str) -> Plan:
    """Return the plan of an account."""
    statement = (
        select(*PLAN_COLUMNS)
        .join(accounts, accounts.c.plan_id == plans.c.id)
        .where(accounts.c.id == account_id)
    )
    return read_plan(connection.execute(statement).one())


def free_slot(connection: Connection, *, account_id: str) -> None:
    """Count one unfinished job less."""
    connection.execute(
        update(accounts)
        .where(accounts.c.id == account_id)
        .values(in_flight=accounts.c.in_flight - 1)
    )


def advance_window(connection: Connection, *, account_id: str, window_date: str) -> str:
    """Move the account's business day forward, never back; return the day that now counts."""
    connection.execute(
        update(accounts)
        .where(accounts.c.id == account_id, accounts.c.last_window < window_date)
        .values(last_window=window_date)
    )
    found: str = connection.execute(
        select(accounts.c.last_window).where(accounts.c.id == account_id)
    ).scalar_one()
    return found


def find_last_window(connection: Connection, account_id: str) -> str:
    """Return the last business day that the account used, empty for never."""
    found: str = connection.execute(
        select(accounts.c.last_window).where(accounts.c.id == account_id)
    ).scalar_one()
    return found


def list_in_flight(connection: Connection) -> dict[str, int]:
    """Return the counted unfinished jobs of every account."""
    return {
        row.id: row.in_flight
        for row in connection.execute(select(accounts.c.id, accounts.c.in_flight))
    }


def insert_key(connection: Connection, *, values: KeyRow, secret_hash: str) -> None:
    """Add an API key."""
    names = {column.name for column in api_keys.c} - {"secret_hash"}
    row = {name: getattr(values, name) for name in names}
    connection.execute(insert(api_keys).values(row | {"secret_hash": secret_hash}))


def find_key_by_lookup(connection: Connection, lookup: str) -> tuple[Caller, str, KeyRow] | None:
    """Return the caller, the stored hash and the row of a key; None for unknown or disabled."""
    statement = (
        select(api_keys, accounts.c.name.label("account_name"), *PLAN_COLUMNS)
        .join(accounts, accounts.c.id == api_keys.c.account_id)
        .join(plans, plans.c.id == accounts.c.plan_id)
        .where(api_keys.c.lookup == lookup, accounts.c.is_disabled.is_(False))
    )
    row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    return _caller(row), row.secret_hash, _key(row)


def get_caller(connection: Connection, *, account_id: str, key_id: str) -> Caller:
    """Return the caller that a key of an account stands for, whatever the key's condition."""
    statement = (
        select(api_keys, accounts.c.name.label("account_name"), *PLAN_COLUMNS)
        .join(accounts, accounts.c.id == api_keys.c.account_id)
        .join(plans, plans.c.id == accounts.c.plan_id)
        .where(api_keys.c.id == key_id, accounts.c.id == account_id)
    )
    return _caller(connection.execute(statement).one())


def list_keys(connection: Connection, *, account_id: str | None = None) -> list[KeyRow]:
    """Return the keys of one account, or of all, oldest first."""
    statement = _key_select().order_by(api_keys.c.created_at, api_keys.c.id)
    if account_id is not None:
        statement = statement.where(api_keys.c.account_id == account_id)
    return [_key(row) for row in connection.execute(statement)]


def find_key(connection: Connection, key_or_lookup: str) -> KeyRow | None:
    """Return a key by its id or its public part."""
    matches = (api_keys.c.id == key_or_lookup) | (api_keys.c.lookup == key_or_lookup)
    row = connection.execute(_key_select().where(matches)).one_or_none()
    return None if row is None else _key(row)


def revoke_key(connection: Connection, *, key_id: str, now: datetime) -> None:
    """End a key; a second time changes nothing."""
    connection.execute(
        update(api_keys)
        .where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )


def touch_keys(
    connection: Connection, *, key_ids: Sequence[str], now: datetime, at_most_every: timedelta
) -> None:
    """Note when keys were used last, not more often than asked."""
    due = api_keys.c.last_used_at.is_(None) | (api_keys.c.last_used_at < now - at_most_every)
    connection.execute(
        update(api_keys).where(api_keys.c.id.in_(key_ids), due).values(last_used_at=now)
    )


def _account_select() -> Select[tuple[object, ...]]:
    return select(*(column for column in accounts.c if column.name not in _PRIVATE))


def _key_select() -> Select[tuple[object, ...]]:
    columns = (column for column in api_keys.c if column.name != "secret_hash")
    return (
        select(*columns, accounts.c.name.label("account_name"))
        .join(accounts, accounts.c.id == api_keys.c.account_id)
        .where(~api_keys.c.lookup.startswith(CONSOLE_PREFIX))
    )


def _account(row: AnyRow) -> AccountRow:
    mapping = row._asdict()
    return AccountRow(**mapping | {"role": Role(mapping["role"])})


def _key(row: AnyRow) -> KeyRow:
    mapping = row._asdict()
    return KeyRow(**{name: mapping[name] for name in KeyRow.__dataclass_fields__})


def _caller(row: AnyRow) -> Caller:
    key = _key(row)
    return Caller(
        account_id=key.account_id,
        account_name=key.account_name,
        key_id=key.id,
        plan=read_plan(row),
        key_images_per_day=key.images_per_day,
        key_videos_per_day=key.videos_per_day,
    )


def read_plan(row: AnyRow) -> Plan:
    """Return the plan in a row that has `PLAN_COLUMNS`."""
    mapping = row._asdict()
    return Plan(**{name: mapping[f"plan_{name}"] for name in Plan.__dataclass_fields__})
