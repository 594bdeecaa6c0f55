"""Insights: the call log, the audit log, and what operators ask of workers.

Revision 2026_11_25_insights, after 2026_11_25_sessions. The code of 2026_11_24_queues, the release
before, can run on this schema: it adds tables only. The audit log refuses UPDATE, DELETE and
TRUNCATE by trigger: what somebody did is not unwritten.
"""

import sqlalchemy as sa
from alembic import op

from gen_video.db.compatibility import allow_code

revision = "2026_11_25_insights"
down_revision = "2026_11_25_sessions"
branch_labels = None
depends_on = None

OLDER = (
    "2026_11_25_sessions",
    "2026_11_25_webhooks",
    "2026_11_25_previews",
    "2026_11_24_queues",
)
REFUSAL = "the audit log is append-only"


def upgrade() -> None:
    """Add the three tables."""
    _create_call_log()
    _create_audit_log()
    _create_worker_orders()
    allow_code(op.get_bind(), revision, *OLDER)


def _create_call_log() -> None:
    op.create_table(
        "api_calls",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("account_id", sa.String(40), nullable=False),
        sa.Column("key_id", sa.String(40), nullable=False),
        sa.Column("method", sa.String(10), nullable=False),
        sa.Column("path", sa.String(200), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
    )
    op.create_index("ix_api_calls_account", "api_calls", ["account_id", "at", "id"])
    op.create_index("ix_api_calls_at", "api_calls", ["at", "status"])


def _create_audit_log() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor_kind", sa.String(20), nullable=False),
        sa.Column("actor_name", sa.String(120), nullable=False),
        sa.Column("actor_id", sa.String(40)),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("facts_json", sa.Text(), nullable=False),
    )
    op.create_index("ix_audit_log_at", "audit_log", ["at", "id"])
    op.create_index("ix_audit_log_action", "audit_log", ["action", "at", "id"])
    if _is_postgresql():
        op.execute(
            "CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
        )
    for verb in _verbs():
        op.execute(_trigger(verb))


def _create_worker_orders() -> None:
    op.create_table(
        "worker_orders",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("worker_id", sa.String(80), nullable=False),
        sa.Column("action", sa.String(10), nullable=False),
        sa.Column("model", sa.String(120)),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("answer", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        sa.CheckConstraint(
            "state IN ('pending', 'done', 'failed')", name=op.f("ck_worker_orders_known_state")
        ),
        sa.CheckConstraint(
            "(state = 'pending') = (ended_at IS NULL)", name=op.f("ck_worker_orders_ended_is_over")
        ),
    )
    where = sa.text("state = 'pending'")
    op.create_index(
        "ix_worker_orders_pending",
        "worker_orders",
        ["worker_id"],
        sqlite_where=where,
        postgresql_where=where,
    )
    op.create_index("ix_worker_orders_created_at", "worker_orders", ["created_at"])


def downgrade() -> None:
    """Drop all three; what was done to users and plans stays done."""
    op.drop_table("worker_orders")
    op.drop_table("audit_log")
    if _is_postgresql():
        op.execute("DROP FUNCTION refuse_audit_change()")
    op.drop_table("api_calls")


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _verbs() -> tuple[str, ...]:
    # SQLite has no TRUNCATE.
    return ("UPDATE", "DELETE", "TRUNCATE") if _is_postgresql() else ("UPDATE", "DELETE")


def _trigger(verb: str) -> str:
    name = f"audit_log_no_{verb.lower()}"
    if _is_postgresql():
        return (
            f"CREATE TRIGGER {name} BEFORE {verb} ON audit_log "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()"
        )
    return (
        f"CREATE TRIGGER {name} BEFORE {verb} ON audit_log "
        f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
    )
