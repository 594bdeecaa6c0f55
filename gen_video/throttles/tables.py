"""Tables of the throttles: how much of a window's allowance the processes have leased.

`window` is the second since 1970 with which the window starts.
"""

from sqlalchemy import BigInteger, Column, Integer, String, Table

from gen_video.db.schema import metadata

rate_windows = Table(
    "rate_windows",
    metadata,
    Column("owner", String(120), primary_key=True),
    Column("window", BigInteger, primary_key=True),
    Column("hits", Integer, nullable=False),
)
