"""The supervisor: keeps the processes of one service running until it is told to stop.

It does no work of its own and imports nothing heavy at run time, so that it is the last to fail.
"""

import signal
import time
from collections.abc import Callable, Sequence

import structlog

from gen_video.cli.children import CRASH_LIMIT, Child
from gen_video.errors import ServiceError

LOOK_EVERY_SECONDS = 0.1

log = structlog.get_logger(__name__)


class ProcessKeepsDyingError(ServiceError):
    """A process died again and again."""

    code = "process_keeps_dying"
    message_en = "The {name} process died {times} times in a row; its last lines above say why"
    message_zh = "{name} 进程连续退出 {times} 次，原因见上方日志"


class Supervisor:
    """Looks after the processes.

    Args:
        children: Started in this order.
        stop_seconds: From the request to stop until the rest is killed.
        on_death: Told the pid of every process that died.
        is_ready: Asked until it says yes; then `on_ready` is called, once.
    """

    def __init__(
        self,
        children: Sequence[Child],
        *,
        stop_seconds: float,
        on_death: Callable[[int], None],
        is_ready: Callable[[], bool],
        on_ready: Callable[[], None],
    ) -> None:
        self._children = children
        self._stop_seconds = stop_seconds
        self._on_death = on_death
        self._is_ready = is_ready
        self._on_ready = on_ready
        self._requests = 0

    def run(self) -> None:
        """Run until SIGTERM or Ctrl-C; a second one kills what is left at once.

        Raises:
            ProcessKeepsDyingError: Starting again did not help.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        try:
            self._look_after()
        finally:
            self._stop()

    def _on_signal(self, _number: int, _frame: object) -> None:
        self._requests += 1

    def _look_after(self) -> None:
        has_told = False
        while not self._requests:
            for child in self._children:
                self._look_at(child)
            if not has_told and self._is_ready():
                has_told = True
                self._on_ready()
            time.sleep(LOOK_EVERY_SECONDS)

    def _look_at(self, child: Child) -> None:
        dead = child.look_after()
        if dead is None:
            return
        self._on_death(dead)
        if child.is_hopeless():
            raise ProcessKeepsDyingError(name=child.name, times=CRASH_LIMIT)

    def _stop(self) -> None:
        for child in self._children:
            child.stop(signal.SIGTERM)
        give_up_at = time.monotonic() + self._stop_seconds
        while any(child.is_running() for child in self._children):
            if self._requests > 1 or time.monotonic() > give_up_at:
                self._kill()
                return
            time.sleep(LOOK_EVERY_SECONDS)

    def _kill(self) -> None:
        for child in self._children:
            child.stop(signal.SIGKILL)
        for child in self._children:
            child.reap()
        log.warning("processes_killed")
