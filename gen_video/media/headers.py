"""Image headers: what an untrusted file says it is, read without decoding anything.

Sizes and animation flags are taken from the first bytes of PNG, JPEG and WebP files by hand: a
decoder's own way of opening a file may already allocate what a hostile header asks for.

Sources: PNG specification (third edition) §5 and §11; ITU-T T.81 annex B; RFC 9649 §2.
"""

from collections.abc import Iterator
from dataclasses import dataclass

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_PARTS = 10_000
"""Chunks or segments before the pixels; pictures of cameras have some dozens."""

PNG_IHDR_BYTES = 13
SOF_MARKERS = frozenset(
    {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
)
BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD8)})
JPEG_END = frozenset({0xD9, 0xDA})
WEBP_ANIMATED = 0x02
VP8_START = b"\x9d\x01\x2a"
VP8L_START = 0x2F


class DamagedHeaderError(ValueError):
    """The file begins like an image, but its header makes no sense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageHeader:
    """What a file says about itself; `kind` is Pillow's name of the format, sides in pixels."""

    kind: str
    width: int
    height: int
    is_animated: bool = False


def read_header(data: bytes) -> ImageHeader | None:
    """Return the header of a PNG, JPEG or WebP file, None for anything else.

    Raises:
        DamagedHeaderError: It is one of them, but cut short or contradictory.
    """
    try:
        if data.startswith(PNG_SIGNATURE):
            return _read_png(data)
        if data.startswith(b"\xff\xd8\xff"):
            return _read_jpeg(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _read_webp(data)
    except IndexError as error:
        raise DamagedHeaderError("the file ends inside its header") from error
    return None


def _read_png(data: bytes) -> ImageHeader:
    chunks = _png_chunks(data)
    name, start, length = next(chunks)
    if name != b"IHDR" or length != PNG_IHDR_BYTES:
        raise DamagedHeaderError("a PNG file begins with IHDR")
    width, height = _big(data, start, 4), _big(data, start + 4, 4)
    for name, _, _ in chunks:
        if name == b"acTL":
            return _header("PNG", width, height, is_animated=True)
        if name == b"IDAT":
            return _header("PNG", width, height)
    raise DamagedHeaderError("the file has no pixels")


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield (name, start of the content, its length)."""
    at = len(PNG_SIGNATURE)
    for _ in range(MAX_PARTS):
        length = _big(data, at, 4)
        yield data[at + 4 : at + 8], at + 8, length
        at += length + 12
    raise DamagedHeaderError("too many chunks before the pixels")


def _read_jpeg(data: bytes) -> ImageHeader:
    for marker, start in _jpeg_segments(data):
        if marker in SOF_MARKERS:
            return _header("JPEG", _big(data, start + 3, 2), _big(data, start + 1, 2))
        if marker in JPEG_END:
            break
    raise DamagedHeaderError("the file has no frame header")


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield (marker, start of the content after the length)."""
    at = 2
    for _ in range(MAX_PARTS):
        if data[at] != 0xFF:  # noqa: PLR2004 - every JPEG marker begins so
            raise DamagedHeaderError("a segment does not begin with a marker")
        marker = data[at + 1]
        if marker == 0xFF:  # noqa: PLR2004 - a fill byte
            at += 1
        elif marker in BARE_MARKERS:
            at += 2
        else:
            yield marker, at + 4
            at += 2 + _big(data, at + 2, 2)
    raise DamagedHeaderError("too many segments before the pixels")


def _read_webp(data: bytes) -> ImageHeader:
    name, start = data[12:16], 20
    match name:
        case b"VP8X":
            is_animated = bool(data[start] & WEBP_ANIMATED)
            width, height = 1 + _little(data, start + 4, 3), 1 + _little(data, start + 7, 3)
            return _header("WEBP", width, height, is_animated=is_animated)
        case b"VP8 " if data[start + 3 : start + 6] == VP8_START:
            width, height = _little(data, start + 6, 2), _little(data, start + 8, 2)
            return _header("WEBP", width & 0x3FFF, height & 0x3FFF)
        case b"VP8L" if data[start] == VP8L_START:
            bits = _little(data, start + 1, 4)
            return _header("WEBP", 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    raise DamagedHeaderError("the file has no frame header")


def _header(kind: str, width: int, height: int, *, is_animated: bool = False) -> ImageHeader:
    if width < 1 or height < 1:
        raise DamagedHeaderError("a side has no pixels")
    return ImageHeader(kind=kind, width=width, height=height, is_animated=is_animated)


def _big(data: bytes, at: int, count: int) -> int:
    return int.from_bytes(_exactly(data, at, count), "big")


def _little(data: bytes, at: int, count: int) -> int:
    return int.from_bytes(_exactly(data, at, count), "little")


def _exactly(data: bytes, at: int, count: int) -> bytes:
    piece = data[at : at + count]
    if len(piece) != count:
        raise IndexError(at)
    return piece
