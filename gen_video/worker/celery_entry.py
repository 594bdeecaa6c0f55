"""The worker under Celery's own command: `celery -A gen_video.worker.celery_entry worker`.

For those who run Celery anyway: its command line, its queues (`-Q`), its monitors. The jobs are run
by the same lanes as under `gen-video worker`, and the settings say which pools they serve; what
Celery adds is who wakes them.
"""

import os
import signal
import threading
from contextlib import ExitStack
from dataclasses import dataclass

import structlog
from celery import signals

from gen_video.errors import ServiceError
from gen_video.generation.states import JobKind
from gen_video.queues.celery_app import DEFAULT_QUEUE, build_celery
from gen_video.queues.slots import Slots
from gen_video.settings import Settings
from gen_video.worker.main import Worker, open_worker, set_up_logging

log = structlog.get_logger(__name__)


class BrokerMissingError(ServiceError):
    """Celery is asked to listen, and no broker is named."""

    code = "broker_missing"
    message_en = "GEN_VIDEO_BROKER_URL is empty: name the broker that Celery shall listen to."
    message_zh = "GEN_VIDEO_BROKER_URL 为空：请设置 Celery 要监听的消息代理地址。"


@dataclass(slots=True)
class _Running:
    """What this process runs."""

    worker: Worker
    thread: threading.Thread
    holding: ExitStack


settings = Settings()
if not settings.broker_url.get_secret_value():
    raise BrokerMissingError
app = build_celery(settings.broker_url.get_secret_value())
_running: list[_Running] = []


def _set_up_logging(**_about: object) -> None:
    """Log as every process of the service; Celery's own set-up stays out."""
    set_up_logging(settings)


def _begin(**_about: object) -> None:
    """Build the worker before Celery listens; raises when the settings or the schema are wrong."""
    # Celery's consumer takes a slot for each wake-up, our loops for each look: the same ones.
    slots = Slots(len(JobKind) * settings.worker_concurrency)
    holding = ExitStack()
    worker = holding.enter_context(open_worker(settings, shared_slots=slots))
    if set(app.amqp.queues.consume_from) == {DEFAULT_QUEUE}:  # no -Q was given
        for name in worker.broker_queues():
            app.amqp.queues.select_add(name)
    app.slots = slots
    app.on_wake = worker.hear
    thread = threading.Thread(target=_work, args=(worker,), name="worker")
    _running.append(_Running(worker, thread, holding))
    thread.start()


def _work(worker: Worker) -> None:
    """Work until drained; a worker that breaks down takes the process with it."""
    try:
        worker.work()
    except Exception:
        log.exception("worker_broke_down")
        os.kill(os.getpid(), signal.SIGTERM)


def _drain(**_about: object) -> None:
    for running in _running:
        threading.Thread(target=running.worker.drain, name="drain", daemon=True).start()


def _end(**_about: object) -> None:
    """Wait for the drain, then let go of everything."""
    while _running:
        running = _running.pop()
        running.worker.drain()
        running.thread.join()
        running.holding.close()


signals.setup_logging.connect(_set_up_logging, weak=False)
signals.worker_init.connect(_begin, weak=False)
signals.worker_shutting_down.connect(_drain, weak=False)
signals.worker_shutdown.connect(_end, weak=False)
