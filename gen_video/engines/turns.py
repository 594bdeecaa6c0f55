"""Turns: how a device is shared between a running video and the pictures that come meanwhile.

A picture takes seconds and a video minutes. Between two steps of a video the child may draw a
waiting picture, as long as the video keeps its share of the time.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gen_video.engines.frames import Frame
from gen_video.engines.tasks import StepProgress, VideoTask

MOST_OPEN_PARTS = 4
WAIT_SECONDS = 0.05


class Tray:
    """Messages that wait for the working thread, in the order in which they came."""

    def __init__(self) -> None:
        self._frames: deque[Frame] = deque()
        self._filled = threading.Condition()

    def put(self, frame: Frame) -> None:
        """Add a message."""
        with self._filled:
            self._frames.append(frame)
            self._filled.notify()

    def take(self) -> Frame:
        """Wait for the next message."""
        with self._filled:
            while not self._frames:
                self._filled.wait()
            return self._frames.popleft()

    def take_first(self, kind: str, is_wanted: Callable[[Frame], bool]) -> Frame | None:
        """Take the first message if it is of this kind and wanted; None otherwise.

        Only the first: what came before it, such as a model to be warmed, keeps its place.
        """
        with self._filled:
            if not self._frames or self._frames[0].kind != kind:
                return None
            return self._frames.popleft() if is_wanted(self._frames[0]) else None


@dataclass(slots=True)
class StepReport:
    """How far a video is."""

    task: VideoTask
    progress: StepProgress


class Outbox:
    """Counts the parts of a task's output that were sent and not used yet.

    A worker that encodes more slowly than the device decodes must not drown in frames.
    """

    def __init__(self) -> None:
        self._open = 0
        self._changed = threading.Condition()

    def sent(self) -> None:
        """Count a part that was sent."""
        with self._changed:
            self._open += 1

    def taken(self) -> None:
        """Count a part that was used."""
        with self._changed:
            self._open -= 1
            self._changed.notify()

    def wait(self, check: Callable[[], None]) -> None:
        """Wait until few enough parts are open; `check` is called meanwhile and may raise."""
        while True:
            check()
            with self._changed:
                if self._changed.wait_for(self._has_room, WAIT_SECONDS):
                    return

    def _has_room(self) -> bool:
        return self._open < MOST_OPEN_PARTS


class Turns:
    """Keeps account of the time that a video and the pictures beside it took.

    Args:
        video_share: The part of the time that the video keeps, 0 to 1.
        clock: Seconds; for tests.
    """

    def __init__(self, *, video_share: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._share = video_share
        self._clock = clock
        self._started_at = clock()
        self._picture_seconds = 0.0

    def is_pictures_turn(self) -> bool:
        """Tell whether a waiting picture may be drawn now."""
        if self._share >= 1:
            return False
        video_seconds = self._clock() - self._started_at - self._picture_seconds
        return self._picture_seconds * self._share <= video_seconds * (1 - self._share)

    @contextmanager
    def picture(self) -> Iterator[None]:
        """Count the time inside as a picture's."""
        began_at = self._clock()
        try:
            yield
        finally:
            self._picture_seconds += self._clock() - began_at
