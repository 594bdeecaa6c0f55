"""Tables of the billing slice. Triggers (see the migrations) refuse rewriting either."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, String, Table

from gen_video.db.schema import BigKey, UtcTime, metadata

ledger_txns = Table(
    "ledger_txns",
    metadata,
    Column("id", BigKey, primary_key=True, autoincrement=True),
    Column("idem_key", String(120), nullable=False, unique=True),
    Column("job_id", String(40)),
    Column("kind", String(20), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Index(None, "job_id"),
)

ledger_entries = Table(
    "ledger_entries",
    metadata,
    Column("id", BigKey, primary_key=True, autoincrement=True),
    Column("txn_id", BigInteger, ForeignKey("ledger_txns.id"), nullable=False),
    Column("ledger_account", String(160), nullable=False),
    Column("asset", String(20), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Index(None, "txn_id"),
    Index(None, "ledger_account"),
)
