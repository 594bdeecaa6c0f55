"""Migrations: bring a database to the schema of this version, or say that it is not there.

All migrations of one call run in one transaction, on SQLite and PostgreSQL alike. On PostgreSQL
they never stand in the way of the service for long: a statement that wants to change a table queues
every later reader behind itself while it waits for its lock, so it waits `LOCK_SECONDS` at most,
gives everything back, and tries again a little later.
"""

import random
import time
from collections.abc import Callable
from pathlib import Path

import alembic.command
import structlog
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from gen_video.db import postgresql
from gen_video.db.compatibility import is_code_allowed
from gen_video.db.database import Database, DatabaseUnavailableError
from gen_video.errors import ServiceError

CONFIG_FILE = Path(__file__).resolve().parent.parent.parent / "alembic.ini"
ADVISORY_LOCK = 7_301_906_221

LOCK_SECONDS = 5.0
LOCK_ATTEMPTS = 5
PAUSE_SECONDS = 2.0
STATEMENT_SECONDS = 3_600.0
"""What one statement of a migration may take, and the wait for another process that migrates."""

log = structlog.get_logger(__name__)


class SchemaError(ServiceError):
    """The database is not at the schema of this version."""

    code = "schema_outdated"
    status = 503
    message_en = "The database is at {found}, this version needs {wanted}. Run: gen-video migrate"
    message_zh = "数据库版本为 {found}，本程序需要 {wanted}。请运行：gen-video migrate"


class SchemaTooNewError(SchemaError):
    """A newer version migrated the database, and this one may not run on it."""

    code = "schema_too_new"
    message_en = (
        "The database is at {found}, made by a newer version; this one knows {wanted} and cannot"
        " run on it. Start the newer version, or restore a backup from before the upgrade"
    )
    message_zh = (
        "数据库版本为 {found}，由更新的程序迁移；本程序只认识 {wanted}，无法在其上运行。"
        "请启动新版本，或恢复升级之前的备份"
    )


class MigrationBlockedError(ServiceError):
    """Other transactions held locks that the migration needs; nothing was changed."""

    code = "migration_blocked"
    status = 503
    is_retryable = True
    message_en = (
        "The migration waited {attempts} times for {seconds} s for a table that another"
        " transaction holds. Nothing was changed. Find it with: SELECT pid, state, query FROM"
        " pg_stat_activity WHERE xact_start < now() - interval '5 s'; let it end, then run again"
    )
    message_zh = (
        "迁移等待被其他事务占用的表，共 {attempts} 次，每次 {seconds} 秒。数据库未作任何更改。"
        "可用以下语句找到该事务：SELECT pid, state, query FROM pg_stat_activity"
        " WHERE xact_start < now() - interval '5 s'；待其结束后重新运行"
    )


def head_revision() -> str:
    """Return the revision that this version of the code needs."""
    head = _scripts().get_current_head()
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
    """Check that this version may run on the database: at its own schema, or one that allows it.

    Raises:
        SchemaError: It is older or empty.
        SchemaTooNewError: It is newer, and does not say that this version may run on it.
    """
    found, wanted = find_revision(database), head_revision()
    if found != wanted and not _runs_on_newer(database, found):
        raise SchemaError(found=found or "empty", wanted=wanted)


def upgrade(database: Database, revision: str = "head") -> str:
    """Migrate upwards and return the revision; a failed migration leaves everything as it was.

    A newer schema that allows this version is left as it is.

    Raises:
        MigrationBlockedError: Other transactions hold what it needs.
        SchemaTooNewError: The database is newer than this version, which may not run on it.
    """
    found = find_revision(database)
    if found is not None and _runs_on_newer(database, found):
        return found
    return _migrate(database, revision, alembic.command.upgrade)


def downgrade(database: Database, revision: str) -> str:
    """Migrate downwards and return the revision."""
    return _migrate(database, revision, alembic.command.downgrade)


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(Config(str(CONFIG_FILE)))


def _runs_on_newer(database: Database, found: str | None) -> bool:
    """Tell whether the schema is newer than this version and allows it; refuse one that does not.

    A revision that this version does not know was made by a newer one.
    """
    if found is None or found in {script.revision for script in _scripts().walk_revisions()}:
        return False
    wanted = head_revision()
    if not database.read(lambda connection: is_code_allowed(connection, found, wanted)):
        raise SchemaTooNewError(found=found, wanted=wanted)
    log.warning("schema_is_newer", found=found, wanted=wanted)
    return True


def _migrate(database: Database, revision: str, command: Callable[[Config, str], None]) -> str:
    for attempt in range(1, LOCK_ATTEMPTS + 1):
        try:
            _migrate_once(database, revision, command)
            return find_revision(database) or "empty"
        except (DBAPIError, DatabaseUnavailableError) as error:
            if not _is_blocked(error):
                log.exception("migration_failed", revision=revision)
                raise
            log.warning("migration_waits_for_locks", revision=revision, attempt=attempt)
        if attempt < LOCK_ATTEMPTS:
            time.sleep(PAUSE_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
    raise MigrationBlockedError(attempts=LOCK_ATTEMPTS, seconds=LOCK_SECONDS)


def _migrate_once(
    database: Database, revision: str, command: Callable[[Config, str], None]
) -> None:
    config = Config(str(CONFIG_FILE))

    def work(connection: Connection) -> None:
        if not database.is_sqlite:
            _take_turn(connection)
        config.attributes["connection"] = connection
        command(config, revision)

    with database.patient(statement_seconds=STATEMENT_SECONDS) as patient:
        patient.write(work)


def _take_turn(connection: Connection) -> None:
    # Two processes that start at once: the second waits, as long as it takes, and finds nothing
    # to do. Only the locks of tables are waited for briefly.
    connection.execute(text("SET LOCAL lock_timeout = 0"))
    connection.execute(text(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))
    connection.execute(text(f"SET LOCAL lock_timeout = {round(1000 * LOCK_SECONDS)}"))


def _is_blocked(error: BaseException) -> bool:
    cause = error.__cause__ if isinstance(error, DatabaseUnavailableError) else error
    original = cause.orig if isinstance(cause, DBAPIError) else None
    return postgresql.find_sqlstate(original) == postgresql.LOCK_NOT_AVAILABLE
