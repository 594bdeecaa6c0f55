"""Tables of the accounts slice: plans, accounts, keys, sessions of browsers, failed sign-ins."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
)

from gen_video.db.schema import UtcTime, metadata

plans = Table(
    "plans",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tier", String(20), nullable=False),
    Column("title_en", String(80), nullable=False),
    Column("title_zh", String(80), nullable=False),
    Column("images_per_day", Integer, nullable=False),
    Column("videos_per_day", Integer, nullable=False),
    Column("max_in_flight", Integer, nullable=False),
    Column("max_pictures", Integer, nullable=False),
    Column("max_work", BigInteger, nullable=False),
    Column("max_video_work", BigInteger, nullable=False, server_default="0"),
    # Read by the release before weights, so that it can still be gone back to; unused here.
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("weight", Integer, nullable=False, server_default="1"),
    Column("max_running", Integer, nullable=False, server_default="0"),
    Column("requests_per_minute", Integer, nullable=False, server_default="0"),
    CheckConstraint("images_per_day >= 0 AND videos_per_day >= 0", name="limits_not_negative"),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(120), nullable=False, unique=True),
    Column("plan_id", String(40), ForeignKey("plans.id"), nullable=False),
    Column("in_flight", Integer, nullable=False, server_default="0"),
    Column("last_window", String(10), nullable=False, server_default=""),
    Column("is_disabled", Boolean, nullable=False, server_default="0"),
    Column("created_at", UtcTime, nullable=False),
    Column("email", String(254)),
    Column("password_hash", String(255)),
    Column("role", String(20), nullable=False, server_default="member"),
    CheckConstraint("in_flight >= 0", name="in_flight_not_negative"),
    Index("ix_accounts_email", "email", unique=True),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("account_id", String(40), ForeignKey("accounts.id"), nullable=False),
    Column("lookup", String(40), nullable=False, unique=True),
    Column("secret_hash", String(64), nullable=False),
    Column("hint", String(8), nullable=False),
    Column("label", String(120), nullable=False),
    Column("images_per_day", Integer),
    Column("videos_per_day", Integer),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    Column("revoked_at", UtcTime),
    Column("last_used_at", UtcTime),
    Index(None, "account_id"),
)

sessions = Table(
    "sessions",
    metadata,
    # The hash of a random token that only the browser has.
    Column("id", String(64), primary_key=True),
    Column("account_id", String(40), ForeignKey("accounts.id"), nullable=False),
    Column("user_agent", String(200), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Index(None, "account_id"),
    Index(None, "expires_at"),
)

sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    # A keyed hash of who was named and where the attempt came from.
    Column("bucket", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("failed_at", UtcTime, nullable=False),
    Column("blocked_until", UtcTime),
    Index(None, "failed_at"),
)
