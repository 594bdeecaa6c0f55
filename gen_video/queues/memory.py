"""Wake-ups within one process: the broker of tests."""

import queue as queues
import threading
import time
from collections import defaultdict
from collections.abc import Sequence

from typing_extensions import override

from gen_video.queues.wakeups import BrokerUnavailableError, OnWake, WakeUpListener, WakeUps

LOOK_SECONDS = 0.02


class MemoryBroker:
    """Queues in memory, shared by senders and listeners of one process.

    Attributes:
        is_down: While true, senders fail and listeners hear nothing.
    """

    def __init__(self) -> None:
        self.is_down = False
        self._queues: defaultdict[str, queues.SimpleQueue[str]] = defaultdict(queues.SimpleQueue)

    def put(self, queue: str, job_id: str) -> None:
        """Add a message, whatever it says."""
        self._queues[queue].put(job_id)

    def take(self, queue: str) -> str | None:
        """Remove and return the oldest message."""
        if self.is_down:
            return None
        try:
            return self._queues[queue].get_nowait()
        except queues.Empty:
            return None


class MemoryWakeUps(WakeUps):
    """Sends into a `MemoryBroker`.

    Attributes:
        sent: What was sent, in order: queue and job id.
    """

    def __init__(self, broker: MemoryBroker | None = None) -> None:
        self.broker = broker or MemoryBroker()
        self.sent: list[tuple[str, str]] = []

    @override
    def send(self, queue: str, job_id: str) -> None:
        if self.broker.is_down:
            raise BrokerUnavailableError("it is switched off")
        self.sent.append((queue, job_id))
        self.broker.put(queue, job_id)

    @override
    def close(self) -> None:
        return


class MemoryListener(WakeUpListener):
    """Hears what is sent into a `MemoryBroker`, on one thread per slot."""

    def __init__(
        self, broker: MemoryBroker, queues: Sequence[str], on_wake: OnWake, *, slots: int = 1
    ) -> None:
        self._broker = broker
        self._names = tuple(queues)
        self._on_wake = on_wake
        self._is_stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._listen, name=f"wake-up-{number}", daemon=True)
            for number in range(slots)
        ]

    @property
    @override
    def is_connected(self) -> bool:
        is_alive = any(thread.is_alive() for thread in self._threads)
        return is_alive and not self._broker.is_down and not self._is_stopping.is_set()

    @override
    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    @override
    def stop(self, timeout_seconds: float) -> bool:
        self._is_stopping.set()
        until = time.monotonic() + timeout_seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _listen(self) -> None:
        while not self._is_stopping.wait(LOOK_SECONDS):
            for name in self._names:
                job_id = self._broker.take(name)
                if job_id is not None:
                    self._on_wake(name, job_id)
