"""The service under measurement: real processes on folders and a port of their own."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from benchmarks.plans import ample_plan
from benchmarks.ports import find_free_port
from gen_video.settings import Settings
from gen_video.wiring import build_services

PROJECT_FOLDER = Path(__file__).resolve().parent.parent
PATIENCE_SECONDS = 120.0
POLL_SECONDS = 0.005


@dataclass(frozen=True, kw_only=True)
class Target:
    """A running service: its port, a key without limits, and its first process."""

    port: int
    key: str
    process: psutil.Process

    @property
    def url(self) -> str:
        """Return the address."""
        return f"http://127.0.0.1:{self.port}"

    def web(self) -> psutil.Process:
        """Return the process that answers HTTP."""
        family = [self.process, *self.process.children(recursive=True)]
        return next(member for member in family if "web" in member.cmdline())


def environment(folder: Path, port: int, settings: Mapping[str, str]) -> dict[str, str]:
    """Return what the processes see: nothing of the developer's own settings."""
    inherited = {
        name: text
        for name, text in os.environ.items()  # noqa: TID251 - for a child
        if not name.startswith("GEN_VIDEO_")
    }
    chosen = {
        "DATA_DIR": str(folder / "data"),
        "OUTPUT_DIR": str(folder / "outputs"),
        "PORT": str(port),
        "LOG_LEVEL": "WARNING",
        "LOG_FORMAT": "json",
    } | dict(settings)
    return inherited | {f"GEN_VIDEO_{name}": text for name, text in chosen.items()}


def prepare(folder: Path, *, database_url: str = "") -> str:
    """Make a database, in the folder without a URL; return a key whose account has no limits."""
    services = build_services(
        Settings(_env_file=None, data_dir=folder / "data", database_url=database_url)
    )
    try:
        services.migrate()
        services.accounts.save_plan(ample_plan("ample"))
        services.accounts.create_account("bench", plan_id="ample")
        return services.accounts.create_key("bench").plaintext
    finally:
        services.close()


@contextmanager
def running(
    folder: Path, command: str, *, settings: Mapping[str, str] | None = None
) -> Iterator[Target]:
    """Run `gen-video serve` or `gen-video web` until the block ends."""
    chosen = settings or {}
    key = prepare(folder, database_url=chosen.get("DATABASE_URL", ""))
    port = find_free_port()
    process = start(folder, command, port=port, settings=chosen)
    try:
        wait_for(port, "/api/v1/health/live")
        yield Target(port=port, key=key, process=process)
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_SECONDS)


def start(folder: Path, command: str, *, port: int, settings: Mapping[str, str]) -> psutil.Popen:
    """Start the processes and do not wait."""
    with (folder / "service.log").open("ab") as log:
        return psutil.Popen(
            [sys.executable, "-m", "gen_video", command],
            cwd=PROJECT_FOLDER,
            env=environment(folder, port, settings),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def wait_for(port: int, path: str) -> float:
    """Wait until an address answers with a success; return the moment."""
    give_up_at = time.perf_counter() + PATIENCE_SECONDS
    while time.perf_counter() < give_up_at:
        try:
            if httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False).is_success:
                return time.perf_counter()
        except httpx.TransportError:
            pass
        time.sleep(POLL_SECONDS)
    raise TimeoutError(path)
