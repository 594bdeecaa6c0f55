"""Looking at queues from outside the consumer: does anybody hear them, and which one is dead?

A quorum queue of a single RabbitMQ node may come back from a crash without a leader for ever
(rabbitmq-server#10070, #15725: the node was killed within minutes of the queue's creation). It then
takes no message and no consumer. Ours hold nothing but wake-ups, so such a queue is deleted and
declared again.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

import structlog

from gen_video.queues.celery_app import CONNECT_SECONDS, bound_waits

Untyped: TypeAlias = Any  # what Celery and Kombu hand over: they have no types

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLook:
    """What some queues look like from outside.

    Attributes:
        waiting: Messages that nobody has received.
        is_unheard: RabbitMQ says that nobody consumes from one of them; Redis does not know.
    """

    waiting: int
    is_unheard: bool


class QueueProbe:
    """Looks at queues over a connection of its own; used by one thread."""

    def __init__(self, app: Untyped, queues: Sequence[str]) -> None:
        self._app = app
        self._queues = tuple(queues)
        self._connection: Untyped = None

    def look(self) -> QueueLook:
        """Look at all queues; a broker that does not answer shows nothing wrong."""
        try:
            return self._look()
        except Exception as error:  # noqa: BLE001 - whatever a broken broker looks like
            # The consumer notices it, too.
            log.warning("wake_up_probe_failed", reason=type(error).__name__)
            self.close()
            return QueueLook(waiting=0, is_unheard=False)

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

    def _look(self) -> QueueLook:
        waiting, is_unheard = 0, False
        for queue in self._queues:
            with self._channel() as channel:
                # On Redis declaring creates nothing, and asking passively misses the keys' prefix.
                is_amqp = self._connection.transport.driver_type == "amqp"
                try:
                    found = channel.queue_declare(queue, passive=is_amqp)
                except self._connection.channel_errors:
                    is_unheard = True  # nobody has declared it, or it was deleted
                    continue
                waiting += int(found.message_count)
                is_unheard |= is_amqp and not found.consumer_count
        return QueueLook(waiting=waiting, is_unheard=is_unheard)

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
