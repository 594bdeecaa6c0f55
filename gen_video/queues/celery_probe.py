"""Looking at queues from outside the consumer: how many messages wait, and which queue is dead.

A quorum queue of a single RabbitMQ node may come back from a crash without a leader for ever
(rabbitmq-server#10070, #15725: the node was killed within minutes of the queue's creation). It then
takes no message and no consumer. Ours hold nothing but wake-ups, so such a queue is deleted and
declared again.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias

import structlog

from gen_video.queues.celery_app import CONNECT_SECONDS, bound_waits

Untyped: TypeAlias = Any  # what Celery and Kombu hand over: they have no types

log = structlog.get_logger(__name__)


class QueueProbe:
    """Counts waiting messages over a connection of its own; used by one thread."""

    def __init__(self, app: Untyped, queues: Sequence[str]) -> None:
        self._app = app
        self._queues = tuple(queues)
        self._connection: Untyped = None

    def count_waiting(self) -> int:
        """Return how many messages wait in all queues; zero when the broker does not answer."""
        try:
            return sum(self._count(queue) for queue in self._queues)
        except Exception as error:  # noqa: BLE001 - whatever a broken broker looks like
            # The consumer notices it, too.
            log.warning("wake_up_probe_failed", reason=type(error).__name__)
            self.close()
            return 0

    def delete_dead_queues(self) -> None:
        """Delete the queues that nobody consumes from; for a consumer that got no answer."""
        for queue in self._queues:
            try:
                self._delete_unused(queue)
            except Exception as error:  # noqa: BLE001 - whatever a broken broker looks like
                log.warning("dead_queue_not_deleted", queue=queue, reason=type(error).__name__)
                self.close()

    def close(self) -> None:
        """Give the connection back, however broken it is."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.collect(socket_timeout=CONNECT_SECONDS)

    def _count(self, queue: str) -> int:
        with self._channel() as channel:
            # On Redis declaring creates nothing, and asking passively misses the prefix of keys.
            is_asking = self._connection.transport.driver_type == "amqp"
            try:
                return int(channel.queue_declare(queue, passive=is_asking).message_count)
            except self._connection.channel_errors:
                return 0  # nobody has declared it yet

    def _delete_unused(self, queue: str) -> None:
        with self._channel() as channel:
            if channel.queue_declare(queue, passive=True).consumer_count:
                return
            log.warning("dead_queue_deleted", queue=queue)
            channel.queue_delete(queue)

    @contextmanager
    def _channel(self) -> Iterator[Untyped]:
        if self._connection is None:
            connection = self._app.connection_for_write(heartbeat=0)
            connection.ensure_connection(max_retries=0, timeout=CONNECT_SECONDS)
            bound_waits(connection)
            self._connection = connection
        channel = self._connection.channel()
        try:
            yield channel
        finally:
            with suppress(Exception):
                channel.close()
