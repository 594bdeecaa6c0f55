"""Webhooks: events, the endpoints that are told, the deliveries and their attempts.

Revision 2026_11_25_webhooks, after 2026_11_25_previews. The code of 2026_11_24_queues, the release
before, can run on this schema: what it adds has defaults; jobs that it ends have no event.
"""

import sqlalchemy as sa
from alembic import op

from gen_video.db.compatibility import allow_code

revision = "2026_11_25_webhooks"
down_revision = "2026_11_25_previews"
branch_labels = None
depends_on = None

RELEASE_BEFORE = "2026_11_24_queues"
TABLES = ("delivery_attempts", "deliveries", "webhook_secrets", "webhook_endpoints", "events")
DELIVERY_INDEXES = (
    ("ix_deliveries_due", ["next_attempt_at"], "state = 'pending'"),
    ("ix_deliveries_lanes", ["lane", "next_attempt_at"], "state = 'pending'"),
    ("ix_deliveries_leases", ["lease_expires_at"], "state = 'sending'"),
)


def upgrade() -> None:
    """Add the tables, and to the jobs what they need of them."""
    op.add_column("jobs", sa.Column("webhook_url", sa.Text()))
    op.add_column("jobs", sa.Column("has_event", sa.Integer(), nullable=False, server_default="0"))
    _create_events()
    _create_endpoints()
    _create_deliveries()
    allow_code(op.get_bind(), revision, down_revision, RELEASE_BEFORE)


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("account_id", sa.String(40), sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("type", sa.String(40), nullable=False),
        sa.Column("job_id", sa.String(40)),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("job_id", "type", name="uq_events_job_id_type"),
    )
    op.create_index("ix_events_account", "events", ["account_id", "created_at", "id"])
    op.create_index("ix_events_created_at", "events", ["created_at"])


def _create_endpoints() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("account_id", sa.String(40), sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events_json", sa.Text()),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("disabled_reason", sa.String(40)),
        sa.Column("secret_version", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("previous_until", sa.BigInteger()),
        sa.Column("failing_since", sa.BigInteger()),
        sa.Column("throttles", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("throttled_until", sa.BigInteger()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('enabled', 'disabled', 'deleted')",
            name=op.f("ck_webhook_endpoints_known_state"),
        ),
    )
    op.create_index(
        "ix_webhook_endpoints_account", "webhook_endpoints", ["account_id", "created_at", "id"]
    )
    where = sa.text("throttled_until IS NOT NULL")
    op.create_index(
        "ix_webhook_endpoints_throttled",
        "webhook_endpoints",
        ["throttled_until"],
        sqlite_where=where,
        postgresql_where=where,
    )
    op.create_table(
        "webhook_secrets",
        sa.Column("account_id", sa.String(40), sa.ForeignKey("accounts.id"), primary_key=True),
        sa.Column("secret_version", sa.Integer(), nullable=False),
        sa.Column("previous_until", sa.BigInteger()),
    )


def _create_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("event_id", sa.String(40), sa.ForeignKey("events.id"), nullable=False),
        sa.Column("endpoint_id", sa.String(40), sa.ForeignKey("webhook_endpoints.id")),
        sa.Column("account_id", sa.String(40), sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("lane", sa.String(320), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("next_attempt_at", sa.BigInteger()),
        sa.Column("lease_owner", sa.String(80)),
        sa.Column("lease_expires_at", sa.BigInteger()),
        sa.Column("fence", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('pending', 'sending', 'delivered', 'failed')",
            name=op.f("ck_deliveries_known_state"),
        ),
        sa.CheckConstraint(
            "(state = 'sending') = (lease_expires_at IS NOT NULL)",
            name=op.f("ck_deliveries_sending_is_leased"),
        ),
        sa.CheckConstraint(
            "(state = 'pending') = (next_attempt_at IS NOT NULL)",
            name=op.f("ck_deliveries_pending_is_due"),
        ),
        sa.UniqueConstraint("event_id", "endpoint_id", name="uq_deliveries_event_id_endpoint_id"),
    )
    op.create_index("ix_deliveries_endpoint", "deliveries", ["endpoint_id", "created_at", "id"])
    for name, columns, condition in DELIVERY_INDEXES:
        where = sa.text(condition)
        op.create_index(name, "deliveries", columns, sqlite_where=where, postgresql_where=where)
    op.create_table(
        "delivery_attempts",
        sa.Column("delivery_id", sa.String(40), sa.ForeignKey("deliveries.id"), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("status_code", sa.Integer()),
        sa.Column("error", sa.String(40)),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
    )


def downgrade() -> None:
    """Drop all of it: what was not delivered yet is not told any more."""
    for table in TABLES:
        op.drop_table(table)
    op.drop_column("jobs", "has_event")
    op.drop_column("jobs", "webhook_url")
