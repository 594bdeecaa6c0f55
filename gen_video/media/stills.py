"""Stills: the poster of a video and its strip of thumbnails, picked while frames pass by.

Which frames are kept is settled by their number before the first one comes, so that a video of
any length costs one raw frame and ten small ones.
"""

from collections.abc import Collection
from typing import NamedTuple

from PIL import Image

from gen_video.media.pictures import PictureFormat, encode_picture

POSTER_PART = 3
"""The poster is the frame at a third: past any opening from black or blur, before any ending."""
STRIP_FRAMES = 10
STRIP_WIDTH = 160
"""Pixels of one thumbnail; frames that are narrower keep their size."""
STRIP_QUALITY = 80
REDUCING_GAP = 2.0
"""A plain average first, to about twice the size: 2 ms for a 1280x720 frame instead of 11 ms."""


class Still(NamedTuple):
    """A JPEG picture and its sides in pixels."""

    jpeg: bytes
    width: int
    height: int


class Stills:
    """Sees every frame of a video once, in any order, and keeps the few that are needed.

    Args:
        width: Pixels of a frame.
        height: Pixels of a frame.
        total: How many frames will be seen.
        faded: Places of frames that show two scenes at once; none of them becomes the poster
            while there is another.
    """

    def __init__(
        self, *, width: int, height: int, total: int, faded: Collection[int] = frozenset()
    ) -> None:
        if min(width, height, total) < 1:
            raise ValueError(f"{total} frames of {width}x{height} pixels have no stills")
        self._size = (width, height)
        self._small = small_size(width, height)
        self._poster_place = poster_place(total, faded)
        self._strip_places = frozenset(strip_places(total))
        self._poster: Image.Image | None = None
        self._thumbnails: dict[int, Image.Image] = {}

    def see(self, index: int, rgb: bytes) -> None:
        """Look at one raw frame; `index` counts from 0.

        Raises:
            ValueError: Not as many bytes as a frame has.
        """
        width, height = self._size
        if len(rgb) != width * height * 3:
            raise ValueError(f"{len(rgb)} bytes for {width}x{height} pixels")
        if index != self._poster_place and index not in self._strip_places:
            return
        image = Image.frombytes("RGB", self._size, rgb)
        if index == self._poster_place:
            self._poster = image
        if index in self._strip_places:
            self._thumbnails[index] = image.resize(
                self._small, Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP
            )

    def poster(self) -> Still:
        """Return the one frame that stands for the video, in full size.

        Raises:
            ValueError: That frame has not been seen.
        """
        if self._poster is None:
            raise ValueError(f"frame {self._poster_place}, the poster, has not been seen")
        return _to_jpeg(self._poster)

    def strip(self) -> Still:
        """Return up to ten small frames side by side, in the order of time.

        All have the same width, so that a player finds the n-th without a table.

        Raises:
            ValueError: One of them has not been seen.
        """
        missing = sorted(self._strip_places - self._thumbnails.keys())
        if missing:
            raise ValueError(f"frames {missing} of the strip have not been seen")
        width, height = self._small
        row = Image.new("RGB", (width * len(self._thumbnails), height))
        for place, index in enumerate(sorted(self._thumbnails)):
            row.paste(self._thumbnails[index], (place * width, 0))
        return _to_jpeg(row, quality=STRIP_QUALITY)


def poster_place(total: int, faded: Collection[int] = frozenset()) -> int:
    """Return the number of the frame nearest to a third that is not faded."""
    wanted = total // POSTER_PART
    clear = [place for place in range(total) if place not in faded]
    return min(clear, key=lambda place: abs(place - wanted), default=wanted)


def strip_places(total: int) -> list[int]:
    """Return the numbers of the frames in the middle of up to ten equal parts."""
    count = min(STRIP_FRAMES, total)
    return [(2 * part + 1) * total // (2 * count) for part in range(count)]


def small_size(width: int, height: int) -> tuple[int, int]:
    """Return the size of a thumbnail."""
    small = min(STRIP_WIDTH, width)
    return small, max(1, round(height * small / width))


def _to_jpeg(image: Image.Image, *, quality: int | None = None) -> Still:
    more = {} if quality is None else {"quality": quality}
    jpeg = encode_picture(
        image.tobytes(),
        width=image.width,
        height=image.height,
        picture_format=PictureFormat.JPEG,
        parameters={},
        **more,
    )
    return Still(jpeg=jpeg, width=image.width, height=image.height)
