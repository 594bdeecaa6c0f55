"""The web process: settings become an application. `gen-video serve` and `web` start it."""

from collections.abc import Callable

from fastapi import FastAPI

from gen_video.api.app import create_app
from gen_video.console import app as console
from gen_video.settings import Settings
from gen_video.telemetry.logs import configure_logging
from gen_video.wiring import Services, build_services


def create_asgi_app() -> FastAPI:
    """Build the application of this process; uvicorn calls it (`--factory`)."""
    settings = Settings()
    configure_logging(
        level=settings.log_level,
        json=settings.is_logging_json,
        process="web",
        is_logging_prompts=settings.log_prompts,
    )
    return compose(build_services(settings))


def compose(services: Services, *, prepare: Callable[[], object] | None = None) -> FastAPI:
    """Return the application over a process's services: the API and the console."""
    app = create_app(services, prepare=prepare)
    console.install(app)
    return app
