"""Migrations: bring a database to the schema of this version, or say that it is not there.

All migrations of one call run in one transaction, on SQLite and PostgreSQL alike.
"""

from collections.abc import Callable
from pathlib import Path

import alembic.command
import structlog
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from gen_video.db.database import Database, DatabaseUnavailableError
from gen_video.errors import ServiceError

CONFIG_FILE = Path(__file__).resolve().parent.parent.parent / "alembic.ini"
ADVISORY_LOCK = 7_301_906_221

log = structlog.get_logger(__name__)


class SchemaError(ServiceError):
    """The database is not at the schema of this version."""

    code = "schema_outdated"
    status = 503
    message_en = "The database is at {found}, this version needs {wanted}. Run: gen-video migrate"
    message_zh = "数据库版本为 {found}，本程序需要 {wanted}。请运行：gen-video migrate"


def head_revision() -> str:
    """Return the revision that this version of the code needs."""
    head = ScriptDirectory.from_config(Config(str(CONFIG_FILE))).get_current_head()
    if head is None:
        raise SchemaError(found="?", wanted="?")
    return head


def find_revision(database: Database) -> str | None:
    """Return the revision that a database is at, None for an empty one."""

    def work(connection: Connection) -> str | None:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.execute(
            text("SELECT version_num FROM alembic_version")
        ).scalar_one_or_none()
        return found

    return database.read(work)


def require_schema(database: Database) -> None:
    """Check that the database is at this version's schema.

    Raises:
        SchemaError: It is older, newer or empty.
    """
    found, wanted = find_revision(database), head_revision()
    if found != wanted:
        raise SchemaError(found=found or "empty", wanted=wanted)


def upgrade(database: Database, revision: str = "head") -> str:
    """Migrate upwards and return the revision; a failed migration leaves everything as it was."""
    return _migrate(database, revision, alembic.command.upgrade)


def downgrade(database: Database, revision: str) -> str:
    """Migrate downwards and return the revision."""
    return _migrate(database, revision, alembic.command.downgrade)


def _migrate(database: Database, revision: str, command: Callable[[Config, str], None]) -> str:
    config = Config(str(CONFIG_FILE))

    def work(connection: Connection) -> None:
        if not database.is_sqlite:
            # Two processes that start at once: the second waits and finds nothing to do.
            connection.execute(text(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))
        config.attributes["connection"] = connection
        command(config, revision)

    try:
        database.write(work)
    except (DBAPIError, DatabaseUnavailableError):
        log.exception("migration_failed", revision=revision)
        raise
    return find_revision(database) or "empty"
