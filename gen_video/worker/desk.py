"""The desk of a lane: how many of its loops may work, whoever woke them.

A loop works because it heard a wake-up or because it looked by itself; either takes one of the
lane's slots. When all are taken the broker's messages go to other workers.
"""

import threading
from collections import deque
from collections.abc import Callable

from gen_video.queues.slots import Slots

LOOK_UP_SECONDS = 1.0


class Desk:
    """Hands wake-ups to idle loops.

    Args:
        slots: As many as the lane has loops; shared with the listener, which takes one for each
            wake-up before it hands it over here.
    """

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._errands: deque[threading.Event] = deque()
        self._wakers: list[Callable[[], None]] = []
        self._is_closed = threading.Event()

    def join(self, wake: Callable[[], None]) -> None:
        """Add a loop's bell."""
        self._wakers.append(wake)

    def hear(self, _queue: str, _job_id: str) -> None:
        """Wake a loop and return when it has nothing (more) to do for this wake-up.

        Which job was named does not matter: the database says which one is next.
        """
        done = threading.Event()
        self._errands.append(done)
        self.ring()
        while not done.wait(LOOK_UP_SECONDS):
            if self._is_closed.is_set():
                return

    def ring(self) -> None:
        """Wake every loop that sleeps."""
        for wake in self._wakers:
            wake()

    def begin(self) -> Callable[[], None] | None:
        """Let a loop work; return what it calls afterwards, None when all slots are taken."""
        try:
            return self._errands.popleft().set
        except IndexError:
            return self._slots.give_back if self._slots.take() else None

    def dismiss(self) -> None:
        """Let go of the wake-ups that no loop has taken: the database keeps the jobs."""
        while self._errands:
            try:
                self._errands.popleft().set()
            except IndexError:
                return

    def occupy(self) -> Callable[[], None] | None:
        """Take a slot without working in it; return what gives it back, None without a free one."""
        return self._slots.give_back if self._slots.take() else None

    def close(self) -> None:
        """Let go of every wake-up that still waits for a loop."""
        self._is_closed.set()
