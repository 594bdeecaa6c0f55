"""Queues and shares: where jobs wait, how fast models are, what plans weigh.

Revision 2026_11_24_queues, after 2026_11_24_videos. The code of 2026_11_24_videos can run on this
schema: what it adds has defaults, and the jobs that it accepts are given a queue by the sweeper.
"""

import sqlalchemy as sa
from alembic import op

from gen_video.db.compatibility import allow_code

revision = "2026_11_24_queues"
down_revision = "2026_11_24_videos"
branch_labels = None
depends_on = None

INDEXES = (
    (
        "ix_jobs_ready",
        ["queue", "rank", "start_tag", "id", "predicted_us"],
        "state = 'queued' AND start_tag IS NOT NULL",
    ),
    (
        "ix_jobs_backlog",
        ["queue", "account_id", "rank", "created_at", "id", "predicted_us"],
        "state = 'queued' AND start_tag IS NULL",
    ),
    ("ix_jobs_running", ["queue", "rank", "start_tag"], "state = 'running'"),
    (
        "ix_jobs_competing",
        ["account_id", "queue", "rank", "start_tag"],
        "state IN ('queued', 'running') AND start_tag IS NOT NULL",
    ),
    (
        "ix_jobs_dispatched",
        ["queue", "dispatched_at"],
        "state = 'queued' AND dispatched_at IS NOT NULL",
    ),
    ("ix_jobs_batch", ["created_at"], "state = 'queued' AND rank = 1"),
)
PAID_WEIGHT, PAID_RUNNING, PAID_REQUESTS = 4, 16, 1200
FREE_RUNNING, FREE_REQUESTS = 4, 120


def upgrade() -> None:
    """Add columns, tables and indexes; the two plans of every database get figures."""
    for column in (
        sa.Column("queue", sa.String(60), nullable=False, server_default=""),
        sa.Column("tier", sa.String(20), nullable=False, server_default=""),
        sa.Column("predicted_us", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("start_tag", sa.BigInteger()),
        sa.Column("passed_at", sa.BigInteger()),
        sa.Column("dispatched_at", sa.BigInteger()),
    ):
        op.add_column("jobs", column)
    for name, columns, condition in INDEXES:
        where = sa.text(condition)
        op.create_index(name, "jobs", columns, sqlite_where=where, postgresql_where=where)
    op.add_column(
        "workers", sa.Column("queues_json", sa.Text(), nullable=False, server_default="[]")
    )
    op.add_column("workers", sa.Column("slots", sa.Integer(), nullable=False, server_default="1"))
    _create_tables()
    _change_plans()
    allow_code(op.get_bind(), revision, down_revision)


def _create_tables() -> None:
    op.create_table(
        "fair_shares",
        sa.Column("account_id", sa.String(40), primary_key=True),
        sa.Column("queue", sa.String(60), primary_key=True),
        sa.Column("rank", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("finish_tag", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_fair_shares_finish", "fair_shares", ["queue", "rank", "finish_tag"])
    op.create_table(
        "model_speeds",
        sa.Column("model", sa.String(120), primary_key=True),
        sa.Column("us_per_megawork", sa.Float(), nullable=False),
        sa.Column("samples", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "chores",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "rate_windows",
        sa.Column("owner", sa.String(120), primary_key=True),
        sa.Column("window", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("hits", sa.Integer(), nullable=False),
    )
    op.create_table(
        "schema_compatibility",
        sa.Column("schema_revision", sa.String(60), primary_key=True),
        sa.Column("code_revision", sa.String(60), primary_key=True),
    )


def _change_plans() -> None:
    with op.batch_alter_table("plans") as table:
        table.alter_column("priority", existing_type=sa.Integer(), server_default="0")
        table.add_column(sa.Column("weight", sa.Integer(), nullable=False, server_default="1"))
        table.add_column(sa.Column("max_running", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(
            sa.Column("requests_per_minute", sa.Integer(), nullable=False, server_default="0")
        )
    plans = sa.table(
        "plans",
        sa.column("id"),
        sa.column("priority"),
        sa.column("weight"),
        sa.column("max_running"),
        sa.column("requests_per_minute"),
    )
    # A plan that went before another one now gets more of the devices' time.
    op.execute(plans.update().where(plans.c.priority > 0).values(weight=PAID_WEIGHT))
    op.execute(
        plans.update()
        .where(plans.c.id == "paid")
        .values(max_running=PAID_RUNNING, requests_per_minute=PAID_REQUESTS)
    )
    op.execute(
        plans.update()
        .where(plans.c.id == "free")
        .values(max_running=FREE_RUNNING, requests_per_minute=FREE_REQUESTS)
    )


def downgrade() -> None:
    """Drop all of it; jobs that wait keep their order of acceptance."""
    with op.batch_alter_table("plans") as table:
        table.drop_column("requests_per_minute")
        table.drop_column("max_running")
        table.drop_column("weight")
        table.alter_column("priority", existing_type=sa.Integer(), server_default=None)
    for name in ("schema_compatibility", "rate_windows", "chores", "model_speeds", "fair_shares"):
        op.drop_table(name)
    with op.batch_alter_table("workers") as table:
        table.drop_column("slots")
        table.drop_column("queues_json")
    for name, _columns, _condition in INDEXES:
        op.drop_index(name, table_name="jobs")
    for name in ("dispatched_at", "passed_at", "start_tag", "predicted_us", "tier", "queue"):
        op.drop_column("jobs", name)
