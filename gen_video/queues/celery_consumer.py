"""The consumer: Celery's, with a loop of our own that reads one message per free slot.

Celery's loop hands messages to its pool faster than they run: with early confirmation a busy worker
would sit on a message that an idle one could have. This loop stops consuming before it confirms the
message that fills the last slot, and begins again when a slot is free. It also survives what cannot
be read, beats without a timer thread (Celery's ends the process when it breaks), and notes when it
last turned, so that somebody else can see it hang.
"""

import threading
import time
import uuid
from collections import deque
from typing import Any, TypeAlias

import structlog
from celery.exceptions import WorkerShutdown
from celery.worker.consumer import Consumer
from celery.worker.consumer.connection import Connection
from celery.worker.consumer.consumer import Evloop
from celery.worker.consumer.control import Control
from celery.worker.consumer.events import Events
from celery.worker.consumer.tasks import Tasks
from celery.worker.state import SOFTWARE_INFO, maybe_shutdown
from kombu.log import get_logger

from gen_video.queues.celery_app import HEARTBEAT_SECONDS, WAKE_TASK, bound_waits
from gen_video.queues.celery_messages import NotAWakeUpError, Wake, read_wake
from gen_video.queues.slots import Slots

TURN_SECONDS, GLANCE_SECONDS = 0.2, 0.005
BEAT_SECONDS = 2.0
RETRY_STEP_SECONDS, RETRY_MAX_SECONDS = 0.5, 5.0
MAX_EVENTS, MAX_UNSENT_EVENTS = 1000, 10
MAX_UNREADABLE_IN_A_ROW = 2000

UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""What Kombu raises on a Redis list entry that is no message."""

log = structlog.get_logger(__name__)
library_log = get_logger("celery.worker.consumer")

Untyped: TypeAlias = Any  # what Celery and Kombu hand over: they have no types


class WakeUpConsumer(Consumer):  # type: ignore[misc]  # Celery has no types
    """Reads wake-ups and nothing else.

    Attributes:
        must_end: Set by whoever wants this consumer to end; looked at five times a second.
        turned_at: When the loop last turned, by the monotonic clock.
        is_looping: Whether the loop is running, that is, whether there is a connection.
        is_consuming: Whether the broker was asked for messages; not while all slots are taken.
        is_listening: Whether it has been all through one turn of it.
        heard: How many messages came, of whatever kind.
    """

    class Blueprint(Consumer.Blueprint):  # type: ignore[misc]  # Celery has no types
        """Without mingling, gossip and native delayed delivery, which adds 28 queues."""

        default_steps = (Connection, Events, Control, Tasks, Evloop)

    def __init__(self, *args: Untyped, **kwargs: Untyped) -> None:
        kwargs["initial_prefetch_count"] = kwargs["prefetch_multiplier"] = 1
        kwargs["worker_options"] = {
            **(kwargs.get("worker_options") or {}),
            "without_mingle": True,
        }
        self.must_end = threading.Event()
        self.turned_at = time.monotonic()
        self.is_looping = self.is_listening = False
        self.heard = 0
        self._unreadable = 0
        self._beat_at = 0.0
        self.is_consuming = False
        self._finished = 0
        self._inbox: deque[Untyped] = deque()
        self._events: deque[tuple[str, dict[str, object]]] = deque(maxlen=MAX_EVENTS)
        super().__init__(*args, **kwargs)
        self.amqheartbeat = HEARTBEAT_SECONDS
        self.app.slots = self.app.slots or Slots(self.controller.concurrency)
        self.slots: Slots = self.app.slots

    def loop(self, *_args: Untyped) -> None:
        """Listen until told to end or the connection breaks."""
        self.task_consumer.on_message = self._inbox.append
        self._queues = frozenset(queue.name for queue in self.task_consumer.queues)
        self._inbox.clear()
        self.is_consuming = False
        self.on_ready()
        self._send_beat("worker-online")
        self.turned_at = time.monotonic()
        self.is_looping = True
        try:
            while self.connection:
                self._turn()
        finally:
            self.is_looping = self.is_listening = False

    def ensure_connected(self, conn: Untyped) -> Untyped:
        """Connect, trying again for ever, a few seconds apart."""
        conn.ensure_connection(
            self._note_unreachable,
            max_retries=None,
            interval_start=RETRY_STEP_SECONDS,
            interval_step=RETRY_STEP_SECONDS,
            interval_max=RETRY_MAX_SECONDS,
            callback=self._end_if_told,
        )
        self.first_connection_attempt = False
        bound_waits(conn)
        return conn

    def connection_for_write(self, url: str | None = None, heartbeat: int | None = None) -> Untyped:
        """Return the connection for events; nobody reads from it, so it has no heartbeat."""
        return super().connection_for_write(url=url, heartbeat=0 if heartbeat else None)

    def on_decode_error(self, message: Untyped, exc: Exception) -> None:
        """Drop what cannot be decoded, in one line."""
        self._drop(message, f"undecodable ({type(exc).__name__})")

    def _turn(self) -> None:
        self._end_if_told()
        self.turned_at = time.monotonic()
        self._beat()
        if self.is_consuming and self.slots.is_full:  # whoever took the last one
            self._pause()
        elif not self.is_consuming and self.slots.wait_until_free(TURN_SECONDS):
            self.task_consumer.consume()
            self.is_consuming = True
        self.is_listening = True
        self._drain(TURN_SECONDS if self.is_consuming else GLANCE_SECONDS)
        while self._inbox:
            self._unreadable = 0
            self._take(self._inbox.popleft())
        while self._events:
            kind, fields = self._events.popleft()
            self._send_event(kind, **fields)

    def _drain(self, seconds: float) -> None:
        try:
            self.connection.drain_events(timeout=seconds)
        except TimeoutError:
            return
        except UNREADABLE as error:
            # Redis delivers whatever stands in the list; on AMQP such an error is a broken link.
            self._unreadable += 1
            is_redis = self.connection.transport.driver_type == "redis"
            if not is_redis or self._unreadable > MAX_UNREADABLE_IN_A_ROW:
                raise ConnectionError("the broker's answers cannot be read") from error
            self.heard += 1
            log.warning("wake_up_dropped", reason=f"unreadable ({type(error).__name__})")

    def _take(self, message: Untyped) -> None:
        self.heard += 1
        try:
            wake = read_wake(message, task=WAKE_TASK, queues=self._queues)
        except NotAWakeUpError as error:
            self._drop(message, str(error))
            return
        if not self.slots.take():
            message.requeue()  # somebody else may be idle
            return
        try:
            if self.slots.is_full:
                self._pause()
            message.ack()
            self._hand_over(wake)
        except BaseException:
            self.slots.give_back()
            raise

    def _pause(self) -> None:
        """Stop consuming. Before the confirmation: after it the broker would send the next one."""
        self.is_consuming = False
        self.task_consumer.cancel()

    def _hand_over(self, wake: Wake) -> None:
        """Run it in the pool: what was read and nothing else of the message."""
        run_id = str(uuid.uuid4())
        about = {"name": WAKE_TASK, "args": f"({wake.job_id!r},)", "kwargs": "{}"}
        self._events.append(("task-received", {"uuid": run_id, **about}))
        self.pool.apply_async(self._run, (wake, run_id), callback=_nothing)

    def _run(self, wake: Wake, run_id: str) -> None:
        """Wake whoever waits for work, on a thread of the pool; it never talks to the broker."""
        started_at = time.monotonic()
        outcome = "task-succeeded"
        self._events.append(("task-started", {"uuid": run_id}))
        try:
            if self.app.on_wake is not None:
                self.app.on_wake(wake.queue, wake.job_id)
        except Exception:
            # The outer edge of this thread; the job is in the database whatever happened here.
            outcome = "task-failed"
            log.exception("wake_up_failed", job_id=wake.job_id)
        finally:
            runtime = time.monotonic() - started_at
            self._events.append((outcome, {"uuid": run_id, "runtime": runtime}))
            self._finished += 1
            self.slots.give_back()

    def _drop(self, message: Untyped, reason: str) -> None:
        log.warning("wake_up_dropped", reason=reason)
        if not message.acknowledged:
            message.reject_log_error(library_log, self.connection_errors)

    def _beat(self) -> None:
        now = time.monotonic()
        if now - self._beat_at < BEAT_SECONDS:
            return
        self._beat_at = now
        if self.connection.supports_heartbeats:
            self.connection.heartbeat_check()
        self._send_beat("worker-heartbeat")

    def _send_beat(self, kind: str) -> None:
        self._send_event(
            kind,
            freq=BEAT_SECONDS,
            active=self.slots.taken,
            processed=self._finished,
            **SOFTWARE_INFO,
        )

    def _send_event(self, kind: str, **fields: object) -> None:
        """Tell Flower; Celery keeps what could not be sent, a little of it is borne."""
        self.event_dispatcher.send(kind, **fields)
        if len(self.event_dispatcher._outbound_buffer) > MAX_UNSENT_EVENTS:  # noqa: SLF001 - no public way to ask
            self.event_dispatcher._outbound_buffer.clear()  # noqa: SLF001 - as above
            raise ConnectionError("events cannot be sent")

    def _note_unreachable(self, error: Exception, interval: float) -> None:
        log.warning("broker_unreachable", reason=type(error).__name__, retry_seconds=interval)

    def _end_if_told(self) -> None:
        maybe_shutdown()
        if self.must_end.is_set():
            raise WorkerShutdown(0)


def _nothing(*_args: object) -> None:
    """Take the pool's result, which says nothing."""
