"""PostgreSQL for measures: where it is, whether it answers, fresh databases on it."""

import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

POSTGRESQL_URL = os.environ.get(  # noqa: TID251 - a setting of the measures, like that of the tests
    "GEN_VIDEO_TEST_POSTGRESQL_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
)
CONNECT_SECONDS = 2.0


def answers(url: str, *, port: int) -> bool:
    """Tell whether somebody listens at a URL."""
    address = make_url(url)
    try:
        with socket.create_connection(
            (address.host or "127.0.0.1", address.port or port), timeout=CONNECT_SECONDS
        ):
            return True
    except OSError:
        return False


def has_postgresql() -> bool:
    """Tell whether there is a PostgreSQL server to measure on."""
    return answers(POSTGRESQL_URL, port=5432)


@contextmanager
def fresh_database(server_url: str = POSTGRESQL_URL) -> Iterator[str]:
    """Make an empty database on a PostgreSQL server, give its URL, and drop it afterwards."""
    name = f"gen_video_{uuid.uuid4().hex}"
    administrator = server_url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(administrator, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield f"{server_url.rpartition('/')[0]}/{name}"
    finally:
        with psycopg.connect(administrator, autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )
