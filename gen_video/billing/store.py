"""SQL of the billing slice. Every function takes the connection first and never commits."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from gen_video.billing.ledger import Entry
from gen_video.billing.tables import ledger_entries, ledger_txns


def insert_txn(
    connection: Connection,
    *,
    idem_key: str,
    job_id: str,
    kind: str,
    entries: Sequence[Entry],
    now: datetime,
) -> None:
    """Append one transaction; its idempotency key exists once, or the database refuses."""
    result = connection.execute(
        insert(ledger_txns)
        .values(idem_key=idem_key, job_id=job_id, kind=kind, created_at=now)
        .returning(ledger_txns.c.id)
    )
    txn_id = result.scalar_one()
    connection.execute(
        insert(ledger_entries),
        [
            {
                "txn_id": txn_id,
                "ledger_account": entry.ledger_account,
                "asset": entry.asset,
                "amount": entry.amount,
            }
            for entry in entries
        ],
    )


def list_unbalanced(connection: Connection) -> list[tuple[int, str, int]]:
    """Return (transaction, asset, sum) of every transaction that does not sum to zero."""
    total = func.sum(ledger_entries.c.amount)
    statement = (
        select(ledger_entries.c.txn_id, ledger_entries.c.asset, total)
        .group_by(ledger_entries.c.txn_id, ledger_entries.c.asset)
        .having(total != 0)
    )
    return [(row[0], row[1], int(row[2])) for row in connection.execute(statement)]


def sum_accounts(connection: Connection) -> dict[str, int]:
    """Return the balance of every ledger account."""
    statement = select(ledger_entries.c.ledger_account, func.sum(ledger_entries.c.amount)).group_by(
        ledger_entries.c.ledger_account
    )
    return {row[0]: int(row[1]) for row in connection.execute(statement)}


def count_txns(connection: Connection) -> dict[tuple[str, str], int]:
    """Return how many transactions of each kind every job has, by (job, kind)."""
    statement = (
        select(ledger_txns.c.job_id, ledger_txns.c.kind, func.count())
        .where(ledger_txns.c.job_id.is_not(None))
        .group_by(ledger_txns.c.job_id, ledger_txns.c.kind)
    )
    return {(row[0], row[1]): int(row[2]) for row in connection.execute(statement)}
