"""Tables of the webhooks slice: events, endpoints, deliveries with their attempts, secrets.

No secret is stored: `secret_version` is what one is derived from, and the version before it signs
too until `previous_until`.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
    text,
)

from gen_video.db.schema import UtcTime, metadata

events = Table(
    "events",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("account_id", String(40), ForeignKey("accounts.id"), nullable=False),
    Column("type", String(40), nullable=False),
    Column("job_id", String(40)),  # None for a test
    Column("body", Text, nullable=False),  # sent as it is here, in every attempt
    Column("created_at", UtcTime, nullable=False),
    UniqueConstraint("job_id", "type"),
    Index("ix_events_account", "account_id", "created_at", "id"),
    Index(None, "created_at"),
)

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("account_id", String(40), ForeignKey("accounts.id"), nullable=False),
    Column("url", Text, nullable=False),
    Column("events_json", Text),  # None for all types
    Column("description", Text, nullable=False),
    Column("state", String(10), nullable=False),
    Column("disabled_reason", String(40)),
    Column("secret_version", Integer, nullable=False, server_default="1"),
    Column("previous_until", UtcTime),
    Column("failing_since", UtcTime),
    Column("throttles", Integer, nullable=False, server_default="0"),
    Column("throttled_until", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    CheckConstraint("state IN ('enabled', 'disabled', 'deleted')", name="known_state"),
    Index("ix_webhook_endpoints_account", "account_id", "created_at", "id"),
    Index(
        "ix_webhook_endpoints_throttled",
        "throttled_until",
        sqlite_where=text("throttled_until IS NOT NULL"),
        postgresql_where=text("throttled_until IS NOT NULL"),
    ),
)

IS_ENABLED = webhook_endpoints.c.state == literal_column("'enabled'")

webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    Column("account_id", String(40), ForeignKey("accounts.id"), primary_key=True),
    Column("secret_version", Integer, nullable=False),
    Column("previous_until", UtcTime),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("event_id", String(40), ForeignKey("events.id"), nullable=False),
    Column("endpoint_id", String(40), ForeignKey("webhook_endpoints.id")),
    Column("account_id", String(40), ForeignKey("accounts.id"), nullable=False),
    Column("url", Text, nullable=False),
    # What waits in one lane waits for one receiver: "{account}/{endpoint}" or "{account}/{host}".
    Column("lane", String(320), nullable=False),
    Column("state", String(10), nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),  # since the last replay
    Column("attempts", Integer, nullable=False, server_default="0"),  # ever
    Column("next_attempt_at", UtcTime),
    Column("lease_owner", String(80)),
    Column("lease_expires_at", UtcTime),
    Column("fence", BigInteger, nullable=False, server_default="0"),
    Column("created_at", UtcTime, nullable=False),
    CheckConstraint("state IN ('pending', 'sending', 'delivered', 'failed')", name="known_state"),
    CheckConstraint(
        "(state = 'sending') = (lease_expires_at IS NOT NULL)", name="sending_is_leased"
    ),
    CheckConstraint("(state = 'pending') = (next_attempt_at IS NOT NULL)", name="pending_is_due"),
    UniqueConstraint("event_id", "endpoint_id"),
    Index("ix_deliveries_endpoint", "endpoint_id", "created_at", "id"),
    Index(
        "ix_deliveries_due",
        "next_attempt_at",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
    Index(
        "ix_deliveries_lanes",
        "lane",
        "next_attempt_at",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
    Index(
        "ix_deliveries_leases",
        "lease_expires_at",
        sqlite_where=text("state = 'sending'"),
        postgresql_where=text("state = 'sending'"),
    ),
)

# In words, not as parameters: a database uses a partial index only where it can read the condition.
IS_PENDING = deliveries.c.state == literal_column("'pending'")
IS_SENDING = deliveries.c.state == literal_column("'sending'")

delivery_attempts = Table(
    "delivery_attempts",
    metadata,
    Column("delivery_id", String(40), ForeignKey("deliveries.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
    Column("status_code", Integer),
    Column("error", String(40)),
    Column("duration_ms", Integer, nullable=False),
)
