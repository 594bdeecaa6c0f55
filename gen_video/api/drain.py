"""Stopping gracefully: the first SIGTERM makes the process refuse new work and let waiters go.

Behind a load balancer it first gives notice: readiness fails, while requests are still taken, until
the balancer has noticed. Refusing at once would show its clients a 503 that it could not know of.

Clients that wait for a result get as much of the drain time as there is; after it they are
answered with the address of their job, which lives on in the database.
"""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType

from gen_video.generation.watch import JobWatch

RESERVE_SECONDS = 3.0
"""Kept of the drain time for writing the last answers."""


Handler = Callable[[int, FrameType | None], object] | int | None


class Drain:
    """Whether this process is on its way out."""

    def __init__(
        self, watch: JobWatch, *, drain_seconds: float, notice_seconds: float = 0.0
    ) -> None:
        self._watch = watch
        self._patience = max(0.0, drain_seconds - RESERVE_SECONDS)
        self._notice_seconds = notice_seconds
        self._is_leaving = False
        self._is_draining = False

    @property
    def is_draining(self) -> bool:
        """Tell whether new work is refused."""
        return self._is_draining

    @property
    def is_leaving(self) -> bool:
        """Tell whether load balancers should send nothing more."""
        return self._is_leaving

    def begin(self) -> None:
        """Refuse new work from now on; call off all waiting a while later."""
        if self._is_draining:
            return
        self._is_leaving = self._is_draining = True
        asyncio.get_running_loop().call_later(self._patience, self._watch.release_all)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Begin at SIGTERM or SIGINT, before the server's own handler has its turn."""
        if current_thread() is not main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

        def stop(earlier: Handler, number: int, frame: FrameType | None) -> None:
            self.begin()
            if callable(earlier):
                earlier(number, frame)

        def handle(number: int, frame: FrameType | None) -> None:
            earlier = before[signal.Signals(number)]
            is_first, self._is_leaving = not self._is_leaving, True
            seconds = self._notice_seconds if is_first else 0.0
            loop.call_soon_threadsafe(loop.call_later, seconds, stop, earlier, number, frame)

        for number in before:
            signal.signal(number, handle)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
