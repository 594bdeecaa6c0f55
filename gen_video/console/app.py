"""The console is added to a web process: its pages, its files, and its way of telling errors.

Every route that changes something is guarded here and nowhere else, so none can be forgotten.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, Depends, FastAPI

from gen_video.console.assets import PATH, Assets
from gen_video.console.problem_pages import ProblemPages
from gen_video.console.routes import (
    account,
    audit,
    calls,
    files,
    floor,
    gallery,
    jobs,
    keys,
    landing,
    overview,
    owner_models,
    plans,
    playground,
    playground_video,
    preferences,
    sign_in,
    system,
    usage,
    users,
    webhooks,
)
from gen_video.console.threads import PASSWORD_THREADS
from gen_video.console.visits import find_visit, require_own_page, require_token
from gen_video.threads import DoorThreads

OPEN: tuple[APIRouter, ...] = (landing.router, sign_in.router, preferences.router)
"""For anybody: what changes something there needs no session, and its token neither."""
SESSION: tuple[APIRouter, ...] = (
    playground.router,
    playground_video.router,
    gallery.router,
    jobs.router,
    files.router,
    account.router,
    keys.router,
    usage.router,
    webhooks.router,
    calls.router,
    overview.router,
    floor.router,
    owner_models.router,
    users.router,
    plans.router,
    audit.router,
    system.router,
)
"""For those who are signed in; each page asks for `SessionDep` or `AdminDep` besides."""


def install(app: FastAPI) -> None:
    """Add the console to an application."""
    app.mount(PATH, Assets(), name="console-static")
    app.state.problem_pages = ProblemPages()
    _add_password_threads(app)
    for router in OPEN:
        app.include_router(
            router,
            include_in_schema=False,
            dependencies=[Depends(require_own_page), Depends(find_visit)],
        )
    for router in SESSION:
        app.include_router(
            router,
            include_in_schema=False,
            dependencies=[Depends(require_own_page), Depends(require_token)],
        )


def _add_password_threads(app: FastAPI) -> None:
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def live(application: FastAPI) -> AsyncIterator[None]:
        application.state.password_threads = DoorThreads(PASSWORD_THREADS, name="password")
        async with inner(application):
            yield
        application.state.password_threads.close()

    app.router.lifespan_context = live
