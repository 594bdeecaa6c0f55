"""Alembic's entry: migrates the database whose connection the caller hands over."""

from alembic import context
from sqlalchemy import Connection, create_engine

from gen_video.accounts import tables as accounts_tables
from gen_video.audit_log import tables as audit_log_tables
from gen_video.billing import tables as billing_tables
from gen_video.calls import tables as calls_tables
from gen_video.db.schema import metadata
from gen_video.generation import tables as generation_tables
from gen_video.quotas import tables as quotas_tables
from gen_video.throttles import tables as throttles_tables
from gen_video.webhooks import tables as webhooks_tables

REGISTERED = (
    accounts_tables,
    audit_log_tables,
    billing_tables,
    calls_tables,
    generation_tables,
    quotas_tables,
    throttles_tables,
    webhooks_tables,
)


def run(connection: Connection) -> None:
    """Run the migrations on one connection, all in one transaction."""
    context.configure(
        connection=connection, target_metadata=metadata, render_as_batch=True, compare_type=True
    )
    with context.begin_transaction():
        context.run_migrations()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    url = context.get_x_argument(as_dictionary=True)["url"]
    with create_engine(url).connect() as own_connection:
        run(own_connection)
