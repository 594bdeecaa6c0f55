"""Is the service well: `GET /health`, and what load balancers ask, `/health/live` and `/ready`.

The findings are kept for a second, so that being asked often costs nothing.
"""

import asyncio
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from gen_video import __version__
from gen_video.api.dependencies import ServicesDep
from gen_video.api.v1 import PREFIX
from gen_video.errors import ServiceError
from gen_video.generation.models import QueueFigures
from gen_video.wiring import Services

KEEP_SECONDS = 1.0
LOW_SPACE_BYTES = 200 * 2**20

Verdict = Literal["ok", "degraded", "draining"]
Finding = Literal["ok", "low_space", "full", "unavailable", "no_worker"]

router = APIRouter(prefix=PREFIX, tags=["health"])


class ChecksView(BaseModel):
    """One word per part / 各组件状态."""

    database: Finding
    storage: Finding
    queue: Finding
    engine: Finding


class QueueView(BaseModel):
    """The queue at this moment / 队列."""

    queued: int
    running: int
    workers: int
    time_to_drain_seconds: float


class HealthView(BaseModel):
    """How the service is / 健康状况."""

    status: Verdict
    version: str
    checks: ChecksView
    queue: QueueView | None
    resident_models: list[str]


class LiveView(BaseModel):
    """The process answers / 进程存活."""

    status: Literal["ok"]


@dataclass
class HealthCheck:
    """Looks at the parts, at most once a second."""

    services: Services
    _view: HealthView | None = None
    _looked_at: float = 0.0

    def __post_init__(self) -> None:
        self._lock = asyncio.Lock()

    async def look(self, *, is_draining: bool) -> HealthView:
        """Return the findings, at most a second old."""
        async with self._lock:
            if self._view is None or time.monotonic() - self._looked_at > KEEP_SECONDS:
                self._view = await self.services.threads.run(_look, self.services)
                self._looked_at = time.monotonic()
        if is_draining:
            return self._view.model_copy(update={"status": "draining"})
        return self._view


def _look(services: Services) -> HealthView:
    figures = _figures(services)
    storage = _storage(services)
    engine: Finding = "ok" if figures is not None and figures.workers else "no_worker"
    database: Finding = "unavailable" if figures is None else "ok"
    checks = ChecksView(database=database, storage=storage, queue=database, engine=engine)
    is_well = all(finding == "ok" for finding in checks.model_dump().values())
    return HealthView(
        status="ok" if is_well else "degraded",
        version=__version__,
        checks=checks,
        queue=None if figures is None else _queue_view(figures),
        resident_models=[] if figures is None else list(figures.resident_models),
    )


def _figures(services: Services) -> QueueFigures | None:
    try:
        return services.queue_figures()
    except ServiceError:
        return None


def _storage(services: Services) -> Finding:
    try:
        free_bytes = services.objects.probe()
    except ServiceError as error:
        return "full" if error.status == HTTPStatus.INSUFFICIENT_STORAGE else "unavailable"
    return "ok" if free_bytes > LOW_SPACE_BYTES else "low_space"


def _queue_view(figures: QueueFigures) -> QueueView:
    return QueueView(
        queued=sum(pool.queued for pool in figures.pools),
        running=sum(pool.running for pool in figures.pools),
        workers=figures.workers,
        time_to_drain_seconds=figures.time_to_drain_seconds,
    )


@router.get("/health", operation_id="get_health", summary="Health / 健康检查")
async def get_health(request: Request, _services: ServicesDep) -> HealthView:
    """Say how the parts are.

    各组件的状态。
    """
    view: HealthView = await request.app.state.health.look(
        is_draining=request.app.state.drain.is_leaving
    )
    return view


@router.get("/health/live", operation_id="get_liveness", summary="Is the process alive / 存活探针")
async def get_liveness() -> LiveView:
    """Answer as long as the process does.

    进程存活即返回 200。
    """
    return LiveView(status="ok")


@router.get(
    "/health/ready",
    operation_id="get_readiness",
    summary="Ready for work / 就绪探针",
    responses={503: {"model": HealthView, "description": "Not now / 暂不可用"}},
)
async def get_readiness(request: Request, response: Response) -> HealthView:
    """Answer 503 while draining, or without database or storage.

    排空或不可用时返回 503。
    """
    view: HealthView = await request.app.state.health.look(
        is_draining=request.app.state.drain.is_leaving
    )
    is_usable = view.checks.database == "ok" and view.checks.storage in {"ok", "low_space"}
    if view.status == "draining" or not is_usable:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return view
