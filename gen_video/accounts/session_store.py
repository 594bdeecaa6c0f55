"""SQL of sessions and sign-ins. Every function takes the connection first and never commits."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from gen_video.accounts.models import Caller, Role, SessionRow, SignedIn
from gen_video.accounts.store import CONSOLE_PREFIX, PLAN_COLUMNS, read_plan
from gen_video.accounts.tables import accounts, api_keys, plans, sessions, sign_in_failures

AnyRow = Row[*tuple[Any, ...]]


def find_password(connection: Connection, email: str) -> tuple[str, str] | None:
    """Return account and password hash of an e-mail address; None for unknown or disabled."""
    row = connection.execute(
        select(accounts.c.id, accounts.c.password_hash).where(
            accounts.c.email == email,
            accounts.c.password_hash.is_not(None),
            accounts.c.is_disabled.is_(False),
        )
    ).one_or_none()
    return None if row is None else (row.id, row.password_hash)


def find_password_of(connection: Connection, account_id: str) -> str | None:
    """Return the password hash of an account."""
    found: str | None = connection.execute(
        select(accounts.c.password_hash).where(accounts.c.id == account_id)
    ).scalar_one()
    return found


def set_password(connection: Connection, *, account_id: str, password_hash: str) -> None:
    """Replace an account's password."""
    connection.execute(
        update(accounts).where(accounts.c.id == account_id).values(password_hash=password_hash)
    )


def ensure_console_key(
    connection: Connection, *, account_id: str, key_id: str, now: datetime
) -> None:
    """Make sure that there is a key for what an account's browsers do; it opens no door."""
    values = {
        "id": key_id,
        "account_id": account_id,
        "lookup": CONSOLE_PREFIX + account_id,
        "secret_hash": "",
        "hint": "",
        "label": "console",
        "created_at": now,
    }
    upsert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    connection.execute(upsert(api_keys).values(values).on_conflict_do_nothing())


def insert_session(connection: Connection, session: SessionRow) -> None:
    """Add a session."""
    values = {name: getattr(session, name) for name in SessionRow.__dataclass_fields__}
    connection.execute(insert(sessions).values(values))


def find_signed_in(connection: Connection, session_id: str) -> SignedIn | None:
    """Return who a session stands for; None for unknown or disabled."""
    statement = (
        select(
            sessions,
            accounts.c.name.label("account_name"),
            accounts.c.email,
            accounts.c.role,
            accounts.c.password_hash.is_not(None).label("has_password"),
            api_keys.c.id.label("key_id"),
            *PLAN_COLUMNS,
        )
        .join(accounts, accounts.c.id == sessions.c.account_id)
        .join(plans, plans.c.id == accounts.c.plan_id)
        .join(api_keys, api_keys.c.lookup == CONSOLE_PREFIX + accounts.c.id)
        .where(sessions.c.id == session_id, accounts.c.is_disabled.is_(False))
    )
    row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    return SignedIn(
        caller=Caller(
            account_id=row.account_id,
            account_name=row.account_name,
            key_id=row.key_id,
            plan=read_plan(row),
        ),
        session=_session(row),
        role=Role(row.role),
        email=row.email,
        has_password=bool(row.has_password),
    )


def list_sessions(connection: Connection, *, account_id: str) -> list[SessionRow]:
    """Return an account's sessions, the last used first."""
    rows = connection.execute(
        select(sessions)
        .where(sessions.c.account_id == account_id)
        .order_by(sessions.c.seen_at.desc(), sessions.c.id)
    )
    return [_session(row) for row in rows]


def touch_session(connection: Connection, *, session_id: str, now: datetime) -> None:
    """Note that a session was used."""
    connection.execute(update(sessions).where(sessions.c.id == session_id).values(seen_at=now))


def delete_session(connection: Connection, *, session_id: str, account_id: str) -> bool:
    """End one session of an account; False when it has none of that id."""
    statement = delete(sessions).where(
        sessions.c.id == session_id, sessions.c.account_id == account_id
    )
    return connection.execute(statement).rowcount == 1


def delete_token(connection: Connection, *, session_id: str) -> None:
    """End the session of a browser, whoever it is."""
    connection.execute(delete(sessions).where(sessions.c.id == session_id))


def delete_others(connection: Connection, *, account_id: str, keep: str | None) -> int:
    """End an account's sessions except one; return how many ended."""
    statement = delete(sessions).where(sessions.c.account_id == account_id)
    if keep is not None:
        statement = statement.where(sessions.c.id != keep)
    return connection.execute(statement).rowcount


def delete_ended(
    connection: Connection, *, now: datetime, unused_since: datetime, forget: datetime
) -> None:
    """Forget sessions that are over, and failures before a moment."""
    is_over = (sessions.c.expires_at <= now) | (sessions.c.seen_at <= unused_since)
    connection.execute(delete(sessions).where(is_over))
    connection.execute(delete(sign_in_failures).where(sign_in_failures.c.failed_at < forget))


def lock_failures(
    connection: Connection, *, bucket: str, now: datetime
) -> tuple[int, datetime, datetime | None]:
    """Return failures, their last moment and the end of the block, and keep others off them."""
    upsert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    connection.execute(
        upsert(sign_in_failures)
        .values(bucket=bucket, failures=0, failed_at=now)
        .on_conflict_do_nothing()
    )
    row = connection.execute(
        select(sign_in_failures).where(sign_in_failures.c.bucket == bucket).with_for_update()
    ).one()
    return row.failures, row.failed_at, row.blocked_until


def set_failures(
    connection: Connection,
    *,
    bucket: str,
    failures: int,
    now: datetime,
    blocked_until: datetime | None,
) -> None:
    """Write down how often an attempt failed."""
    connection.execute(
        update(sign_in_failures)
        .where(sign_in_failures.c.bucket == bucket)
        .values(failures=failures, failed_at=now, blocked_until=blocked_until)
    )


def clear_failures(connection: Connection, *, bucket: str) -> None:
    """Forget the failures of who got in."""
    connection.execute(delete(sign_in_failures).where(sign_in_failures.c.bucket == bucket))


def _session(row: AnyRow) -> SessionRow:
    mapping = row._asdict()
    return SessionRow(**{name: mapping[name] for name in SessionRow.__dataclass_fields__})
