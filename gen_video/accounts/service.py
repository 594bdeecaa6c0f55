"""Use cases of accounts: who may call, and what an operator does with users, plans and keys."""

import re
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import Connection

from gen_video.accounts import keys, store
from gen_video.accounts.errors import (
    AccountExistsError,
    InvalidKeyError,
    InvalidNameError,
    TooManyJobsError,
    UnknownAccountError,
    UnknownKeyError,
    UnknownPlanError,
)
from gen_video.accounts.models import DEFAULT_PLANS, AccountRow, Caller, IssuedKey, KeyRow, Plan
from gen_video.audit_log.models import PROGRAM, Action, Actor
from gen_video.audit_log.service import AuditLog
from gen_video.db.database import Database, DatabaseUnavailableError
from gen_video.ids import new_id

KEY_CACHE_SECONDS = 0.5
KEY_CACHE_SIZE = 10_000
TOUCH_EVERY = timedelta(seconds=60)
_NAME = re.compile(r"(?!\.{1,2}\Z)[\w.@+-]{1,64}")
"""Not `.` or `..`: a name is a part of addresses, and browsers would take it for a folder."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Remembered:
    caller: Caller
    asked_at: float


class AccountService:
    """Users, plans and API keys.

    Args:
        database: Where they live.
        pepper: Secret of the keyed hash; another pepper makes every stored key unknown.
        allow_test_keys: Accept the seed's two test keys; False in production.
    """

    def __init__(self, database: Database, *, pepper: bytes, allow_test_keys: bool) -> None:
        self._database = database
        self._audit = AuditLog(database)
        self._pepper = pepper
        self._allow_test_keys = allow_test_keys
        self._cache: OrderedDict[str, _Remembered] = OrderedDict()
        self._touched: dict[str, float] = {}
        self._guard = threading.Lock()

    def find_cached(self, key: str) -> Caller | None:
        """Return a caller that was authenticated within the last half second, without any I/O.

        A revoked key stops working in every process within a second, because nothing is
        remembered for longer.
        """
        remembered = self._cache.get(keys.hash_key(key, pepper=self._pepper))
        if remembered is None or time.monotonic() - remembered.asked_at > KEY_CACHE_SECONDS:
            return None
        return remembered.caller

    def authenticate(self, key: str) -> Caller:
        """Return who calls with this key.

        Raises:
            InvalidKeyError: For every reason alike; a malformed key costs no database work.
        """
        lookup = keys.find_lookup(key, allow_test_keys=self._allow_test_keys)
        if lookup is None:
            raise InvalidKeyError
        given_hash = keys.hash_key(key, pepper=self._pepper)
        asked_at = time.monotonic()
        caller, is_due = self._database.read(
            lambda connection: self._check_key(connection, lookup=lookup, given_hash=given_hash)
        )
        self._remember(given_hash, _Remembered(caller, asked_at))
        if is_due:
            self._touch(caller.key_id)
        return caller

    def _check_key(
        self, connection: Connection, *, lookup: str, given_hash: str
    ) -> tuple[Caller, bool]:
        found = store.find_key_by_lookup(connection, lookup)
        stored_hash = "" if found is None else found[1]
        # Compare even when there is no row, so that both answers take the same time.
        is_right = keys.is_same_hash(given_hash, stored_hash or "0" * 64)
        if found is None or not is_right:
            raise InvalidKeyError
        caller, _, row = found
        now = self._database.now(connection)
        if row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now):
            raise InvalidKeyError
        is_due = row.last_used_at is None or now - row.last_used_at > TOUCH_EVERY
        return caller, is_due

    def _remember(self, given_hash: str, remembered: _Remembered) -> None:
        with self._guard:
            self._cache[given_hash] = remembered
            self._cache.move_to_end(given_hash)
            while len(self._cache) > KEY_CACHE_SIZE:
                self._cache.popitem(last=False)

    def _touch(self, key_id: str) -> None:
        with self._guard:
            now = time.monotonic()
            if now - self._touched.get(key_id, -1e9) < TOUCH_EVERY.total_seconds():
                return
            self._touched[key_id] = now

        def work(connection: Connection) -> None:
            moment = self._database.now(connection)
            store.touch_keys(connection, key_ids=[key_id], now=moment, at_most_every=TOUCH_EVERY)

        try:
            self._database.write(work)
        except DatabaseUnavailableError:
            # A full disk must not keep a caller from what is already made.
            log.warning("last_use_not_noted", key_id=key_id, exc_info=True)

    # Steps of other slices' transactions.

    def take_slot(self, connection: Connection, caller: Caller) -> None:
        """Count one more unfinished job of the caller, in the caller's transaction.

        Raises:
            TooManyJobsError: The plan's limit is reached.
        """
        limit = caller.plan.max_in_flight
        if not store.take_slot(connection, account_id=caller.account_id, limit=limit):
            raise TooManyJobsError(limit)

    def lock(self, connection: Connection, account_id: str) -> None:
        """Wait for, and keep off, whoever else changes what the account has under way."""
        store.lock_account(connection, account_id=account_id)

    def get_plan_of(self, connection: Connection, account_id: str) -> Plan:
        """Return the plan that an account has now."""
        return store.get_plan_of(connection, account_id=account_id)

    def free_slot(self, connection: Connection, account_id: str) -> None:
        """Count one unfinished job less, in the caller's transaction."""
        store.free_slot(connection, account_id=account_id)

    def advance_window(self, connection: Connection, *, account_id: str, window_date: str) -> str:
        """Return the business day that counts: today, or a later one if the clock went back."""
        return store.advance_window(connection, account_id=account_id, window_date=window_date)

    def current_window(self, connection: Connection, *, account_id: str, window_date: str) -> str:
        """Return the business day that counts, without moving it."""
        return max(window_date, store.find_last_window(connection, account_id))

    def get_caller(self, connection: Connection, *, account_id: str, key_id: str) -> Caller:
        """Return the caller that a key stands for, whether or not the key is still valid."""
        return store.get_caller(connection, account_id=account_id, key_id=key_id)

    def list_in_flight(self, connection: Connection) -> dict[str, int]:
        """Return the counted unfinished jobs of every account."""
        return store.list_in_flight(connection)

    # What an operator does.

    def seed(self) -> None:
        """Make sure the default plans exist, and outside production the seed's users and keys."""
        self._database.write(self._seed)

    def _seed(self, connection: Connection) -> None:
        store.wait_for_operators(connection)
        known = {plan.id for plan in store.list_plans(connection)}
        for plan in DEFAULT_PLANS:
            if plan.id not in known:
                store.insert_plan(connection, plan)
        if not self._allow_test_keys:
            return
        plan_of = {"test_user": "free", "demo_user": "paid"}
        for key, name in keys.TEST_KEYS.items():
            account = store.find_account(connection, name)
            if account is None:
                account = self._insert_account(connection, name=name, plan_id=plan_of[name])
            if store.find_key(connection, key) is None:
                row = self._key_row(
                    connection, account, lookup=key, hint=key[-4:], label="test key"
                )
                store.insert_key(
                    connection, values=row, secret_hash=keys.hash_key(key, pepper=self._pepper)
                )

    def create_account(self, name: str, *, plan_id: str, by: Actor = PROGRAM) -> AccountRow:
        """Add a user.

        Raises:
            AccountExistsError: The name is taken.
            InvalidNameError: It has other characters than letters, digits and some marks.
            UnknownPlanError: No such plan.
        """

        def work(connection: Connection) -> AccountRow:
            return self.add_account(connection, name, plan_id=plan_id, by=by)

        return self._database.write(work)

    def add_account(
        self, connection: Connection, name: str, *, plan_id: str, by: Actor
    ) -> AccountRow:
        """Add a user, in the caller's transaction; raises like `create_account`."""
        if not _NAME.fullmatch(name):
            raise InvalidNameError(name=name[:80])
        store.wait_for_operators(connection)
        if store.find_account(connection, name) is not None:
            raise AccountExistsError(name=name)
        self._require_plan(connection, plan_id)
        action = Action.USER_CREATED
        self._audit.note(connection, action, by=by, subject=name, plan=plan_id)
        return self._insert_account(connection, name=name, plan_id=plan_id)

    def list_accounts(self) -> list[AccountRow]:
        """Return every user, oldest first."""
        return self._database.read(store.list_accounts)

    def set_plan(self, name: str, *, plan_id: str, by: Actor = PROGRAM) -> AccountRow:
        """Move a user to another plan: an upgrade counts at once, a downgrade from tomorrow."""

        def work(connection: Connection) -> AccountRow:
            account = self._require_account(connection, name)
            self._require_plan(connection, plan_id)
            store.set_plan(connection, account_id=account.id, plan_id=plan_id)
            facts = {"from": account.plan_id, "to": plan_id}
            action = Action.USER_PLAN_CHANGED
            self._audit.note(connection, action, by=by, subject=account.name, **facts)
            return self._require_account(connection, name)

        return self._database.write(work)

    def set_disabled(self, name: str, *, is_disabled: bool, by: Actor = PROGRAM) -> AccountRow:
        """Close or open a user's access."""

        def work(connection: Connection) -> AccountRow:
            account = self._require_account(connection, name)
            store.set_disabled(connection, account_id=account.id, is_disabled=is_disabled)
            action = Action.USER_DISABLED if is_disabled else Action.USER_ENABLED
            self._audit.note(connection, action, by=by, subject=account.name)
            return self._require_account(connection, name)

        return self._database.write(work)

    def list_plans(self) -> list[Plan]:
        """Return every plan."""
        return self._database.read(store.list_plans)

    def save_plan(self, plan: Plan, *, by: Actor = PROGRAM) -> None:
        """Add a plan or replace its figures."""

        def work(connection: Connection) -> None:
            store.wait_for_operators(connection)
            facts = plan.changes_from(store.find_plan(connection, plan.id))
            if not store.update_plan(connection, plan):
                store.insert_plan(connection, plan)
            self._audit.note(connection, Action.PLAN_SAVED, by=by, subject=plan.id, **facts)

        self._database.write(work)

    def get_plan(self, plan_id: str) -> Plan:
        """Return a plan.

        Raises:
            UnknownPlanError: No such plan.
        """
        return self._database.read(lambda connection: self._require_plan(connection, plan_id))

    def create_key(
        self,
        account_name: str,
        *,
        label: str = "",
        lifetime: timedelta | None = None,
        images_per_day: int | None = None,
        videos_per_day: int | None = None,
        by: Actor = PROGRAM,
    ) -> IssuedKey:
        """Make a key for a user; the plaintext is in the result and nowhere else."""
        made = keys.make_key()

        def work(connection: Connection) -> KeyRow:
            account = self._require_account(connection, account_name)
            row = self._key_row(
                connection,
                account,
                lookup=made.lookup,
                hint=made.hint,
                label=label,
                lifetime=lifetime,
                images_per_day=images_per_day,
                videos_per_day=videos_per_day,
            )
            secret_hash = keys.hash_key(made.plaintext, pepper=self._pepper)
            store.insert_key(connection, values=row, secret_hash=secret_hash)
            facts = {"user": account.name, "label": label}
            self._audit.note(connection, Action.KEY_CREATED, by=by, subject=row.id, **facts)
            return row

        return IssuedKey(plaintext=made.plaintext, row=self._database.write(work))

    def list_keys(self, account_name: str | None = None) -> list[KeyRow]:
        """Return the keys of one user, or of all."""

        def work(connection: Connection) -> list[KeyRow]:
            if account_name is None:
                return store.list_keys(connection)
            account = self._require_account(connection, account_name)
            return store.list_keys(connection, account_id=account.id)

        return self._database.read(work)

    def revoke_key(self, key: str, *, by: Actor = PROGRAM) -> KeyRow:
        """End a key by its id or public part; every process refuses it within a second."""

        def work(connection: Connection) -> KeyRow:
            row = store.find_key(connection, key)
            if row is None:
                raise UnknownKeyError(key=key)
            if row.revoked_at is not None:
                return row
            store.revoke_key(connection, key_id=row.id, now=self._database.now(connection))
            facts = {"user": row.account_name, "label": row.label}
            self._audit.note(connection, Action.KEY_REVOKED, by=by, subject=row.id, **facts)
            return store.find_key(connection, row.id) or row

        return self._database.write(work)

    def _insert_account(self, connection: Connection, *, name: str, plan_id: str) -> AccountRow:
        store.insert_account(
            connection,
            account_id=new_id("acc"),
            name=name,
            plan_id=plan_id,
            now=self._database.now(connection),
        )
        return self._require_account(connection, name)

    def _key_row(
        self,
        connection: Connection,
        account: AccountRow,
        *,
        lookup: str,
        hint: str,
        label: str,
        lifetime: timedelta | None = None,
        images_per_day: int | None = None,
        videos_per_day: int | None = None,
    ) -> KeyRow:
        now = self._database.now(connection)
        return KeyRow(
            id=new_id("key"),
            account_id=account.id,
            account_name=account.name,
            lookup=lookup,
            hint=hint,
            label=label,
            images_per_day=images_per_day,
            videos_per_day=videos_per_day,
            created_at=now,
            expires_at=None if lifetime is None else now + lifetime,
            revoked_at=None,
            last_used_at=None,
        )

    def _require_account(self, connection: Connection, name: str) -> AccountRow:
        account = store.find_account(connection, name)
        if account is None:
            raise UnknownAccountError(name=name)
        return account

    def _require_plan(self, connection: Connection, plan_id: str) -> Plan:
        plan = store.find_plan(connection, plan_id)
        if plan is None:
            raise UnknownPlanError(plan=plan_id)
        return plan
