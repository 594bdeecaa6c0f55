"""The servers that some tests need: where they are, whether they answer, fresh databases on them.

Under CI=true a server that does not answer fails the test; elsewhere the test is skipped, and the
end of the run counts such tests aloud.
"""

import os
import socket
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from urllib.parse import urlsplit

import pytest

from benchmarks.databases import fresh_database

IS_CI = os.environ.get("CI", "").lower() in {"1", "true"}  # noqa: TID251 - a setting of the tests
SKIP_WORDS = "is not running"
CONNECT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Service:
    """A server on this machine, or where an environment variable says."""

    title: str
    marker: str
    url: str

    @property
    def address(self) -> tuple[str, int]:
        """Return host and port."""
        parts = urlsplit(self.url)
        return parts.hostname or "127.0.0.1", parts.port or 0


def _from_environment(title: str, default_url: str) -> Service:
    url = os.environ.get(f"GEN_VIDEO_TEST_{title.upper()}_URL", default_url)  # noqa: TID251 - as above
    return Service(title, title.lower(), url)


POSTGRESQL = _from_environment(
    "PostgreSQL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
)
REDIS = _from_environment("Redis", "redis://127.0.0.1:6379/0")
RABBITMQ = _from_environment("RabbitMQ", "amqp://guest:guest@127.0.0.1:5672//")
SERVICES = (POSTGRESQL, REDIS, RABBITMQ)


@cache
def is_running(service: Service) -> bool:
    """Tell whether somebody listens there; asked once per process."""
    try:
        with socket.create_connection(service.address, timeout=CONNECT_SECONDS):
            return True
    except OSError:
        return False


def require_service(service: Service) -> None:
    """Go on when the server answers; else fail under CI and skip elsewhere."""
    if is_running(service):
        return
    host, port = service.address
    reason = f"{service.title} {SKIP_WORDS} at {host}:{port}"
    if IS_CI:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def fresh_postgresql_database() -> AbstractContextManager[str]:
    """Make an empty database with a name of its own, give its URL, and drop it afterwards."""
    return fresh_database(POSTGRESQL.url)
