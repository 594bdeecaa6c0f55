"""Use cases of people with a browser: sign in, stay signed in, sign out, change the password.

An attempt counts as failed before its password is looked at, and is forgiven when it was right:
a hundred guesses at once get no further than a hundred one after another. An unknown e-mail
address costs the same time and gets the same words as a wrong password.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

import structlog
from sqlalchemy import Connection

from gen_video.accounts import passwords, session_store, sessions, store
from gen_video.accounts.errors import (
    DevelopmentOnlyError,
    InvalidEmailError,
    InvalidKeyError,
    NoEmailError,
    SignInBlockedError,
    WrongPasswordError,
    WrongSignInError,
)
from gen_video.accounts.models import AccountRow, Role, SessionRow, SignedIn
from gen_video.accounts.service import AccountService
from gen_video.db.database import Database, DatabaseUnavailableError
from gen_video.errors import NotFoundError
from gen_video.ids import new_id

FORGIVE_AFTER = timedelta(hours=1)
FORGET_AFTER = timedelta(days=1)
USER_AGENT_LENGTH = 200
GUEST, OWNER = "test_user", "owner"
"""Who one may be without a password in development: a user like any other, and an admin."""
OWNER_PLAN = "paid"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """Where an attempt comes from.

    Attributes:
        address: Of the connection.
        user_agent: What the browser calls itself.
        token: The cookie that it has already: its session ends when a new one begins.
    """

    address: str
    user_agent: str = ""
    token: str | None = None


class SignInService:
    """Passwords and sessions.

    Args:
        database: Where they live.
        accounts: Knows the API keys.
        pepper: Secret of the keyed hash under which failures are counted.
        is_development: Whether one may enter without a password.
    """

    def __init__(
        self, database: Database, accounts: AccountService, *, pepper: bytes, is_development: bool
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._pepper = pepper
        self.is_development = is_development

    @cached_property
    def _nobody(self) -> str:
        """Return the hash that is compared for an e-mail address that nobody has."""
        return passwords.hash_password(passwords.make_password())

    def sign_in(self, email: str, password: str, *, browser: Browser) -> str:
        """Begin a session with e-mail address and password; return its token.

        Raises:
            WrongSignInError: They do not match.
            SignInBlockedError: There were too many failures.
        """
        nobody = self._nobody
        name = _readable(email)
        bucket = self._bucket(name, browser)
        self._count_attempt(bucket)
        found = self._database.read(
            lambda connection: session_store.find_password(connection, name)
        )
        account_id, stored_hash = found or ("", nobody)
        is_right = passwords.is_right(password[: passwords.MOST_LENGTH + 1], stored_hash)
        if found is None or not is_right:
            log.info("sign_in_failed")
            raise WrongSignInError
        better = passwords.hash_password(password) if passwords.is_outdated(stored_hash) else None

        def work(connection: Connection) -> str:
            session_store.clear_failures(connection, bucket=bucket)
            if better is not None:
                session_store.set_password(connection, account_id=account_id, password_hash=better)
            return self._begin(connection, account_id=account_id, browser=browser)

        return self._database.write(work)

    def sign_in_with_key(self, key: str, *, browser: Browser) -> str:
        """Begin a session with an API key, in development only; return its token.

        Raises:
            DevelopmentOnlyError: This is production.
            InvalidKeyError: The key is not valid.
            SignInBlockedError: There were too many failures.
        """
        self._require_development()
        bucket = self._bucket("key", browser)
        self._count_attempt(bucket)
        caller = self._accounts.authenticate(key)

        def work(connection: Connection) -> str:
            session_store.clear_failures(connection, bucket=bucket)
            return self._begin(connection, account_id=caller.account_id, browser=browser)

        return self._database.write(work)

    def enter(self, name: str, *, browser: Browser) -> str:
        """Begin a session as the guest or the owner, in development only; return its token.

        Raises:
            DevelopmentOnlyError: This is production.
            NotFoundError: No such way in.
            InvalidKeyError: An operator has closed the account.
        """
        self._require_development()
        if name not in {GUEST, OWNER}:
            raise NotFoundError

        def work(connection: Connection) -> str:
            account = self._ensure_owner(connection) if name == OWNER else None
            account = account or store.find_account(connection, name)
            if account is None or account.is_disabled:
                raise InvalidKeyError
            return self._begin(connection, account_id=account.id, browser=browser)

        return self._database.write(work)

    def find(self, token: str) -> SignedIn | None:
        """Return who a browser's token stands for; None when it stands for nobody any more."""
        if not token or len(token) > sessions.MAX_TOKEN_LENGTH:
            return None
        session_id = sessions.session_id(token)

        def work(connection: Connection) -> tuple[SignedIn | None, bool]:
            found = session_store.find_signed_in(connection, session_id)
            if found is None:
                return None, False
            now = self._database.now(connection)
            session = found.session
            if sessions.is_over(now, seen_at=session.seen_at, expires_at=session.expires_at):
                return None, False
            return found, now - session.seen_at >= sessions.TOUCH_EVERY

        found, is_due = self._database.read(work)
        if is_due:
            self._touch(session_id)
        return found

    def sign_out(self, token: str) -> None:
        """End a browser's session; every copy of its cookie is worthless from now on."""
        session_id = sessions.session_id(token)
        self._database.write(
            lambda connection: session_store.delete_token(connection, session_id=session_id)
        )

    def list_sessions(self, account_id: str) -> list[SessionRow]:
        """Return where an account is signed in, the last used first."""

        def work(connection: Connection) -> list[SessionRow]:
            now = self._database.now(connection)
            return [
                row
                for row in session_store.list_sessions(connection, account_id=account_id)
                if not sessions.is_over(now, seen_at=row.seen_at, expires_at=row.expires_at)
            ]

        return self._database.read(work)

    def end_session(self, account_id: str, session_id: str) -> None:
        """End one session of an account.

        Raises:
            NotFoundError: It has none of that id.
        """

        def work(connection: Connection) -> bool:
            return session_store.delete_session(
                connection, session_id=session_id, account_id=account_id
            )

        if not self._database.write(work):
            raise NotFoundError

    def end_others(self, signed_in: SignedIn) -> int:
        """End every session of an account but this one; return how many ended."""
        return self._database.write(
            lambda connection: session_store.delete_others(
                connection, account_id=signed_in.caller.account_id, keep=signed_in.session.id
            )
        )

    def change_password(
        self, signed_in: SignedIn, *, current: str, new: str, browser: Browser
    ) -> None:
        """Replace the own password; the account's other sessions end.

        Raises:
            WrongPasswordError: The current one is wrong.
            WeakPasswordError: The new one is easily guessed.
            NoEmailError: There is no e-mail address to sign in with.
            SignInBlockedError: The current one was wrong too often.
        """
        caller = signed_in.caller
        if signed_in.email is None:
            raise NoEmailError(name=caller.account_name)
        passwords.check_password(new, known=(caller.account_name, signed_in.email))
        bucket = self._bucket(f"change:{caller.account_id}", browser)
        self._count_attempt(bucket)
        stored = self._database.read(
            lambda connection: session_store.find_password_of(connection, caller.account_id)
        )
        if stored is not None and not passwords.is_right(current, stored):
            raise WrongPasswordError
        password_hash = passwords.hash_password(new)

        def work(connection: Connection) -> None:
            session_store.clear_failures(connection, bucket=bucket)
            session_store.set_password(
                connection, account_id=caller.account_id, password_hash=password_hash
            )
            session_store.delete_others(
                connection, account_id=caller.account_id, keep=signed_in.session.id
            )

        self._database.write(work)

    def _begin(self, connection: Connection, *, account_id: str, browser: Browser) -> str:
        """Begin a session: always a new one, so that nobody can have laid it out before."""
        now = self._database.now(connection)
        if browser.token is not None:
            old = sessions.session_id(browser.token)
            session_store.delete_token(connection, session_id=old)
        session_store.delete_ended(
            connection, now=now, unused_since=now - sessions.IDLE, forget=now - FORGET_AFTER
        )
        session_store.ensure_console_key(
            connection, account_id=account_id, key_id=new_id("key"), now=now
        )
        token = sessions.make_token()
        row = SessionRow(
            id=sessions.session_id(token),
            account_id=account_id,
            user_agent=browser.user_agent[:USER_AGENT_LENGTH],
            created_at=now,
            seen_at=now,
            expires_at=now + sessions.LIFETIME,
        )
        session_store.insert_session(connection, row)
        return token

    def _ensure_owner(self, connection: Connection) -> AccountRow | None:
        store.wait_for_operators(connection)
        found = store.find_account(connection, OWNER)
        if found is None:
            store.insert_account(
                connection,
                account_id=new_id("acc"),
                name=OWNER,
                plan_id=OWNER_PLAN,
                now=self._database.now(connection),
                role=Role.ADMIN,
            )
            found = store.find_account(connection, OWNER)
        return found

    def _touch(self, session_id: str) -> None:
        def work(connection: Connection) -> None:
            now = self._database.now(connection)
            session_store.touch_session(connection, session_id=session_id, now=now)

        try:
            self._database.write(work)
        except DatabaseUnavailableError:
            # A full disk must not keep anybody from what is already made.
            log.warning("session_use_not_noted", exc_info=True)

    def _count_attempt(self, bucket: str) -> None:
        def work(connection: Connection) -> int:
            now = self._database.now(connection)
            failures, failed_at, blocked_until = session_store.lock_failures(
                connection, bucket=bucket, now=now
            )
            if blocked_until is not None and blocked_until > now:
                return max(1, int((blocked_until - now).total_seconds()) + 1)
            failures = 1 if now - failed_at > FORGIVE_AFTER else failures + 1
            wait = passwords.block_after(failures)
            session_store.set_failures(
                connection,
                bucket=bucket,
                failures=failures,
                now=now,
                blocked_until=None if wait is None else now + wait,
            )
            return 0

        seconds = self._database.write(work)
        if seconds:
            raise SignInBlockedError(seconds=seconds)

    def _bucket(self, name: str, browser: Browser) -> str:
        text = f"{name}\n{browser.address}".encode("utf-8", "surrogateescape")
        return hmac.new(self._pepper, text, hashlib.sha256).hexdigest()

    def _require_development(self) -> None:
        if not self.is_development:
            raise DevelopmentOnlyError


def _readable(email: str) -> str:
    """Return an address as it is stored; what is none is looked up all the same."""
    try:
        return passwords.read_email(email)
    except InvalidEmailError:
        return email.strip().lower()[:100].encode("utf-8", "replace").decode()
