"""Hearing wake-ups with Celery, inside a thread of our own process, for ever.

Celery reconnects by itself; this watches that it really hears. A consumer whose thread died, that
hangs, that has been without a broker for a minute, or that hears nothing with a slot free while
messages wait or the broker knows no consumer, is thrown away and a new one is built.
"""

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import structlog
from typing_extensions import override

from gen_video.ids import new_id
from gen_video.queues.celery_app import build_celery, build_queue, cut
from gen_video.queues.celery_probe import QueueProbe
from gen_video.queues.celery_worker import EmbeddedWorker
from gen_video.queues.slots import Slots
from gen_video.queues.wakeups import OnWake, WakeUpListener

PROBE_SECONDS = 5.0
HANGING_SECONDS = 10.0
LOST_SECONDS = 60.0
DEAF_PROBES = 2
HANGS = "it hangs"
REBUILD_SECONDS, REBUILD_MAX_SECONDS = 1.0, 15.0

Untyped: TypeAlias = Any  # what Celery hands over: it has no types

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Ear:
    """One Celery worker on its thread, and what was noticed about it."""

    worker: Untyped
    thread: threading.Thread
    heard: int = -1
    deaf_probes: int = 0
    lost_at: float = field(default_factory=time.monotonic)

    @property
    def consumer(self) -> Untyped:
        return self.worker.consumer


class CeleryListener(WakeUpListener):
    """Listens to queues of a broker.

    Args:
        broker_url: As in `GEN_VIDEO_BROKER_URL`.
        queues: Names, see `queue_name`.
        on_wake: Called on a thread of its own for each wake-up; at most `slots` calls at once.
        slots: One is taken by each call; while all are taken other workers get the messages.
        name: What Flower calls this worker; unique per listener.

    Raises:
        BrokerUrlError: The URL is not one of a broker that we know.
    """

    def __init__(
        self,
        broker_url: str,
        queues: Sequence[str],
        on_wake: OnWake,
        *,
        slots: Slots | None = None,
        name: str = "",
        probe_seconds: float = PROBE_SECONDS,
    ) -> None:
        self._url = broker_url
        self._queues = tuple(queues)
        self._on_wake = on_wake
        self._slots = slots or Slots(1)
        self._name = name or f"gen_video-{os.getpid()}-{new_id('w')[-6:]}"
        self._probe_seconds = probe_seconds
        self._probe = QueueProbe(build_celery(broker_url), self._queues)
        self._is_stopping = threading.Event()
        self._ear: _Ear | None = None
        self._watcher = threading.Thread(target=self._watch, name="wake-up-watch", daemon=True)

    @property
    @override
    def is_connected(self) -> bool:
        ear = self._ear
        if ear is None or self._is_stopping.is_set() or not ear.thread.is_alive():
            return False
        consumer = ear.consumer
        is_turning = time.monotonic() - consumer.turned_at < HANGING_SECONDS
        return bool(consumer.is_listening and is_turning and not ear.deaf_probes)

    @override
    def start(self) -> None:
        self._watcher.start()

    @override
    def stop(self, timeout_seconds: float) -> bool:
        until = time.monotonic() + timeout_seconds
        self._is_stopping.set()
        ear = self._ear
        if ear is not None:
            ear.consumer.must_end.set()
        is_idle = self._slots.wait_until_all_free(timeout_seconds)
        for thread in (self._watcher, *([ear.thread] if ear is not None else [])):
            if thread.is_alive():
                thread.join(max(0.0, until - time.monotonic()))
        return is_idle

    def _watch(self) -> None:
        pause = REBUILD_SECONDS
        while not self._is_stopping.is_set():
            try:
                self._listen_once()
            except Exception:
                # The outer edge of this thread: a worker that cannot be built is tried again.
                log.exception("wake_up_listener_failed")
            if self._is_stopping.wait(pause):
                break
            pause = min(2 * pause, REBUILD_MAX_SECONDS)
        self._probe.close()

    def _listen_once(self) -> None:
        """Run one worker until it is of no more use."""
        ear = self._build()
        self._ear = ear
        if self._is_stopping.is_set():  # since the caller looked: it may have missed this worker
            ear.consumer.must_end.set()
        ear.thread.start()
        reason = self._watch_over(ear)
        ear.consumer.must_end.set()
        if self._is_stopping.is_set():
            return
        log.warning("wake_up_listener_replaced", reason=reason)
        cut(ear.consumer.connection)
        if reason == HANGS:
            self._probe.delete_dead_queues()

    def _build(self) -> _Ear:
        app = build_celery(self._url, on_wake=self._on_wake)
        app.slots = self._slots
        for name in self._queues:
            app.amqp.queues.select_add(build_queue(name))
        worker = EmbeddedWorker(
            app=app,
            hostname=f"{self._name}@{os.uname().nodename}",
            pool_cls="threads",
            concurrency=self._slots.total,
            queues=self._queues,
            loglevel="WARNING",
        )
        thread = threading.Thread(target=worker.start, name="wake-up-consumer", daemon=True)
        return _Ear(worker, thread)

    def _watch_over(self, ear: _Ear) -> str:
        """Return why a worker must be replaced."""
        while not self._is_stopping.wait(self._probe_seconds):
            reason = self._find_fault(ear)
            if reason:
                return reason
        return "stopping"

    def _find_fault(self, ear: _Ear) -> str:
        now = time.monotonic()
        consumer = ear.consumer
        if not ear.thread.is_alive():
            return "its thread ended"
        if consumer.is_looping and now - consumer.turned_at > HANGING_SECONDS:
            return HANGS
        if consumer.is_listening:
            ear.lost_at = now
        if now - ear.lost_at > LOST_SECONDS:
            return "no broker for a minute"
        return "it hears nothing" if self._is_deaf(ear) else ""

    def _is_deaf(self, ear: _Ear) -> bool:
        """Tell whether it should hear and does not, several times in a row."""
        consumer = ear.consumer
        heard, is_consuming = consumer.heard, consumer.is_consuming
        look = self._probe.look()
        is_unheard = look.is_unheard and is_consuming and consumer.is_consuming
        is_silent = heard == ear.heard == consumer.heard and not self._slots.is_full
        is_suspect = consumer.is_listening and is_silent and (is_unheard or look.waiting)
        ear.deaf_probes = ear.deaf_probes + 1 if is_suspect else 0
        ear.heard = heard
        return ear.deaf_probes >= DEAF_PROBES
