"""The web process: settings become an application. `gen-video serve` and `web` start it."""

from fastapi import FastAPI

from gen_video.api.app import create_app
from gen_video.settings import Settings
from gen_video.telemetry.logs import configure_logging
from gen_video.wiring import build_services


def create_asgi_app() -> FastAPI:
    """Build the application of this process; uvicorn calls it (`--factory`)."""
    settings = Settings()
    configure_logging(
        level=settings.log_level,
        json=settings.is_logging_json,
        process="web",
        is_logging_prompts=settings.log_prompts,
    )
    return create_app(build_services(settings))
