"""The ledger refuses TRUNCATE too: on PostgreSQL it fires no trigger for rows.

Revision 2026_11_24_no_truncate, after 2026_11_24_first. SQLite has no TRUNCATE.
"""

from alembic import op

revision = "2026_11_24_no_truncate"
down_revision = "2026_11_24_first"
branch_labels = None
depends_on = None

LEDGER_TABLES = ("ledger_txns", "ledger_entries")


def upgrade() -> None:
    """Protect both tables by one more trigger each."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in LEDGER_TABLES:
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_ledger_change()"
        )


def downgrade() -> None:
    """Drop the triggers."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in LEDGER_TABLES:
        op.execute(f"DROP TRIGGER {table}_no_truncate ON {table}")
