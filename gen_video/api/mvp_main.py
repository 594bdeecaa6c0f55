"""The MVP's names: `python gen_video/api/mvp_main.py` and `uvicorn gen_video.api.mvp_main:app`.

The first is `gen-video serve`. The second is the whole service under a server of the operator's
own: the first process on a data folder migrates the database and keeps a worker running.
"""

import asyncio
import contextlib
import fcntl
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

if __name__ == "__main__":
    if find_spec("gen_video") is None:
        own = Path(__file__).resolve().parents[2] / ".venv" / "bin" / "python"
        if own.exists():
            os.execv(own, [str(own), *sys.argv])  # noqa: S606 - the Python that ./启动MVP.sh made
        sys.exit(
            "gen_video is not installed in this Python. Run ./启动MVP.sh: it installs and starts.\n"
            "当前 Python 未安装 gen_video，请运行 ./启动MVP.sh（自动安装并启动）。"
        )
    os.execv(sys.executable, [sys.executable, "-m", "gen_video", "serve", *sys.argv[1:]])  # noqa: S606 - our own module, no shell

import structlog
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from gen_video.asgi import compose
from gen_video.errors import ServiceError
from gen_video.settings import Settings
from gen_video.telemetry.logs import configure_logging
from gen_video.wiring import Services, build_services

SCHEMA_PATIENCE_SECONDS = 30.0
PAUSE_SECONDS = 1.0
STOP_EXTRA_SECONDS = 10.0

log = structlog.get_logger(__name__)


class MvpApp:
    """The application, built when the server starts it and not when this module is imported."""

    def __init__(self) -> None:
        self._app: FastAPI | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection, or the life of the process."""
        if self._app is None:
            self._app = _build()
        await self._app(scope, receive, send)


app = MvpApp()


def _build() -> FastAPI:
    settings = Settings()
    configure_logging(
        level=settings.log_level,
        json=settings.is_logging_json,
        process="web",
        is_logging_prompts=settings.log_prompts,
    )
    services = build_services(settings)
    lock = _try_lock(settings.data_dir)
    prepare = services.require_schema if lock is None else services.migrate
    outer = compose(services, prepare=prepare)
    inner = outer.router.lifespan_context

    @asynccontextmanager
    async def live(application: FastAPI) -> AsyncIterator[None]:
        if lock is None:
            await _await_schema(services)
        async with inner(application), _worker(settings, is_ours=lock is not None):
            yield

    outer.router.lifespan_context = live
    return outer


def _try_lock(folder: Path) -> int | None:
    """Become the one process that looks after a data folder; None when another one does."""
    descriptor = os.open(folder / "serve.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


async def _await_schema(services: Services) -> None:
    """Give the process that holds the lock its time to migrate."""
    async with asyncio.timeout(SCHEMA_PATIENCE_SECONDS):
        while True:
            try:
                await services.threads.run(services.require_schema)
            except ServiceError:
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return


@asynccontextmanager
async def _worker(settings: Settings, *, is_ours: bool) -> AsyncIterator[None]:
    """Keep a worker running while the server does."""
    if not is_ours:
        yield
        return
    keeper = asyncio.create_task(_keep_worker(settings), name="worker-keeper")
    try:
        yield
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)


async def _keep_worker(settings: Settings) -> None:
    read_end, write_end = os.pipe()
    arguments = [sys.executable, "-m", "gen_video", "worker", "--lifeline", str(read_end)]
    try:
        while True:
            process = await asyncio.create_subprocess_exec(
                *arguments, pass_fds=(read_end,), stdin=subprocess.DEVNULL, start_new_session=True
            )
            try:
                code = await process.wait()
            except asyncio.CancelledError:
                await _stop(process, patience=settings.drain_seconds + STOP_EXTRA_SECONDS)
                raise
            log.warning("worker_ended", code=code)
            await asyncio.sleep(PAUSE_SECONDS)
    finally:
        os.close(write_end)
        os.close(read_end)


async def _stop(process: asyncio.subprocess.Process, *, patience: float) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(patience):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
