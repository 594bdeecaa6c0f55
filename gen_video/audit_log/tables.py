"""Table of the audit log. A trigger (see the migrations) refuses rewriting it."""

from sqlalchemy import Column, Index, String, Table, Text

from gen_video.db.schema import UtcTime, metadata

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("actor_kind", String(20), nullable=False),
    Column("actor_name", String(120), nullable=False),
    Column("actor_id", String(40)),
    Column("action", String(40), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("facts_json", Text, nullable=False),
    Index("ix_audit_log_at", "at", "id"),
    Index("ix_audit_log_action", "action", "at", "id"),
)
