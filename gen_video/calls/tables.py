"""Table of the call log; a row lives for a week, so it refers to nothing."""

from sqlalchemy import Column, Index, Integer, String, Table

from gen_video.db.schema import BigKey, UtcTime, metadata

api_calls = Table(
    "api_calls",
    metadata,
    Column("id", BigKey, primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("account_id", String(40), nullable=False),
    Column("key_id", String(40), nullable=False),
    Column("method", String(10), nullable=False),
    Column("path", String(200), nullable=False),
    Column("status", Integer, nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Index("ix_api_calls_account", "account_id", "at", "id"),
    Index("ix_api_calls_at", "at", "status"),
)
