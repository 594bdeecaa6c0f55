"""A pgbouncer of the tests' own, in transaction mode, before the PostgreSQL that the tests use.

It knows every database of that server under the same name, and hands one of few server sessions
from transaction to transaction, so that whoever leaves something in a session is found out.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from benchmarks.ports import find_free_port
from tests.db.private_postgres import ROLE, require_program

START_SECONDS = 10.0
POOL_SIZE = 8
DEBIAN_PROGRAM = Path("/usr/sbin/pgbouncer")

SETTINGS = """
[databases]
* = host={server_host} port={server_port}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users.txt
stats_users = {user}
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 400
query_wait_timeout = 10
server_login_retry = 1
server_idle_timeout = 5
server_connect_timeout = 2
log_connections = 0
log_disconnections = 0
logfile = {folder}/pgbouncer.log
"""


def find_pgbouncer() -> Path | None:
    """Return the program, None when it is not installed."""
    found = shutil.which("pgbouncer")
    if found:
        return Path(found)
    return DEBIAN_PROGRAM if DEBIAN_PROGRAM.exists() else None


class Bouncer:
    """One pgbouncer with its files in `folder`, before the server at `server_url`."""

    def __init__(self, folder: Path, server_url: str, *, pool_size: int = POOL_SIZE) -> None:
        self.port = find_free_port()
        server = make_url(server_url)
        self._folder = folder
        self._user = server.username or ROLE
        self._account = ROLE if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "users.txt").write_text(f'"{self._user}" "{server.password or ""}"\n')
        (folder / "pgbouncer.ini").write_text(
            SETTINGS.format(
                folder=folder,
                user=self._user,
                port=self.port,
                server_host=server.host or "127.0.0.1",
                server_port=server.port or 5432,
                pool_size=pool_size,
            )
        )
        if self._account:
            entry = pwd.getpwnam(self._account)
            for path in (folder, *folder.iterdir()):
                os.chown(path, entry.pw_uid, entry.pw_gid)

    def url_of(self, server_url: str) -> str:
        """Return the URL under which a database of the server is reached through it."""
        through = make_url(server_url).set(host="127.0.0.1", port=self.port)
        return through.render_as_string(hide_password=False)

    def start(self) -> None:
        """Start it, and return when it answers."""
        program = require_program(find_pgbouncer(), "pgbouncer")
        self._process = subprocess.Popen(
            [program, "-q", self._folder / "pgbouncer.ini"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=self._account,
            group=self._account,
            cwd="/",
        )
        # Its own console answers without asking the server.
        console = f"postgresql://{self._user}@127.0.0.1:{self.port}/pgbouncer"
        deadline = time.monotonic() + START_SECONDS
        while True:
            with suppress(psycopg.OperationalError):
                psycopg.connect(console, connect_timeout=2).close()
                return
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"pgbouncer does not start:\n{self.read_log()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop it at once: its clients lose their connections."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(START_SECONDS)
            self._process = None

    def read_log(self) -> str:
        """Return the end of what it wrote."""
        return (self._folder / "pgbouncer.log").read_text(errors="replace")[-2_000:]


@contextmanager
def private_bouncer(server_url: str, *, pool_size: int = POOL_SIZE) -> Iterator[Bouncer]:
    """Start a pgbouncer in a temporary folder, and remove both afterwards."""
    require_program(find_pgbouncer(), "pgbouncer")
    with tempfile.TemporaryDirectory(prefix="gen-video-pgbouncer-") as folder:
        bouncer = Bouncer(Path(folder), server_url, pool_size=pool_size)
        try:
            bouncer.start()
            yield bouncer
        finally:
            bouncer.stop()
