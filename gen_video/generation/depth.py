"""How deep the queue is: exact while it is shallow, now and then while it is deep.

Counting a million rows for every request would cost more than the request. The limit guards the
database, not anybody's money, so a count that is a moment old will do.
"""

import threading
import time

from sqlalchemy import Connection

from gen_video.generation import job_reads

EXACT = 5_000
DUTY_CYCLE = 20.0
"""After a count that took t seconds the next waits for 20 t: at most a twentieth of the time."""
LEAST_SECONDS = 1.0


class QueueDepth:
    """Tells whether the queue is full; safe for threads.

    Args:
        limit: Jobs that may wait.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._guard = threading.Lock()
        self._counting = threading.Lock()
        self._counted = 0
        self._keep_until = 0.0

    def is_full(self, connection: Connection) -> bool:
        """Tell whether so many jobs wait that no more is taken."""
        if time.monotonic() < self._keep_until:
            with self._guard:
                self._counted += 1  # whoever asks is about to add one
            return self._counted > self._limit
        shallow = min(self._limit, EXACT)
        if job_reads.count_queued(connection, limit=shallow) < shallow:
            return False
        if shallow == self._limit:
            return True
        if not self._counting.acquire(blocking=False):
            return self._counted > self._limit  # somebody else counts; one is enough
        try:
            return self._count(connection) >= self._limit
        finally:
            self._counting.release()

    def _count(self, connection: Connection) -> int:
        started = time.monotonic()
        counted = job_reads.count_queued(connection, limit=self._limit)
        spent = time.monotonic() - started
        with self._guard:
            self._counted = counted
            self._keep_until = time.monotonic() + max(LEAST_SECONDS, DUTY_CYCLE * spent)
        return counted
