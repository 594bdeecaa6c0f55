"""Joins: scenes one after the other, cut or cross-faded, frame by frame.

Frames come out in order and as soon as they are final: between two calls no more than `overlap`
frames are held. A frame takes part in one cross-fade at most, so a scene between two others has
at least twice `overlap` frames.
"""

from collections import deque
from collections.abc import Sequence

import numpy as np


class SceneJoiner:
    """Joins scenes that arrive one after the other.

    Call `add` for each chunk of a scene, `end_scene` after each scene, and `finish` at the end;
    encode what `add` and `finish` return, in that order.

    Args:
        frame_bytes: Size of one raw frame.
        overlap: How many last frames of a scene fade into as many first frames of the next;
            0 cuts.
    """

    def __init__(self, *, frame_bytes: int, overlap: int = 0) -> None:
        if frame_bytes < 1:
            raise ValueError(f"a frame has bytes, not {frame_bytes}")
        _check_overlap(overlap)
        self._frame_bytes = frame_bytes
        self._overlap = overlap
        self._leaving: deque[bytes] = deque()
        """Last frames of the scene before, until the scene that follows has faded them out."""
        self._tail: deque[bytes] = deque()
        """Last frames of the present scene, which the next one may need."""
        self._seen = 0
        """Frames of the present scene."""
        self._scenes = 0
        """Scenes that have ended."""

    def add(self, rgb: bytes) -> list[bytes]:
        """Take one or several whole frames of the present scene; return the frames now final.

        Raises:
            ValueError: A part of a frame; or the scene before this one was too short to fade in
                and out.
        """
        if not rgb or len(rgb) % self._frame_bytes:
            raise ValueError(f"{len(rgb)} bytes are not whole frames of {self._frame_bytes}")
        if not self._seen and self._scenes:
            self._begin_next_scene()
        chunk = memoryview(rgb)
        ready: list[bytes] = []
        for start in range(0, len(rgb), self._frame_bytes):
            ready += self._take(bytes(chunk[start : start + self._frame_bytes]))
        return ready

    def end_scene(self) -> None:
        """Say that the present scene is complete.

        Raises:
            ValueError: It has no frames, or fewer than its cross-fade needs.
        """
        if not self._seen:
            raise ValueError(f"scene {self._scenes + 1} has no frames")
        if self._leaving:
            raise ValueError(_too_short(self._scenes, self._seen, self._overlap))
        self._scenes += 1
        self._seen = 0

    def finish(self) -> list[bytes]:
        """End the last scene if it is still open, and return the frames held back.

        Raises:
            ValueError: There was no scene, or the last one is shorter than its cross-fade.
        """
        if self._seen or not self._scenes:
            self.end_scene()
        held = list(self._tail)
        self._tail.clear()
        return held

    def _begin_next_scene(self) -> None:
        if len(self._tail) < self._overlap:
            place = self._scenes - 1
            fades_in = self._overlap if place else 0
            raise ValueError(
                _too_short(place, fades_in + len(self._tail), fades_in + self._overlap)
            )
        self._leaving, self._tail = self._tail, deque()

    def _take(self, frame: bytes) -> list[bytes]:
        self._seen += 1
        if self._leaving:
            return [blend(self._leaving.popleft(), frame, step=self._seen, overlap=self._overlap)]
        self._tail.append(frame)
        return [self._tail.popleft()] if len(self._tail) > self._overlap else []


def blend(leaving: bytes, coming: bytes, *, step: int, overlap: int) -> bytes:
    """Mix two frames in a linear cross-fade.

    Args:
        leaving: A frame of the scene that ends.
        coming: The frame at the same place of the scene that begins.
        step: 1 for the first frame of the fade, `overlap` for the last; no frame of the fade
            shows one scene alone, the frames around it do.
        overlap: Frames of the fade.
    """
    whole = overlap + 1
    before = np.frombuffer(leaving, np.uint8).astype(np.uint32)
    after = np.frombuffer(coming, np.uint8).astype(np.uint32)
    mixed = (before * (whole - step) + after * step + whole // 2) // whole
    return mixed.astype(np.uint8).tobytes()


def joined_frames(counts: Sequence[int], overlap: int) -> int:
    """Return how many frames scenes of these lengths have when they are joined.

    Raises:
        ValueError: There are no scenes, or one is shorter than its overlaps need.
    """
    _check_overlap(overlap)
    if not counts:
        raise ValueError("there are no scenes to join")
    last = len(counts) - 1
    for place, count in enumerate(counts):
        needed = max(1, overlap * ((place > 0) + (place < last)))
        if count < needed:
            raise ValueError(_too_short(place, count, needed))
    return sum(counts) - overlap * last


def faded_frames(counts: Sequence[int], overlap: int) -> frozenset[int]:
    """Return the places, in the joined frames, that show two scenes at once.

    Raises:
        ValueError: As `joined_frames`.
    """
    joined_frames(counts, overlap)
    faded: set[int] = set()
    end = 0
    for count in counts[:-1]:
        end += count - overlap
        faded.update(range(end, end + overlap))
    return frozenset(faded)


def _check_overlap(overlap: int) -> None:
    if overlap < 0:
        raise ValueError(f"an overlap has 0 frames or more, not {overlap}")


def _too_short(place: int, found: int, needed: int) -> str:
    return f"scene {place + 1} has {found} frames, its overlaps need at least {needed}"
