"""Sessions: people sign in to the console with an e-mail address and a password.

Revision 2026_11_25_sessions, after 2026_11_25_webhooks. The code of 2026_11_24_queues, the release
before, can run on this schema: what it adds has defaults.
"""

import sqlalchemy as sa
from alembic import op

from gen_video.db.compatibility import allow_code

revision = "2026_11_25_sessions"
down_revision = "2026_11_25_webhooks"
branch_labels = None
depends_on = None

OLDER = ("2026_11_25_webhooks", "2026_11_25_previews", "2026_11_24_queues")


def upgrade() -> None:
    """Add what an account signs in with, its sessions, and the count of its failures."""
    op.add_column("accounts", sa.Column("email", sa.String(254)))
    op.add_column("accounts", sa.Column("password_hash", sa.String(255)))
    op.add_column(
        "accounts", sa.Column("role", sa.String(20), nullable=False, server_default="member")
    )
    op.create_index("ix_accounts_email", "accounts", ["email"], unique=True)
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("account_id", sa.String(40), sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("user_agent", sa.String(200), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_sessions_account_id", "sessions", ["account_id"])
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
    op.create_table(
        "sign_in_failures",
        sa.Column("bucket", sa.String(64), primary_key=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failed_at", sa.BigInteger(), nullable=False),
        sa.Column("blocked_until", sa.BigInteger()),
    )
    op.create_index("ix_sign_in_failures_failed_at", "sign_in_failures", ["failed_at"])
    allow_code(op.get_bind(), revision, *OLDER)


def downgrade() -> None:
    """Drop all of it: nobody can sign in any more, API keys work on."""
    op.drop_table("sign_in_failures")
    op.drop_table("sessions")
    op.drop_index("ix_accounts_email", "accounts")
    for column in ("role", "password_hash", "email"):
        op.drop_column("accounts", column)
