"""Use cases of operators with people: what they sign in with, and what they may do."""

from collections.abc import Callable

from sqlalchemy import Connection

from gen_video.accounts import passwords, session_store, store
from gen_video.accounts.errors import EmailTakenError, NoEmailError, UnknownAccountError
from gen_video.accounts.models import AccountRow, Role
from gen_video.accounts.service import AccountService
from gen_video.audit_log.models import PROGRAM, Action, Actor
from gen_video.audit_log.service import AuditLog
from gen_video.db.database import Database

Change = Callable[[Connection, AccountRow], None]


class PeopleService:
    """E-mail addresses, roles and passwords of users; each change is in the audit log."""

    def __init__(self, database: Database, accounts: AccountService) -> None:
        self._database = database
        self._accounts = accounts
        self._audit = AuditLog(database)

    def create(
        self,
        name: str,
        *,
        plan_id: str,
        email: str | None = None,
        role: Role = Role.MEMBER,
        by: Actor = PROGRAM,
    ) -> AccountRow:
        """Add a user; raises like `AccountService.create_account` and `set_email`."""
        address = None if email is None else passwords.read_email(email)

        def work(connection: Connection) -> AccountRow:
            account = self._accounts.add_account(connection, name, plan_id=plan_id, by=by)
            if address is not None:
                self._give_email(connection, account, address, by=by)
            if role is not account.role:
                self._give_role(connection, account, role, by=by)
            return _require(connection, account.id)

        return self._database.write(work)

    def set_email(self, name: str, email: str, *, by: Actor = PROGRAM) -> AccountRow:
        """Set what a user signs in with.

        Raises:
            EmailTakenError: Somebody else has it.
            InvalidEmailError: It is no e-mail address.
            UnknownAccountError: No such user.
        """
        address = passwords.read_email(email)

        def change(connection: Connection, account: AccountRow) -> None:
            if account.email != address:
                self._give_email(connection, account, address, by=by)

        return self._change(name, change)

    def set_role(self, name: str, role: Role, *, by: Actor = PROGRAM) -> AccountRow:
        """Make a user an admin, or a member again; it counts from the next page.

        Raises:
            UnknownAccountError: No such user.
        """

        def change(connection: Connection, account: AccountRow) -> None:
            if account.role is not role:
                self._give_role(connection, account, role, by=by)

        return self._change(name, change)

    def set_password(self, name: str, password: str, *, by: Actor = PROGRAM) -> AccountRow:
        """Give a user a password; all of the user's sessions end.

        Raises:
            NoEmailError: There is no e-mail address to sign in with.
            UnknownAccountError: No such user.
            WeakPasswordError: It is easily guessed.
        """
        account = self._database.read(lambda connection: _require(connection, name))
        if account.email is None:
            raise NoEmailError(name=account.name)
        passwords.check_password(password, known=(account.name, account.email))
        password_hash = passwords.hash_password(password)

        def change(connection: Connection, account: AccountRow) -> None:
            session_store.set_password(
                connection, account_id=account.id, password_hash=password_hash
            )
            session_store.delete_others(connection, account_id=account.id, keep=None)
            self._audit.note(connection, Action.USER_PASSWORD_SET, by=by, subject=account.name)

        return self._change(name, change)

    def _change(self, name: str, change: Change) -> AccountRow:
        def work(connection: Connection) -> AccountRow:
            store.wait_for_operators(connection)
            account = _require(connection, name)
            change(connection, account)
            return _require(connection, account.id)

        return self._database.write(work)

    def _give_email(
        self, connection: Connection, account: AccountRow, email: str, *, by: Actor
    ) -> None:
        if store.find_email(connection, email) is not None:
            raise EmailTakenError(email=email)
        store.set_email(connection, account_id=account.id, email=email)
        self._audit.note(connection, Action.USER_EMAIL_CHANGED, by=by, subject=account.name)

    def _give_role(
        self, connection: Connection, account: AccountRow, role: Role, *, by: Actor
    ) -> None:
        store.set_role(connection, account_id=account.id, role=role)
        action = Action.USER_ROLE_CHANGED
        self._audit.note(connection, action, by=by, subject=account.name, role=role.value)


def _require(connection: Connection, name: str) -> AccountRow:
    account = store.find_account(connection, name)
    if account is None:
        raise UnknownAccountError(name=name[:80])
    return account
