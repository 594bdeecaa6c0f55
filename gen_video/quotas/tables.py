"""Tables of the quotas slice: one row per owner, kind and business day.

The owner is an account or, where a key has limits of its own, an API key.
"""

from sqlalchemy import CheckConstraint, Column, Integer, String, Table

from gen_video.db.schema import metadata

quota_windows = Table(
    "quota_windows",
    metadata,
    Column("owner_id", String(40), primary_key=True),
    Column("kind", String(10), primary_key=True),
    Column("window_date", String(10), primary_key=True),
    Column("limit_units", Integer, nullable=False),
    Column("used", Integer, nullable=False, server_default="0"),
    Column("reserved", Integer, nullable=False, server_default="0"),
    CheckConstraint("used >= 0", name="used_not_negative"),
    CheckConstraint("reserved >= 0", name="reserved_not_negative"),
    CheckConstraint("used + reserved <= limit_units", name="within_limit"),
)
