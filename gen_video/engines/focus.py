"""Focus: which of its tasks a child is at, as far as its messages tell, and which one ended it.

A child has one thread. A picture that it begins during a video is worked on until its end, and
the video waits: so the task that was begun last is the one that the child is at.
"""

import threading
import time
from collections.abc import Callable

from gen_video.engines.frames import Frame


class Focus:
    """Listens to what a child tells of its tasks.

    Args:
        clock: Seconds; for tests.

    Attributes:
        moved_at: When the child last told something of any task.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun: list[str] = []
        self._stage = ""
        self._blamed: str | None = None
        self._lock = threading.Lock()
        self.moved_at = clock()

    def note(self, task_id: str, frame: Frame) -> None:
        """Take note of a message about a task."""
        with self._lock:
            self.moved_at = self._clock()
            self._stage = str(frame.header.get("stage", ""))
            is_over = frame.kind in {"done", "failed"}
            if is_over and task_id in self._begun:
                self._begun.remove(task_id)
            elif not is_over and task_id not in self._begun:
                self._begun.append(task_id)

    @property
    def is_loading(self) -> bool:
        """Tell whether a model may be loading, which takes long and is not told step by step."""
        with self._lock:
            return not self._begun or self._stage == "loading"

    def is_elsewhere(self, task_id: str) -> bool:
        """Tell whether the child is at another task, and this one waits for it."""
        with self._lock:
            return bool(self._begun) and self._begun[-1] != task_id

    def blame(self, task_id: str) -> None:
        """Say which task costs the child its life; the first word counts."""
        with self._lock:
            self._blamed = self._blamed or task_id

    def is_to_blame(self, task_id: str) -> bool:
        """Tell whether a task may have ended the child: the one blamed, else the one it was at."""
        with self._lock:
            suspect = self._blamed or (self._begun[-1] if self._begun else task_id)
            return suspect == task_id
