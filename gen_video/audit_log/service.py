"""Use cases of the audit log: write a line in the transaction of the deed, and read them back."""

from sqlalchemy import Connection

from gen_video.audit_log import store
from gen_video.audit_log.models import Action, Actor, Entry, EntryNotFoundError, EntryPage, Fact
from gen_video.db.database import Database
from gen_video.ids import is_id, new_id

MAX_PAGE = 100


class AuditLog:
    """What operators, and people with their own keys, did."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(
        self, connection: Connection, action: Action, *, by: Actor, subject: str, **facts: Fact
    ) -> None:
        """Write down a deed in its own transaction: one exists if and only if the other does."""
        store.insert_entry(
            connection,
            Entry(
                id=new_id("aud"),
                at=self._database.now(connection),
                actor=by,
                action=action,
                subject=subject,
                facts=facts,
            ),
        )

    def list_entries(
        self, *, limit: int = 50, after: str | None = None, action: Action | None = None
    ) -> EntryPage:
        """Return a page of the log, newest first, from behind the line `after`.

        Raises:
            EntryNotFoundError: There is no such line.
        """
        size = min(limit, MAX_PAGE)

        def work(connection: Connection) -> EntryPage:
            place = None
            if after is not None:
                place = store.find_place(connection, after) if is_id(after, "aud") else None
                if place is None:
                    raise EntryNotFoundError
            entries = store.list_entries(connection, limit=size + 1, after=place, action=action)
            return EntryPage(entries=tuple(entries[:size]), has_more=len(entries) > size)

        return self._database.read(work)
