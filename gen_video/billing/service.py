"""Use cases of billing: write down every promise and how it ended, once each.

A job has one `reserve` and, when it is terminal, one `settle`. Capture and release share the
settle key, so a second settlement is impossible: the database refuses it.
"""

from datetime import datetime

from sqlalchemy import Connection

from gen_video.billing import store
from gen_video.billing.ledger import Position, reserve_entries, settle_entries


class LedgerService:
    """The append-only ledger; its methods join the caller's transaction."""

    def record_reserve(
        self, connection: Connection, *, job_id: str, position: Position, units: int, now: datetime
    ) -> None:
        """Write down that units were set aside for a job."""
        store.insert_txn(
            connection,
            idem_key=f"reserve:{job_id}",
            job_id=job_id,
            kind="reserve",
            entries=reserve_entries(position, units=units),
            now=now,
        )

    def record_settle(
        self,
        connection: Connection,
        *,
        job_id: str,
        position: Position,
        units: int,
        captured: int,
        now: datetime,
    ) -> None:
        """Write down how a job's hold ended."""
        store.insert_txn(
            connection,
            idem_key=f"settle:{job_id}",
            job_id=job_id,
            kind="settle",
            entries=settle_entries(position, units=units, captured=captured),
            now=now,
        )

    def list_unbalanced(self, connection: Connection) -> list[tuple[int, str, int]]:
        """Return (transaction, asset, sum) of every transaction that does not sum to zero."""
        return store.list_unbalanced(connection)

    def sum_accounts(self, connection: Connection) -> dict[str, int]:
        """Return the balance of every ledger account."""
        return store.sum_accounts(connection)

    def count_txns(self, connection: Connection) -> dict[tuple[str, str], int]:
        """Return how many transactions of each kind every job has, by (job, kind)."""
        return store.count_txns(connection)
