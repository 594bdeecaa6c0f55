"""The worker under Celery's own command: `celery -A gen_video.worker.celery_entry worker`.

For those who run Celery anyway: its command line, its queues (`-Q`), its monitors. The jobs are run
by the same lanes as under `gen-video worker`, and the settings say which pools they serve; what
Celery adds is who wakes them.
"""

import threading
from dataclasses import dataclass

from celery import signals

from gen_video.adapters import build_engines
from gen_video.engines.host import EngineHost
from gen_video.errors import ServiceError
from gen_video.generation.states import JobKind
from gen_video.queues.celery_app import DEFAULT_QUEUE, build_celery
from gen_video.queues.slots import Slots
from gen_video.settings import Settings
from gen_video.telemetry.logs import configure_logging
from gen_video.wiring import Services, build_services
from gen_video.worker.main import Worker


class BrokerMissingError(ServiceError):
    """Celery is asked to listen, and no broker is named."""

    code = "broker_missing"
    message_en = "GEN_VIDEO_BROKER_URL is empty: name the broker that Celery shall listen to."
    message_zh = "GEN_VIDEO_BROKER_URL 为空：请设置 Celery 要监听的消息代理地址。"


@dataclass(slots=True)
class _Running:
    """What this process runs."""

    services: Services
    engines: list[EngineHost]
    worker: Worker
    thread: threading.Thread


settings = Settings()
if not settings.broker_url.get_secret_value():
    raise BrokerMissingError
app = build_celery(settings.broker_url.get_secret_value())
_running: list[_Running] = []


def _set_up_logging(**_about: object) -> None:
    """Log as every process of the service; Celery's own set-up stays out."""
    configure_logging(
        level=settings.log_level,
        json=settings.is_logging_json,
        process="worker",
        is_logging_prompts=settings.log_prompts,
    )


def _begin(**_about: object) -> None:
    """Build the worker before Celery listens; raises when the settings or the schema are wrong."""
    services = build_services(settings)
    services.require_schema()
    engines = build_engines(settings, services.catalogue)
    # Celery's consumer takes a slot for each wake-up, our loops for each look: the same ones.
    slots = Slots(len(JobKind) * settings.worker_concurrency)
    worker = Worker(services, engines, shared_slots=slots)
    if set(app.amqp.queues.consume_from) == {DEFAULT_QUEUE}:  # no -Q was given
        for name in worker.broker_queues():
            app.amqp.queues.select_add(name)
    app.slots = slots
    app.on_wake = worker.hear
    thread = threading.Thread(target=worker.work, name="worker")
    _running.append(_Running(services, engines, worker, thread))
    thread.start()


def _drain(**_about: object) -> None:
    for running in _running:
        threading.Thread(target=running.worker.drain, name="drain", daemon=True).start()


def _end(**_about: object) -> None:
    """Wait for the drain, then let go of everything."""
    while _running:
        running = _running.pop()
        running.worker.drain()
        running.thread.join()
        for engine in running.engines:
            engine.close()
        running.services.close()


signals.setup_logging.connect(_set_up_logging, weak=False)
signals.worker_init.connect(_begin, weak=False)
signals.worker_shutting_down.connect(_drain, weak=False)
signals.worker_shutdown.connect(_end, weak=False)
