"""Stopping gracefully: the first SIGTERM makes the process refuse new work and let waiters go.

Clients that wait for a result get as much of the drain time as there is; after it they are
answered with the address of their job, which lives on in the database.
"""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType

from gen_video.generation.watch import JobWatch

RESERVE_SECONDS = 3.0
"""Kept of the drain time for writing the last answers."""


class Drain:
    """Whether this process is on its way out."""

    def __init__(self, watch: JobWatch, *, drain_seconds: float) -> None:
        self._watch = watch
        self._patience = max(0.0, drain_seconds - RESERVE_SECONDS)
        self._is_draining = False

    @property
    def is_draining(self) -> bool:
        """Tell whether new work is refused."""
        return self._is_draining

    def begin(self) -> None:
        """Refuse new work from now on; call off all waiting a while later."""
        if self._is_draining:
            return
        self._is_draining = True
        asyncio.get_running_loop().call_later(self._patience, self._watch.release_all)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Begin at SIGTERM or SIGINT, before the server's own handler has its turn."""
        if current_thread() is not main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

        def handle(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self.begin)
            earlier = before[signal.Signals(number)]
            if callable(earlier):
                earlier(number, frame)

        for number in before:
            signal.signal(number, handle)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
