"""The courier's place in a process: beside a worker's lanes, or alone as `gen-video courier`."""

import signal
import threading

import structlog

from gen_video.settings import Settings
from gen_video.telemetry.logs import configure_logging
from gen_video.webhooks.courier import Courier
from gen_video.wiring import Services, build_services
from gen_video.worker.lanes import new_worker_id
from gen_video.worker.metrics_port import open_metrics_port

DEFAULT_SENDERS = 8

log = structlog.get_logger(__name__)


def build_courier(services: Services, name: str) -> Courier | None:
    """Return a process's courier; None where the settings say that it sends nothing."""
    senders = services.settings.webhook_senders
    if senders == 0 or not services.courier_kit.rules.is_open:
        return None
    return Courier(
        services.courier_kit, name=name, senders=senders, subscribe=services.watcher.subscribe
    )


def run_courier(settings: Settings) -> int:
    """Send webhooks until SIGTERM or SIGINT; return the exit code."""
    configure_logging(
        level=settings.log_level,
        json=settings.is_logging_json,
        process="courier",
        is_logging_prompts=settings.log_prompts,
    )
    services = build_services(settings)
    try:
        services.require_schema()
        return _run(services)
    finally:
        services.close()


def _run(services: Services) -> int:
    settings = services.settings
    is_over = threading.Event()

    def on_signal(_number: int, _frame: object) -> None:
        # On a thread: the handler may have interrupted the very wait whose lock it would take.
        threading.Thread(target=is_over.set, daemon=True).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    courier = build_courier(services, new_worker_id())
    if settings.worker_metrics_port:
        open_metrics_port(settings.host, settings.worker_metrics_port, services.metrics)
    if courier is not None:
        courier.start()
    log.info("courier_started", senders=settings.webhook_senders)
    is_over.wait()
    if courier is not None:
        courier.close(settings.drain_seconds)
    log.info("courier_stopped")
    return 0
