"""Previews: small JPEG files of unfinished pictures, bounded in bytes."""

import io
from dataclasses import dataclass

from PIL import Image

MAX_BYTES = 15_000
QUALITIES = (80, 60, 40, 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewFile:
    """A small file and its media type."""

    data: bytes
    mime: str


def encode_preview(rgb: bytes, *, width: int, height: int) -> PreviewFile:
    """Encode raw pixels as a JPEG of at most `MAX_BYTES`, as good as fits.

    Args:
        rgb: height x width x 3 bytes, row by row.
        width: Pixels, few: at the lowest quality it is kept whatever its bytes.
        height: Pixels.
    """
    image = Image.frombytes("RGB", (width, height), rgb)
    data = b""
    for quality in QUALITIES:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        data = buffer.getvalue()
        if len(data) <= MAX_BYTES:
            break
    return PreviewFile(data=data, mime="image/jpeg")
