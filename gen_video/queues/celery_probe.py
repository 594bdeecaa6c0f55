"""Looking at queues from outside the consumer: how many messages wait."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeAlias

import structlog

from gen_video.queues.celery_app import CONNECT_SECONDS

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

    def close(self) -> None:
        """Give the connection back, however broken it is."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.collect(socket_timeout=CONNECT_SECONDS)

    def _count(self, queue: str) -> int:
        if self._connection is None:
            self._connection = self._app.connection_for_write(heartbeat=0)
            self._connection.ensure_connection(max_retries=0, timeout=CONNECT_SECONDS)
        channel = self._connection.channel()
        try:
            return int(channel.queue_declare(queue, passive=True).message_count)
        except self._connection.channel_errors:
            return 0  # not declared yet; a list of Redis without entries does not exist
        finally:
            with suppress(Exception):
                channel.close()
