"""Sending wake-ups with Celery: quick, or an error, and by itself again when the broker is back.

A connection that failed once is never used again: a confirmation that came late would pass for the
one of the next message. After a failure the next second's messages fail at once, so that a broker
that swallows packets slows one request and not all.
"""

import threading
import time
import uuid
from collections import deque
from contextlib import suppress
from typing import Any, TypeAlias

import structlog
from kombu import Connection, Producer, Queue
from typing_extensions import override

from gen_video.ids import is_id
from gen_video.queues.celery_app import CONNECT_SECONDS, WAKE_TASK, build_celery, build_queue
from gen_video.queues.wakeups import BrokerUnavailableError, WakeUps, parse_broker_url

CONFIRM_SECONDS = 0.8
WAIT_SECONDS = 1.0
REST_SECONDS = 1.0
MAX_CONNECTIONS = 4
STALE_SECONDS = 30.0

Untyped: TypeAlias = Any  # what Celery and Kombu hand over: they have no types

log = structlog.get_logger(__name__)


class CelerySender(WakeUps):
    """Sends wake-ups over a broker.

    Args:
        broker_url: As in `GEN_VIDEO_BROKER_URL`.

    Raises:
        BrokerUrlError: The URL is not one of a broker that we know.
    """

    def __init__(self, broker_url: str) -> None:
        self._app = build_celery(broker_url)
        self._is_redis = parse_broker_url(broker_url).is_redis
        self._idle: deque[_Line] = deque()
        self._turns = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._resting_until = 0.0
        self._is_closed = False

    @override
    def send(self, queue: str, job_id: str) -> None:
        if not is_id(job_id, "job"):
            raise ValueError("a wake-up carries the id of a job")
        if self._is_closed or time.monotonic() < self._resting_until:
            raise BrokerUnavailableError("it did not answer")
        if not self._turns.acquire(timeout=WAIT_SECONDS):
            raise BrokerUnavailableError("it answers too slowly")
        try:
            self._publish(queue, job_id)
        finally:
            self._turns.release()

    @override
    def close(self) -> None:
        self._is_closed = True
        while self._idle:
            self._idle.pop().close()

    def _publish(self, queue: str, job_id: str) -> None:
        line = self._take_line()
        try:
            line.publish(queue, job_id)
        except Exception as error:  # noqa: BLE001 - whatever a broken broker looks like
            # The caller loses nothing, and another connection may do better.
            line.close()
            self._rest(error)
            raise BrokerUnavailableError(f"{type(error).__name__}") from None
        self._resting_until = 0.0
        self._idle.append(line)
        if self._is_closed:
            self.close()

    def _take_line(self) -> "_Line":
        with suppress(IndexError):
            while True:
                line = self._idle.pop()
                if time.monotonic() - line.used_at < STALE_SECONDS:
                    return line
                line.close()  # firewalls forget connections that say nothing
        return _Line(self._app, is_redis=self._is_redis)

    def _rest(self, error: Exception) -> None:
        # Connections that broke together with this one must not cost a second each.
        self._resting_until = time.monotonic() + REST_SECONDS
        while self._idle:
            self._idle.pop().close()
        log.warning("wake_up_not_sent", reason=type(error).__name__)


class _Line:
    """One connection with one channel; used by one thread at a time."""

    def __init__(self, app: Untyped, *, is_redis: bool) -> None:
        self._app = app
        options = {"socket_timeout": CONFIRM_SECONDS} if is_redis else {}
        self._connection: Connection = app.connection_for_write(
            connect_timeout=CONNECT_SECONDS, transport_options=options, heartbeat=0
        )
        self._producer: Producer | None = None
        self.used_at = time.monotonic()

    def publish(self, queue: str, job_id: str) -> None:
        """Send one message and wait until the broker has it."""
        declaration = build_queue(queue)
        try:
            self._publish(declaration, job_id)
        except self._connection.channel_errors:
            # The queue was deleted since we declared it: with `mandatory` the broker says so.
            self._connection.declared_entities.clear()
            self._producer = None
            self._publish(declaration, job_id)
        self.used_at = time.monotonic()

    def close(self) -> None:
        """Give the connection back, however broken it is."""
        with suppress(Exception):
            self._connection.collect(socket_timeout=CONFIRM_SECONDS)

    def _publish(self, queue: Queue, job_id: str) -> None:
        if self._producer is None:
            self._connection.ensure_connection(max_retries=0, timeout=CONNECT_SECONDS)
            self._producer = Producer(self._connection.channel(), serializer="json")
        task_id = str(uuid.uuid4())
        message = self._app.amqp.as_task_v2(task_id, WAKE_TASK, [job_id], ignore_result=True)
        self._producer.publish(
            message.body,
            exchange="",
            routing_key=queue.name,
            declare=[queue],
            headers=message.headers,
            retry=False,
            mandatory=True,
            timeout=CONFIRM_SECONDS,
            confirm_timeout=CONFIRM_SECONDS,
            **message.properties,
        )
