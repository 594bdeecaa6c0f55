"""Decodes one untrusted image or mask from standard input to a plain PNG on standard output.

Runs as a process of its own under limits of memory and time: whatever a hostile file does, it
does it here. Started by path, it imports nothing of the service, and it gets no environment.

    python -I decode_child.py PNG|JPEG|WEBP MAX_PIXELS WIDTH HEIGHT [mask] < untrusted > plain.png

Exit code 0: done; 65: the file cannot be decoded; 66, or killed by a signal: it went over a
limit; 67: a mask that marks nothing; anything else: our own fault.
"""

import io
import math
import resource
import sys
from collections.abc import Callable
from typing import IO

from PIL import Image, ImageFile, ImageOps, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

MEMORY_BYTES = 1024**3
"""On top of what the process has mapped when it starts."""
CPU_SECONDS = 5
UNDECODABLE = 65
TOO_HEAVY = 66
EMPTY_MASK = 67
HALF = 128
PNG_COMPRESSION = 1
OPENERS: dict[str, Callable[[IO[bytes]], ImageFile.ImageFile]] = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
}
"""One class per format: no other of Pillow's parsers is ever asked."""
GREY_16 = ("I", "I;16", "I;16B", "I;16L", "I;16N")


class EmptyMaskError(Exception):
    """A mask marks nothing."""


def main(kind: str, max_pixels: int, cover: tuple[int, int], *, is_mask: bool) -> int:
    """Decode, normalise, encode."""
    limit_resources()
    data = sys.stdin.buffer.read()
    try:
        if is_mask:
            plain = to_mask_png(data, kind=kind, max_pixels=max_pixels)
        else:
            plain = to_plain_png(data, kind=kind, max_pixels=max_pixels, cover=cover)
    except EmptyMaskError:
        return EMPTY_MASK
    except MemoryError:
        return TOO_HEAVY
    except Exception:  # noqa: BLE001 - any other failure on untrusted bytes has the same answer
        return UNDECODABLE
    sys.stdout.buffer.write(plain)
    return 0


def limit_resources() -> None:
    """Bound memory and processor time; start no process, write no file and no core dump."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    if sys.platform == "linux":
        most = mapped_bytes() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def mapped_bytes() -> int:
    """Return the size of this process's address space."""
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - pathlib would double the start
        return int(file.read().split()[0]) * resource.getpagesize()


def to_plain_png(
    data: bytes, *, kind: str, max_pixels: int, cover: tuple[int, int] = (0, 0)
) -> bytes:
    """Return the first frame upright, on white where transparent, as a PNG without metadata.

    With a size to `cover` a larger picture is made as small as still covers it.

    Raises:
        Exception: Whatever Pillow raises for a file that it cannot decode.
    """
    plain = on_white(decode(data, kind=kind, max_pixels=max_pixels))
    if all(cover):
        scale = max(cover[0] / plain.width, cover[1] / plain.height)
        if scale < 1:
            size = (math.ceil(plain.width * scale), math.ceil(plain.height * scale))
            plain = plain.resize(size, Image.Resampling.LANCZOS)
    return encode(plain)


def to_mask_png(data: bytes, *, kind: str, max_pixels: int) -> bytes:
    """Return a mask as a PNG of black and white: white is to be drawn anew.

    Where the file has anything transparent, that is white; else what is light in it.

    Raises:
        EmptyMaskError: Nothing would be white.
        Exception: Whatever Pillow raises for a file that it cannot decode.
    """
    image = decode(data, kind=kind, max_pixels=max_pixels)
    marks = on_white(image).convert("L")
    if image.has_transparency_data:
        clear = ImageOps.invert(image.convert("RGBA").getchannel("A"))
        if any(clear.histogram()[HALF:]):
            marks = clear
    marks = marks.point(lambda value: 255 if value >= HALF else 0)
    if marks.getbbox() is None:
        raise EmptyMaskError
    return encode(marks)


def decode(data: bytes, *, kind: str, max_pixels: int) -> Image.Image:
    """Return the first frame, upright."""
    with OPENERS[kind](io.BytesIO(data)) as image:
        if image.width * image.height > max_pixels:
            raise ValueError("more pixels than the header said")
        image.load()
        return upright(image)


def encode(plain: Image.Image) -> bytes:
    """Return a PNG that holds nothing but pixels."""
    plain.info.clear()
    buffer = io.BytesIO()
    plain.save(buffer, "PNG", compress_level=PNG_COMPRESSION)
    return buffer.getvalue()


def upright(image: Image.Image) -> Image.Image:
    """Return the image as its camera was held; Exif data that makes no sense is ignored."""
    try:
        return ImageOps.exif_transpose(image)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - Pillow raises many kinds for broken Exif data
        return image


def on_white(image: Image.Image) -> Image.Image:
    """Return an opaque picture in 8-bit RGB."""
    if image.mode in GREY_16:
        return image.convert("I").point(lambda value: value * (1 / 257)).convert("L").convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    white = Image.new("RGB", layer.size, "white")
    white.paste(layer, mask=layer.getchannel("A"))
    return white


if __name__ == "__main__":
    arguments = sys.argv[1:]
    sys.exit(
        main(
            arguments[0],
            int(arguments[1]),
            (int(arguments[2]), int(arguments[3])),
            is_mask="mask" in arguments[4:],
        )
    )
