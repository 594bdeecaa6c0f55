"""Which older code may run on the schema of this database.

Code knows the migrations that it came with, never later ones. So a migration that code of the
release before it can live with says so in the database, and that code reads it there at its start:
one release of rollback. A row counts for one revision of the schema only: the next migration has
to say anew what may run.
"""

from sqlalchemy import Column, Connection, String, Table, delete, insert, inspect, select

from gen_video.db.schema import metadata

schema_compatibility = Table(
    "schema_compatibility",
    metadata,
    Column("schema_revision", String(60), primary_key=True),
    Column("code_revision", String(60), primary_key=True),
)


def allow_code(connection: Connection, schema_revision: str, *code_revisions: str) -> None:
    """Say, in a migration, which older code may run on the schema that it makes.

    Args:
        connection: That of the migration, `op.get_bind()`.
        schema_revision: The migration's own revision.
        code_revisions: Newest revisions that such code knows; usually `down_revision` alone.
    """
    connection.execute(
        delete(schema_compatibility).where(
            schema_compatibility.c.schema_revision == schema_revision
        )
    )
    for code_revision in code_revisions:
        connection.execute(
            insert(schema_compatibility).values(
                schema_revision=schema_revision, code_revision=code_revision
            )
        )


def is_code_allowed(connection: Connection, schema_revision: str, code_revision: str) -> bool:
    """Tell whether code whose newest migration is `code_revision` may run on a newer schema."""
    if not inspect(connection).has_table(schema_compatibility.name):
        return False
    found = connection.execute(
        select(schema_compatibility.c.code_revision).where(
            schema_compatibility.c.schema_revision == schema_revision,
            schema_compatibility.c.code_revision == code_revision,
        )
    )
    return found.first() is not None
