"""The web application: routes, errors, middleware and the life of one process."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.trustedhost import TrustedHostMiddleware

from gen_video import __version__
from gen_video.api import figures, pages, problems
from gen_video.api.compression import Compression
from gen_video.api.cross_origin import CrossOrigin
from gen_video.api.drain import Drain
from gen_video.api.middleware import BodyGuard, DrainGate, HeadAsGet, RequestMiddleware
from gen_video.api.openai import PREFIX as OPENAI_PREFIX
from gen_video.api.openai import images as openai_images
from gen_video.api.openai import models as openai_models
from gen_video.api.openai import videos as openai_videos
from gen_video.api.v1 import (
    PREFIX,
    files,
    health,
    images,
    jobs,
    models,
    quota,
    videos,
    webhook_events,
    webhooks,
)
from gen_video.api.v1.health import HealthCheck
from gen_video.wiring import Services

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(services: Services, *, prepare: Callable[[], object] | None = None) -> FastAPI:
    """Return the application over a process's services; it closes them when it ends.

    Args:
        services: What the routes use.
        prepare: Called before the first request; None checks that the database is at this
            version's schema.
    """
    app = FastAPI(
        title="gen_video",
        version=__version__,
        lifespan=_lifespan(services, prepare or services.require_schema),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.services = services
    problems.install(app)
    _add_routes(app, has_docs=_has_docs(services))
    _add_middleware(app, services)
    return app


def _lifespan(services: Services, prepare: Callable[[], object]) -> Lifespan:
    @asynccontextmanager
    async def live(app: FastAPI) -> AsyncIterator[None]:
        await services.threads.run(prepare)
        watch = services.job_watch()
        app.state.watch = watch
        app.state.health = HealthCheck(services)
        app.state.drain = Drain(
            watch,
            notice_seconds=services.settings.drain_notice_seconds,
            drain_seconds=services.settings.drain_seconds,
        )
        with app.state.drain.listening():
            yield
        await watch.close()
        services.close()

    return live


def _add_routes(app: FastAPI, *, has_docs: bool) -> None:
    for module in (health, quota, images, videos, jobs, files, models, webhooks, webhook_events):
        app.include_router(module.router)
    for module in (openai_images, openai_videos, openai_models):
        app.include_router(module.router)
    app.include_router(figures.router)
    if has_docs:
        pages.install(app)


def _add_middleware(app: FastAPI, services: Services) -> None:
    """Add the layers, the innermost first."""
    settings = services.settings
    app.add_middleware(
        BodyGuard,
        max_json_bytes=settings.max_json_bytes,
        max_upload_bytes=settings.max_upload_bytes,
        uploads=(f"{PREFIX}/videos/generate", f"{OPENAI_PREFIX}/videos"),
    )
    app.add_middleware(Compression, leaves=_is_dense)
    app.add_middleware(HeadAsGet, own=(files.FOLDER, pages.STATIC_PATH), endless="/events")
    app.add_middleware(DrainGate, is_draining=lambda: app.state.drain.is_draining)
    if settings.trusted_hosts:
        hosts = [*settings.trusted_hosts]
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)
    app.add_middleware(RequestMiddleware, metrics=services.metrics, calls=services.calls)
    if settings.cors_origins:
        app.add_middleware(CrossOrigin, origins=settings.cors_origins)


def _is_dense(path: str) -> bool:
    """Tell whether compressing what a path answers with would be in vain."""
    return path.startswith((files.FOLDER, f"{OPENAI_PREFIX}/images/"))


def _has_docs(services: Services) -> bool:
    settings = services.settings
    return not settings.is_production if settings.docs_enabled is None else settings.docs_enabled
