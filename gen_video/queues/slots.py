"""Slots: how many wake-ups a worker works on at once.

Counted by ourselves and not by Celery's pool: a message is confirmed at once and may run for hours,
and a consumer that was thrown away must not lend its slots twice.
"""

import threading
from collections.abc import Callable


class Slots:
    """A number of places, each free or taken. Any thread may call."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._taken = 0
        self._lock = threading.Lock()
        self._freed = threading.Condition(self._lock)

    @property
    def is_full(self) -> bool:
        """Tell whether none is free."""
        with self._lock:
            return self._taken >= self.total

    @property
    def taken(self) -> int:
        """Return how many are taken."""
        with self._lock:
            return self._taken

    def take(self) -> bool:
        """Take one; False when none is free."""
        with self._lock:
            if self._taken >= self.total:
                return False
            self._taken += 1
            return True

    def give_back(self) -> None:
        """Free one that was taken."""
        with self._freed:
            self._taken -= 1
            self._freed.notify_all()

    def wait_until_free(self, timeout_seconds: float) -> bool:
        """Wait for a free one; False when the time ran out."""
        return self._wait(lambda: self._taken < self.total, timeout_seconds)

    def wait_until_all_free(self, timeout_seconds: float) -> bool:
        """Wait for the last one to be given back; False when the time ran out."""
        return self._wait(lambda: not self._taken, timeout_seconds)

    def _wait(self, is_reached: Callable[[], bool], timeout_seconds: float) -> bool:
        with self._freed:
            return self._freed.wait_for(is_reached, timeout_seconds)
