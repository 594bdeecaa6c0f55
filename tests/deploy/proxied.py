"""Two real web processes and a worker behind the reverse proxy that `deploy/` ships."""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest
from typing_extensions import override

from benchmarks.ports import find_free_ports
from tests.deploy.project import CADDYFILE
from tests.journeys.service import PROJECT_FOLDER, TEST_KEY, RunningService
from tests.services import IS_CI, SKIP_WORDS

WEBS = ("web-1", "web-2")


class ProxiedService(RunningService):
    """Processes like those of `compose.yaml`, on this machine; nobody supervises them.

    Args:
        folder: Where data, pictures and logs go.
        program: The proxy's.
    """

    def __init__(self, folder: Path, *, program: str) -> None:
        super().__init__(
            folder,
            settings={"METRICS_ACCESS": "open", "DRAIN_SECONDS": "10", "DRAIN_NOTICE_SECONDS": "5"},
        )
        self.ports = dict(zip(WEBS, find_free_ports(len(WEBS)), strict=True))
        self.processes: dict[str, psutil.Popen] = {}
        self._program = program
        self.more_environment: dict[str, str] = {}

    @property
    @override
    def environment(self) -> dict[str, str]:
        return super().environment | self.more_environment

    @override
    def start(self) -> None:
        """Migrate, then start everything and wait until the proxy lets requests through."""
        self.folder.mkdir(parents=True, exist_ok=True)
        migrated = self.run_command("migrate")
        assert migrated.returncode == 0, migrated.stderr
        for name in WEBS:
            self._spawn(name, self._web_command(name), self.environment)
        self._spawn("worker", [sys.executable, "-m", "gen_video", "worker"], self.environment)
        self._start_proxy()
        for name in WEBS:
            self.wait_until(partial(_answers, self.ports[name]), seconds=60)
        self.wait_until(self.is_ready, seconds=60)
        self.wait_until(self.has_worker, seconds=60)

    def start_web(self, name: str) -> None:
        """Start one web process and wait until it is ready."""
        self._spawn(name, self._web_command(name), self.environment)
        self.wait_until(partial(_answers, self.ports[name]), seconds=60)

    def terminate(self, name: str) -> None:
        """Ask one process to stop."""
        self.processes[name].terminate()

    def is_ready(self) -> bool:
        """Tell whether the proxy finds a web process that is ready."""
        try:
            return self.client.get("/api/v1/health/ready").is_success
        except httpx.TransportError:
            return False

    def has_worker(self) -> bool:
        """Tell whether the worker has given a sign of life."""
        return bool(self.client.get("/api/v1/health").json()["checks"]["engine"] == "ok")

    def close(self) -> None:
        """Stop everything that was started."""
        self.client.close()
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
        _, alive = psutil.wait_procs(list(self.processes.values()), timeout=30)
        for process in alive:
            process.kill()

    def _web_command(self, name: str) -> list[str]:
        return [sys.executable, "-m", "gen_video", "web", "--port", str(self.ports[name])]

    def _start_proxy(self) -> None:
        environment = self.environment | proxy_environment(
            self.folder, port=self.port, upstreams=list(self.ports.values())
        )
        self._spawn("proxy", proxy_command(self._program), environment)

    def log_of(self, name: str) -> str:
        """Return what one process has printed."""
        return (self.folder / f"{name}.log").read_text(encoding="utf-8")

    @override
    def read_log(self) -> str:
        """Return everything that the processes have printed."""
        return "\n".join(self.log_of(name) for name in self.processes)

    def _spawn(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = psutil.Popen(
                command,
                cwd=PROJECT_FOLDER,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


@contextmanager
def run_behind_proxy(folder: Path) -> Iterator[ProxiedService]:
    """Run the processes and the proxy in front of them."""
    service = ProxiedService(folder, program=require_proxy())
    try:
        service.start()
        yield service
    finally:
        service.close()


def require_proxy() -> str:
    """Return the proxy's program; without it the test is skipped, and under CI fails."""
    program = shutil.which("caddy")
    if program is None:
        reason = f"caddy {SKIP_WORDS}: it is not installed"
        if IS_CI:
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return program


def proxy_environment(folder: Path, *, port: int, upstreams: Sequence[int]) -> dict[str, str]:
    """Return what the proxy's configuration asks the environment for."""
    return {
        "CADDY_ADMIN": "off",
        "SITE_ADDRESS": f":{port}",
        "WEB_UPSTREAMS": " ".join(f"127.0.0.1:{upstream}" for upstream in upstreams),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }


def proxy_command(program: str) -> list[str]:
    """Return the command that runs the proxy with the configuration that we ship."""
    return [program, "run", "--adapter", "caddyfile", "--config", str(CADDYFILE)]


def new_client(service: ProxiedService) -> httpx.Client:
    """Return a client with connections of its own."""
    headers = {"X-API-Key": TEST_KEY}
    return httpx.Client(base_url=service.url, headers=headers, timeout=60.0, trust_env=False)


def _answers(port: int) -> bool:
    try:
        address = f"http://127.0.0.1:{port}/api/v1/health/ready"
        return httpx.get(address, timeout=2, trust_env=False).is_success
    except httpx.TransportError:
        return False
