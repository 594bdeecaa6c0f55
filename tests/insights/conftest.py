"""Databases as the generation tests have them."""

from tests.generation.conftest import (  # noqa: F401 - fixtures are found by their names
    blank_file,
    caller,
    objects,
    open_database,
    postgresql_url,
    shared_postgresql_url,
    studio,
)
