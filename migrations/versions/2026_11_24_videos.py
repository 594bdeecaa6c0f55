"""Videos: what a file is to its job, how long it plays, and how much work a plan allows.

Revision 2026_11_24_videos, after 2026_11_24_no_truncate.
"""

import sqlalchemy as sa
from alembic import op

revision = "2026_11_24_videos"
down_revision = "2026_11_24_no_truncate"
branch_labels = None
depends_on = None

FRAMES_PER_PICTURE = 16  # of a plan's cap on pictures, the cap that it starts with on videos


def upgrade() -> None:
    """Add the columns; a plan's cap on videos starts as a multiple of its cap on pictures."""
    with op.batch_alter_table("artifacts") as table:
        table.add_column(sa.Column("role", sa.String(10), nullable=False, server_default="output"))
        table.add_column(sa.Column("num_frames", sa.Integer()))
        table.add_column(sa.Column("fps", sa.Integer()))
    with op.batch_alter_table("plans") as table:
        table.add_column(
            sa.Column("max_video_work", sa.BigInteger(), nullable=False, server_default="0")
        )
    plans = sa.table("plans", sa.column("max_work"), sa.column("max_video_work"))
    most = 2**63 - 1
    more = sa.case(
        (plans.c.max_work > most // FRAMES_PER_PICTURE, most),
        else_=plans.c.max_work * FRAMES_PER_PICTURE,
    )
    op.execute(plans.update().values(max_video_work=more))


def downgrade() -> None:
    """Drop the columns."""
    with op.batch_alter_table("plans") as table:
        table.drop_column("max_video_work")
    with op.batch_alter_table("artifacts") as table:
        table.drop_column("fps")
        table.drop_column("num_frames")
        table.drop_column("role")
