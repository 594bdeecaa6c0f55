"""`GET /metrics` for Prometheus: what the processes counted, and the queue as it is now."""

import ipaddress

from fastapi import APIRouter, Request, Response

from gen_video.api.dependencies import ServicesDep
from gen_video.errors import NotFoundError
from gen_video.generation.models import PoolFigures, QueueFigures
from gen_video.generation.watch import JobWatch
from gen_video.telemetry.metrics import GaugeSample
from gen_video.webhooks.models import WebhookFigures
from gen_video.wiring import Services

KINDS = ("image", "video")

router = APIRouter()


@router.get("/metrics", include_in_schema=False)
async def get_metrics(request: Request, services: ServicesDep) -> Response:
    """Return every metric in the text format; by default to this machine only."""
    if not _may_read(request, services.settings.metrics_access):
        raise NotFoundError
    body, media_type = await services.threads.run(_render, services, request.app.state.watch)
    return Response(body, headers={"Content-Type": media_type})


def _may_read(request: Request, access: str) -> bool:
    if access == "open":
        return True
    host = "" if request.client is None else request.client.host
    try:
        return access == "local" and ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _render(services: Services, watch: JobWatch) -> tuple[bytes, str]:
    figures = services.queue_figures()
    gauges = [*_queue_gauges(figures), *_model_gauges(services, figures.resident_models)]
    gauges += _webhook_gauges(services.events.read_figures())
    gauges.append(_gauge("gv_waiting_clients", "Clients waiting in this process", watch.waiting))
    return services.metrics.render(gauges)


def _queue_gauges(figures: QueueFigures) -> list[GaugeSample]:
    return [
        *(
            _gauge("gv_jobs_queued", "Jobs that wait", figures.queued(kind), kind=kind)
            for kind in KINDS
        ),
        *(
            _gauge("gv_jobs_running", "Jobs that run", figures.running(kind), kind=kind)
            for kind in KINDS
        ),
        _gauge(
            "gv_queue_time_to_drain_seconds",
            "Expected seconds until the queue is empty",
            figures.time_to_drain_seconds,
        ),
        _gauge(
            "gv_queue_oldest_seconds",
            "Age of the oldest job that waits",
            figures.oldest_queued_seconds,
        ),
        _gauge("gv_workers", "Workers that gave a sign of life", figures.workers),
        *(gauge for pool in figures.pools for gauge in _pool_gauges(pool)),
    ]


def _pool_gauges(figures: PoolFigures) -> list[GaugeSample]:
    """Return what autoscalers and dashboards read of one queue."""
    labels = {"pool": figures.pool, "kind": figures.kind}
    values = (
        ("queued", "Jobs that wait in a pool", figures.queued),
        ("running", "Jobs that run in a pool", figures.running),
        ("slots", "Jobs that the workers of a pool run at once", figures.slots),
        (
            "time_to_drain_seconds",
            "Predicted device time of what waits in a pool, over its slots",
            figures.time_to_drain_seconds,
        ),
        ("oldest_seconds", "Age of a pool's oldest job that waits", figures.oldest_queued_seconds),
    )
    return [_gauge(f"gv_pool_{name}", words, value, **labels) for name, words, value in values]


def _webhook_gauges(figures: WebhookFigures) -> list[GaugeSample]:
    return [
        _gauge("gv_webhooks_pending", "Deliveries that wait or are being sent", figures.pending),
        _gauge(
            "gv_webhooks_overdue_seconds",
            "For how long the first delivery in line has been due",
            figures.overdue_seconds,
        ),
    ]


def _model_gauges(services: Services, resident: tuple[str, ...]) -> list[GaugeSample]:
    return [
        _gauge(
            "gv_model_resident",
            "Whether a model is in a worker's memory",
            float(spec.id in resident),
            model=spec.id,
        )
        for spec in services.catalogue.list_models()
    ]


def _gauge(name: str, words: str, value: float, **labels: str) -> GaugeSample:
    return GaugeSample(name=name, help=words, value=value, labels=labels)
