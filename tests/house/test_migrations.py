"""Migrations lead up, down and up again, and end at the very schema that the tables describe."""

from collections.abc import Iterator
from importlib import import_module

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Inspector, inspect
from sqlalchemy.engine.interfaces import ReflectedIndex

from gen_video.db import migrate
from gen_video.db.database import Database
from gen_video.db.schema import metadata
from tests.house.project import PROJECT

Schema = dict[str, dict[str, list[str]]]
BOOKKEEPING = "alembic_version"

for _file in sorted(PROJECT.glob("gen_video/*/tables.py")):
    import_module(f"gen_video.{_file.parent.name}.tables")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


def test_up_down_and_up_again(database: Database) -> None:
    head = migrate.upgrade(database)
    first = database.read(_describe)

    assert migrate.downgrade(database, "base") == "empty"
    assert database.read(_describe) == {}
    assert migrate.upgrade(database) == head == migrate.head_revision()

    assert database.read(_describe) == first


def test_autogenerate_finds_nothing_to_do(database: Database) -> None:
    migrate.upgrade(database)

    def difference(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))

    assert database.read(difference) == []


def test_the_tables_make_the_same_schema(database: Database) -> None:
    """Alembic compares no CHECK constraints; this does."""
    migrate.upgrade(database)
    migrated = database.read(_describe)
    migrate.downgrade(database, "base")

    database.write(metadata.create_all)

    assert database.read(_describe) == migrated


def _describe(connection: Connection) -> Schema:
    inspector = inspect(connection)
    names = set(inspector.get_table_names()) - {BOOKKEEPING}
    return {name: _describe_table(inspector, name) for name in sorted(names)}


def _describe_table(inspector: Inspector, table: str) -> dict[str, list[str]]:
    columns = [
        f"{column['name']} {column['type']!r} {column['nullable']} {column['default']}"
        for column in inspector.get_columns(table)
    ]
    return {
        "columns": sorted(columns),
        "primary key": [str(inspector.get_pk_constraint(table)["constrained_columns"])],
        "foreign keys": sorted(map(str, inspector.get_foreign_keys(table))),
        "unique": sorted(map(str, inspector.get_unique_constraints(table))),
        "checks": sorted(map(str, inspector.get_check_constraints(table))),
        "indexes": sorted(map(_describe_index, inspector.get_indexes(table))),
    }


def _describe_index(index: ReflectedIndex) -> str:
    options = {name: str(option) for name, option in index.get("dialect_options", {}).items()}
    return f"{index['name']} {index['column_names']} {index['unique']} {options}"
