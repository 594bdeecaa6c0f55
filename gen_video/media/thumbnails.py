"""Thumbnails: small WebP files beside large pictures, for lists of many."""

import io
from dataclasses import dataclass

from PIL import Image

LONGEST_SIDE = 448
"""Pixels: sharp in a tile of half that width on a dense screen."""
WORTH_IT = 512
"""Pixels of the longest side up to which a picture is small enough itself."""
QUALITY = 72
REDUCING_GAP = 3.0
MIME, EXTENSION = "image/webp", "webp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """A small WebP file and its sides in pixels."""

    data: bytes
    width: int
    height: int


def make_thumbnail(rgb: bytes, *, width: int, height: int) -> Thumbnail | None:
    """Return a small version of raw pixels; None where the picture is small itself.

    Args:
        rgb: height x width x 3 bytes, row by row.
        width: Pixels.
        height: Pixels.
    """
    longest = max(width, height)
    if longest <= WORTH_IT:
        return None
    size = tuple(max(1, round(side * LONGEST_SIDE / longest)) for side in (width, height))
    image = Image.frombytes("RGB", (width, height), rgb)
    small = image.resize((size[0], size[1]), Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=QUALITY)
    return Thumbnail(data=buffer.getvalue(), width=small.width, height=small.height)
