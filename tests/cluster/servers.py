"""Servers of a cluster, private to it: PostgreSQL, Redis, RabbitMQ and an S3 of one process.

Each listens on a free port of this machine and keeps it over restarts, so that its clients find
it again. PostgreSQL and RabbitMQ find their data again; Redis starts empty, which is the harder
case for those who rely on it. The object store keeps its data in memory: it may be frozen, and is
never killed.
"""

import shutil
import sys
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import httpx
import redis
from kombu import Connection

from benchmarks.ports import find_free_ports
from tests.cluster.programs import (
    ClusterError,
    Program,
    inherited_environment,
    is_listening,
    wait_until,
)
from tests.db.private_postgres import PrivatePostgres

START_SECONDS = 120.0
STOP_SECONDS = 15.0
BUCKET = "pictures"
RABBITMQ_PROGRAMS = (
    Path("/usr/lib/rabbitmq/bin/rabbitmq-server"),
    Path("/opt/rabbitmq/sbin/rabbitmq-server"),
)
RABBITMQ_CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{port}
log.console = true
log.console.level = warning
log.file = false
disk_free_limit.absolute = 50MB
"""


class Server(Protocol):
    """What the scenarios do to a server."""

    def start(self) -> None:
        """Start it, and return when it answers."""

    def stop(self) -> None:
        """Stop it in order."""

    def kill(self) -> None:
        """End it without a chance to tidy up."""

    def freeze(self) -> None:
        """Let nobody answer any more, with every connection still open."""

    def thaw(self) -> None:
        """Let it go on."""


class RedisServer:
    """Redis that keeps nothing on disk: whoever kills it has emptied it."""

    def __init__(self, folder: Path) -> None:
        [self.port] = find_free_ports(1)
        self.url = f"redis://127.0.0.1:{self.port}/0"
        arguments = ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port)]
        arguments += ["--save", "", "--appendonly", "no", "--dir", str(folder)]
        self.program = Program("redis", arguments, folder=folder)

    def start(self) -> None:
        """Start it, and return when it answers."""
        _start(self.program, self.port)

    def stop(self) -> None:
        """Stop it in order."""
        _stop(self.program)

    def kill(self) -> None:
        """End it without a chance to tidy up."""
        self.program.kill_tree()

    def freeze(self) -> None:
        """Let nobody answer any more, with every connection still open."""
        self.program.freeze()

    def thaw(self) -> None:
        """Let it go on."""
        self.program.thaw()

    def connect(self) -> redis.Redis:
        """Return a client."""
        return redis.Redis.from_url(self.url, socket_timeout=5, socket_connect_timeout=2)


class RabbitServer:
    """A RabbitMQ node with a name, a name service and folders of its own."""

    def __init__(self, folder: Path) -> None:
        self.port, distribution_port, self._names_port = find_free_ports(3)
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        folder.mkdir(parents=True, exist_ok=True)
        configuration = folder / "rabbitmq.conf"
        configuration.write_text(RABBITMQ_CONFIGURATION.format(port=self.port), encoding="utf-8")
        (folder / "enabled_plugins").write_text("[].\n", encoding="utf-8")
        self.environment = {
            # The secret that nodes and tools share lies in the home folder.
            "HOME": str(folder),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._names_port),
            "RABBITMQ_NODENAME": f"gv{uuid.uuid4().hex[:10]}@localhost",
            "RABBITMQ_DIST_PORT": str(distribution_port),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(configuration),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
            # Busy schedulers would take the two cores from those who are tested.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
        }
        self._names = Program(
            "epmd",
            ["epmd", "-address", "127.0.0.1", "-port", str(self._names_port)],
            folder=folder,
        )
        self.program = Program(
            "rabbitmq", [str(find_rabbitmq())], folder=folder, environment=self.environment
        )

    def start(self) -> None:
        """Start it, and return when it answers."""
        if not self._names.is_running():
            _start(self._names, self._names_port)
        _start(self.program, self.port)
        wait_until(self._is_open, seconds=START_SECONDS, what="RabbitMQ lets clients in")

    def stop(self) -> None:
        """Stop it in order."""
        _stop(self.program)
        self._names.kill_tree()

    def kill(self) -> None:
        """End it without a chance to tidy up."""
        self.program.kill_tree()

    def freeze(self) -> None:
        """Let nobody answer any more, with every connection still open."""
        self.program.freeze()

    def thaw(self) -> None:
        """Let it go on."""
        self.program.thaw()

    def connect(self) -> Connection:
        """Return a connection, not opened yet."""
        return Connection(self.url, connect_timeout=2)

    def _is_open(self) -> bool:
        with self.connect() as connection:
            try:
                connection.ensure_connection(max_retries=1, timeout=2)
            except (OSError, *connection.connection_errors):
                return False
            return True


class ObjectServer:
    """S3 in one process, its data in memory: it may be frozen, and is never killed."""

    def __init__(self, folder: Path) -> None:
        [self.port] = find_free_ports(1)
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.url = f"s3://{BUCKET}/cluster"
        arguments = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        self.program = Program("s3", arguments, folder=folder)

    def start(self) -> None:
        """Start it with an empty bucket, and return when it answers."""
        _start(self.program, self.port)
        httpx.put(f"{self.endpoint}/{BUCKET}", trust_env=False).raise_for_status()

    def stop(self) -> None:
        """Stop it."""
        self.program.thaw()
        self.program.kill_tree()

    def kill(self) -> None:
        """Refuse: what it holds would be gone, which no object store does."""
        raise ClusterError("the object store is never killed")

    def freeze(self) -> None:
        """Let nobody answer any more, with every connection still open."""
        self.program.freeze()

    def thaw(self) -> None:
        """Let it go on."""
        self.program.thaw()


class DatabaseServer(PrivatePostgres):
    """PostgreSQL in a folder that the account `postgres` can reach."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(folder)

    @property
    def address(self) -> str:
        """Return the URL for a client of the database itself."""
        return self.url.replace("postgresql+psycopg://", "postgresql://")


def find_rabbitmq() -> Path:
    """Return the script that starts a node as the account that runs it."""
    for path in RABBITMQ_PROGRAMS:
        if path.exists():
            return path
    found = shutil.which("rabbitmq-server")
    if found is None:
        raise ClusterError("rabbitmq-server is not installed")
    return Path(found)


def tools_environment(server: RabbitServer) -> dict[str, str]:
    """Return what RabbitMQ's own tools need to find a node."""
    return inherited_environment() | server.environment


def _start(program: Program, port: int) -> None:
    program.start()

    def answers() -> bool:
        if not program.is_running():
            raise ClusterError(f"{program.name} ended:\n{program.read_log()[-3000:]}")
        return is_listening(port)

    wait_until(answers, seconds=START_SECONDS, what=f"{program.name} answers")


def _stop(program: Program) -> None:
    program.thaw()
    program.ask_to_stop()
    # One that is just starting may not hear: here it only has to be gone.
    with suppress(ClusterError):
        program.wait(seconds=STOP_SECONDS)
    program.kill_tree()
