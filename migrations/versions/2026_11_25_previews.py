"""Previews: small pictures of unfinished work, for those who follow a job.

Revision 2026_11_25_previews, after 2026_11_24_queues. The code of 2026_11_24_queues can run on this
schema: what it adds has defaults, and nothing that it wrote is changed.
"""

import sqlalchemy as sa
from alembic import op

from gen_video.db.compatibility import allow_code

revision = "2026_11_25_previews"
down_revision = "2026_11_24_queues"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table of previews, and their number to the jobs."""
    op.add_column("jobs", sa.Column("previews", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "job_previews",
        sa.Column("job_id", sa.String(40), sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("mime", sa.String(60), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_job_previews_created_at", "job_previews", ["created_at"])
    allow_code(op.get_bind(), revision, down_revision)


def downgrade() -> None:
    """Drop both; previews are thrown away after a while in any case."""
    op.drop_index("ix_job_previews_created_at", "job_previews")
    op.drop_table("job_previews")
    op.drop_column("jobs", "previews")
