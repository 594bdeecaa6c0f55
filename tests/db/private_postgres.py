"""A PostgreSQL of a test's own, that it may kill, freeze and start again.

It listens on a free port of this machine and trusts everybody there. The port stays the same over
restarts. PostgreSQL refuses to run as root, so a test that runs as root hands the folder to the
account `postgres`.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from benchmarks.ports import find_free_port
from tests.services import IS_CI

ROLE = "postgres"
START_SECONDS = 30.0
STOP_SECONDS = 15.0
DEBIAN_FOLDERS = Path("/usr/lib/postgresql")


def require_program(program: Path | None, title: str) -> Path:
    """Return the program; without it fail under CI and skip elsewhere."""
    if program is not None:
        return program
    reason = f"{title} is not installed"
    if IS_CI:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def find_server_program(name: str) -> Path | None:
    """Return one of the server's programs, the newest when several versions are installed."""
    versions = sorted(DEBIAN_FOLDERS.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    if versions:
        return versions[-1]
    found = shutil.which(name)
    return Path(found) if found else None


class PrivatePostgres:
    """One server with its data in `folder`, made at the first start.

    Args:
        folder: Lies where the account `postgres` can reach it: not below a folder of mode 0700.
        settings: Lines of postgresql.conf such as `max_connections=20`.
    """

    def __init__(self, folder: Path, settings: Sequence[str] = ()) -> None:
        self.port = find_free_port()
        self._data = folder / "data"
        self._log = folder / "postgres.log"
        self._settings = tuple(settings)
        self._account = ROLE if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        if self._account:
            entry = pwd.getpwnam(self._account)
            os.chown(folder, entry.pw_uid, entry.pw_gid)

    @property
    def url(self) -> str:
        """Return the SQLAlchemy URL of its database `postgres`."""
        return f"postgresql+psycopg://{ROLE}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it, and return when it answers."""
        if not self._data.exists():
            self._initialise()
        options = [
            f"port={self.port}",
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            # A killed process leaves its writes with the kernel: syncing would only cost time.
            "fsync=off",
            *self._settings,
        ]
        arguments = [part for option in options for part in ("-c", option)]
        program = require_program(find_server_program("postgres"), "PostgreSQL server")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [program, "-D", self._data, *arguments],
                stdout=log,
                stderr=log,
                user=self._account,
                group=self._account,
                cwd="/",
            )
        self._wait_until_ready()

    def stop(self) -> None:
        """Stop it in order: transactions are broken off, everything is written down."""
        if self._process is None:
            return
        self.thaw()
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """Kill every process of it, as the kernel does when memory ends."""
        if self._process is None:
            return
        self._signal_all(signal.SIGKILL)
        self._process.wait(STOP_SECONDS)
        self._process = None

    def freeze(self) -> None:
        """Stop every process of it: the kernel still accepts connections and nobody answers."""
        self._signal_all(signal.SIGSTOP)

    def freeze_only(self, pid: int) -> None:
        """Stop one of its sessions, and leave the others."""
        if pid not in _children_of(self._running.pid):
            raise ValueError(f"{pid} is no session of this server")
        os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        self._signal_all(signal.SIGCONT)

    def read_log(self) -> str:
        """Return what the server wrote."""
        return self._log.read_text(errors="replace")

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("PostgreSQL is not running")
        return self._process

    def _initialise(self) -> None:
        program = require_program(find_server_program("initdb"), "PostgreSQL server")
        subprocess.run(
            [
                program,
                f"--pgdata={self._data}",
                f"--username={ROLE}",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ],
            check=True,
            capture_output=True,
            user=self._account,
            group=self._account,
            cwd="/",
        )

    def _wait_until_ready(self) -> None:
        address = self.url.replace("+psycopg", "")
        deadline = time.monotonic() + START_SECONDS
        while True:
            with suppress(psycopg.OperationalError), psycopg.connect(address, connect_timeout=2):
                return
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"PostgreSQL ended at its start:\n{self.read_log()}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"PostgreSQL does not answer:\n{self.read_log()}")
            time.sleep(0.05)

    def _signal_all(self, number: signal.Signals) -> None:
        # Every backend leads a session of its own, so no group signal reaches all of them. The
        # parent comes first: a stopped one starts no further children.
        if self._process is None:
            return
        self._process.send_signal(number)
        for child in _children_of(self._process.pid):
            with suppress(ProcessLookupError):
                os.kill(child, number)


@contextmanager
def private_postgres(settings: Sequence[str] = ()) -> Iterator[PrivatePostgres]:
    """Start a server in a temporary folder, and remove both afterwards."""
    require_program(find_server_program("initdb"), "PostgreSQL server")
    with tempfile.TemporaryDirectory(prefix="gen-video-postgres-") as folder:
        server = PrivatePostgres(Path(folder), settings)
        try:
            server.start()
            yield server
        finally:
            server.stop()


def _children_of(parent: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The command in parentheses may hold spaces; the parent is the second field after it.
            fields = status.read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent:
                found.append(int(status.parent.name))
    return found
