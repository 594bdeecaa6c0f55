"""Private brokers that a test may kill, freeze and empty, and what the tests say to real ones."""

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import redis
from kombu import Connection
from kombu.exceptions import KombuError

from benchmarks.ports import find_free_port
from gen_video.ids import new_id
from gen_video.queues.celery_app import bound_waits, build_celery
from gen_video.queues.wakeups import queue_name
from gen_video.settings import process_environment
from tests.services import REDIS

START_SECONDS, SOON_SECONDS, QUIET_SECONDS = 120.0, 15.0, 0.5
RABBITMQ_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
RABBITMQ_CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{port}
log.console = false
log.file = false
disk_free_limit.absolute = 50MB
"""


class Heard:
    """What a listener was called with; may be made to hold each call.

    Attributes:
        calls: Queue and job id of every call, in order.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self._changed = threading.Condition()
        self._door = threading.Event()
        self._door.set()

    @property
    def job_ids(self) -> list[str]:
        return [job_id for _, job_id in self.calls]

    def __call__(self, queue: str, job_id: str) -> None:
        with self._changed:
            self.calls.append((queue, job_id))
            self._changed.notify_all()
        self._door.wait(60)

    def hold(self) -> None:
        """Let calls begin and not return."""
        self._door.clear()

    def release(self) -> None:
        """Let calls return."""
        self._door.set()

    def has(self, count: int, *, within_seconds: float = SOON_SECONDS) -> bool:
        """Wait until there were so many calls."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.calls) >= count, within_seconds)


class Broker:
    """A broker that runs somewhere, seen by whoever may write anything into it."""

    def __init__(self, url: str) -> None:
        self.url = url

    @contextmanager
    def fresh_queue(self) -> Iterator[str]:
        """Give the name of a queue of this test's own, and delete the queue afterwards."""
        name = queue_name(f"t{uuid.uuid4().hex[:12]}", "image", "free")
        try:
            yield name
        finally:
            with suppress(OSError, KombuError):  # a test may leave its own broker dead
                self.delete_queue(name)

    def delete_queue(self, name: str) -> None:
        """Delete a queue and what waits in it; on Redis a queue is no more than what waits."""
        with self.connect() as connection, suppress(*connection.channel_errors):
            connection.channel().queue_purge(name)
            connection.channel().queue_delete(name)

    def connect(self) -> Connection:
        """Return an open connection with the options of the service."""
        connection = build_celery(self.url).connection_for_write(heartbeat=0)
        connection.ensure_connection(max_retries=1, timeout=3)
        bound_waits(connection)
        return connection

    def put(
        self,
        queue: str,
        body: bytes | str,
        *,
        content_type: str = "application/json",
        headers: dict[str, object] | None = None,
    ) -> None:
        """Write one message of any form."""
        with self.connect() as connection:
            connection.Producer().publish(
                body,
                exchange="",
                routing_key=queue,
                content_type=content_type,
                content_encoding="binary" if isinstance(body, bytes) else "utf-8",
                headers=headers or {},
                retry=False,
            )


class PrivateBroker(Broker):
    """A broker of this test's own, on a port that it keeps."""

    def __init__(self, url: str, start: Callable[[], subprocess.Popen[bytes]], port: int) -> None:
        super().__init__(url)
        self._start = start
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return when it lets clients in."""
        self._process = self._start()
        wait_until(self._is_open, seconds=START_SECONDS)

    def is_running(self) -> bool:
        """Tell whether its process lives."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End it without a chance to tidy up."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(10)
        wait_until(lambda: not is_listening(self._port), seconds=SOON_SECONDS)

    def freeze(self) -> None:
        """Let it answer nothing, with every connection still open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _is_open(self) -> bool:
        with suppress(Exception), self.connect():
            return True
        return False


@contextmanager
def private_redis(folder: Path) -> Iterator[PrivateBroker]:
    """Run a Redis that keeps nothing on disk."""
    port = find_free_port()
    command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port)]
    command += ["--save", "", "--appendonly", "no", "--dir", str(folder)]
    broker = PrivateBroker(
        f"redis://127.0.0.1:{port}/0", lambda: _run(command, process_environment()), port
    )
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()


@contextmanager
def private_rabbitmq(folder: Path) -> Iterator[PrivateBroker]:
    """Run a RabbitMQ node with a name service and folders of its own."""
    port, distribution_port, names_port = find_free_port(), find_free_port(), find_free_port()
    (folder / "rabbitmq.conf").write_text(RABBITMQ_CONFIGURATION.format(port=port))
    (folder / "enabled_plugins").write_text("[].\n")
    environment = (
        process_environment()
        | {
            "HOME": str(folder),  # the secret that nodes share lies in the home folder
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(names_port),
            "RABBITMQ_NODENAME": f"gv{uuid.uuid4().hex[:10]}@localhost",
            "RABBITMQ_DIST_PORT": str(distribution_port),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
        }
    )
    program = str(RABBITMQ_SERVER if RABBITMQ_SERVER.exists() else _which("rabbitmq-server"))
    with ExitStack() as stack:
        names = _run(["epmd", "-address", "127.0.0.1", "-port", str(names_port)], environment)
        stack.callback(names.kill)
        wait_until(lambda: is_listening(names_port), seconds=SOON_SECONDS)
        broker = PrivateBroker(
            f"amqp://guest:guest@127.0.0.1:{port}//", lambda: _run([program], environment), port
        )
        stack.callback(broker.kill)
        broker.start()
        yield broker


def wake_body(job_id: str) -> str:
    """Return the body of a wake-up as Celery writes it."""
    embedded = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    return json.dumps([[job_id], {}, embedded])


def push_raw(url: str, queue: str, entry: bytes) -> None:
    """Write an entry into the list of a queue of Redis, past everything that knows messages."""
    with redis.Redis.from_url(url) as client:
        client.lpush(f"gen_video:{queue}", entry)


def new_job() -> str:
    return new_id("job")


def wait_until(is_reached: Callable[[], bool], *, seconds: float = SOON_SECONDS) -> None:
    """Look until a condition holds.

    Raises:
        TimeoutError: It does not come true in time.
    """
    until = time.monotonic() + seconds
    while not is_reached():
        if time.monotonic() > until:
            raise TimeoutError(f"not within {seconds} seconds")
        time.sleep(0.05)


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def shared_redis_url() -> str:
    """Return the URL of a database of the shared Redis that no other test uses."""
    return f"{REDIS.url.rpartition('/')[0]}/7"


def _run(command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _which(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise FileNotFoundError(program)
    return path
