"""Reference images from users: untrusted bytes become a plain PNG, or a clear error.

The header is checked before anything is decoded. Decoding happens in a short-lived process with
limits on memory and time, so that a bomb kills nothing but itself. The result is re-encoded:
no metadata, no second frame and no trailing data survive.
"""

import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from gen_video.errors import ServiceError, ServiceUnavailableError
from gen_video.media.headers import (
    PNG_SIGNATURE,
    DamagedHeaderError,
    ImageHeader,
    read_header,
)

DECODE_SECONDS = 15.0
"""On the clock, for a busy machine; the child's own limit of processor time is shorter."""
DECODERS = 2
"""How many children decode at a time in one process: each may take a gibibyte."""
PNG_OVERHEAD_BYTES = 2**20
DECODE_CHILD = Path(__file__).with_name("decode_child.py")
"""Started by path and never imported: this process has no image decoder in it."""
UNDECODABLE, TOO_HEAVY, EMPTY_MASK = 65, 66, 67
"""The child's exit codes."""
MEBIBYTE = 2**20
MEGAPIXEL = 10**6

_decoders = threading.BoundedSemaphore(DECODERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceLimits:
    """What a reference image may be; sides and area in pixels."""

    max_bytes: int = 20 * MEBIBYTE
    max_pixels: int = 16_777_216
    max_side: int = 8192
    min_side: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A reference image that is safe to store and to hand to an engine."""

    png: bytes
    width: int
    height: int
    sha256: str


class UnsupportedImageError(ServiceError):
    """Not one of the formats that we take."""

    code = "unsupported_image_type"
    status = 415
    message_en = "The reference image must be a PNG, JPEG or WebP file. Please convert it."
    message_zh = "参考图必须是 PNG、JPEG 或 WebP 文件，请转换格式后重新上传。"


class ImageTooLargeError(ServiceError):
    """Too many bytes or pixels."""

    code = "image_too_large"
    status = 413
    message_en = (
        "The reference image is too large ({found}); at most {limit} are allowed."
        " Please make it smaller."
    )
    message_zh = "参考图过大（{found}），最多允许 {limit}，请缩小后重新上传。"


class InvalidImageError(ServiceError):
    """Damaged, animated, tiny, or otherwise unusable."""

    code = "invalid_image"
    status = 422
    message_en = "The reference image cannot be used: {reason}."
    message_zh = "参考图无法使用：{reason_zh}。"


def sanitize_reference(
    data: bytes,
    *,
    limits: ReferenceLimits | None = None,
    cover: tuple[int, int] | None = None,
) -> Reference:
    """Check and re-encode a reference image; blocks for up to some seconds.

    The result is upright (the orientation of Exif is applied), opaque (on white), 8-bit RGB.

    Args:
        data: The file.
        limits: What it may be.
        cover: Width and height that the result will be cut to: a larger image is made as small
            as still covers them.

    Raises:
        UnsupportedImageError: Not a PNG, JPEG or WebP file.
        ImageTooLargeError: Too many bytes or pixels.
        InvalidImageError: Damaged or unusable.
        ServiceUnavailableError: The decoder cannot be started, or is too busy.
    """
    limits = limits or ReferenceLimits()
    header = check_header(data, limits)
    png = decode_apart(data, kind=header.kind, max_pixels=limits.max_pixels, cover=cover)
    plain = read_header(png)
    if plain is None:
        raise _damaged()
    sha256 = hashlib.sha256(png).hexdigest()
    return Reference(png=png, width=plain.width, height=plain.height, sha256=sha256)


class EmptyMaskError(ServiceError):
    """A mask marks nothing that could be drawn anew."""

    code = "mask_empty"
    status = 422
    message_en = (
        "The mask marks nothing: make white (or transparent) what is to be drawn anew and black"
        " (or opaque) what stays."
    )
    message_zh = "mask 未标出任何区域：需重绘处应为白色（或透明），保留处应为黑色（或不透明）。"


def check_header(data: bytes, limits: ReferenceLimits) -> ImageHeader:
    """Return what a file's header says, if it is within the limits.

    Raises:
        UnsupportedImageError: Not a PNG, JPEG or WebP file.
        ImageTooLargeError: Too many bytes or pixels.
        InvalidImageError: Empty, damaged or unusable.
    """
    if not data:
        raise InvalidImageError(
            reason="the file is empty; please choose another", reason_zh="文件为空，请重新选择"
        )
    if len(data) > limits.max_bytes:
        raise ImageTooLargeError(found=_mebibytes(len(data)), limit=_mebibytes(limits.max_bytes))
    try:
        header = read_header(data)
    except DamagedHeaderError as error:
        raise _damaged() from error
    if header is None:
        raise UnsupportedImageError
    _check_size(header, limits)
    if header.is_animated:
        raise InvalidImageError(
            reason="it is animated; please send a single picture",
            reason_zh="不支持动图，请上传单张图片",
        )
    return header


def _check_size(header: ImageHeader, limits: ReferenceLimits) -> None:
    found = f"{header.width}×{header.height}"
    if header.width * header.height > limits.max_pixels:
        limit = f"{limits.max_pixels / MEGAPIXEL:.1f} MP"
        raise ImageTooLargeError(found=f"{found} px", limit=limit)
    if max(header.width, header.height) > limits.max_side:
        side = limits.max_side
        raise ImageTooLargeError(found=f"{found} px", limit=f"{side}×{side} px")
    if min(header.width, header.height) < limits.min_side:
        raise InvalidImageError(
            reason=f"each side needs at least {limits.min_side} pixels; please send a larger one",
            reason_zh=f"每边至少需要 {limits.min_side} 像素，请上传更大的图片",
        )


def decode_apart(
    data: bytes,
    *,
    kind: str,
    max_pixels: int,
    cover: tuple[int, int] | None = None,
    is_mask: bool = False,
) -> bytes:
    """Return a plain PNG of a file whose header was checked, decoded in a process of its own.

    Raises:
        InvalidImageError: It cannot be decoded.
        EmptyMaskError: It is a mask and marks nothing.
        ServiceUnavailableError: The decoder cannot be started, or is too busy.
    """
    arguments = [kind, str(max_pixels), *map(str, cover or (0, 0)), *(["mask"] * is_mask)]
    with _decoder_slot():
        code, png = _run_child(data, arguments, max_pixels=max_pixels)
    if code == 0 and png.startswith(PNG_SIGNATURE):
        return png
    if code == EMPTY_MASK:
        raise EmptyMaskError
    if code in {0, UNDECODABLE}:
        raise _damaged()
    if code < 0 or code == TOO_HEAVY:
        raise InvalidImageError(
            reason="decoding it takes too much time or memory; please save it again as a plain PNG",
            reason_zh="解码耗费的时间或内存过多，请另存为普通 PNG 后重新上传",
        )
    raise ServiceUnavailableError("image decoder")


@contextmanager
def _decoder_slot() -> Iterator[None]:
    if not _decoders.acquire(timeout=DECODE_SECONDS):
        raise ServiceUnavailableError("image decoder busy")
    try:
        yield
    finally:
        _decoders.release()


def _run_child(data: bytes, arguments: list[str], *, max_pixels: int) -> tuple[int, bytes]:
    """Return the child's exit code (negative: the signal that ended it) and its output."""
    most_bytes = 3 * max_pixels + PNG_OVERHEAD_BYTES
    try:
        # Its own process group: Ctrl-C in a terminal must not fail requests that are draining.
        child = subprocess.Popen(  # noqa: S603 - our own script, and no shell
            [sys.executable, "-I", str(DECODE_CHILD), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            start_new_session=True,
        )
    except OSError as error:
        raise ServiceUnavailableError("image decoder") from error
    with child:
        timer = threading.Timer(DECODE_SECONDS, child.kill)
        timer.daemon = True
        timer.start()
        try:
            png = _converse(child, data, most_bytes)
        finally:
            child.kill()
            timer.cancel()
            timer.join()
    return child.returncode, png


def _converse(child: subprocess.Popen[bytes], data: bytes, most_bytes: int) -> bytes:
    """Feed the child and return what it writes, at most `most_bytes`, once it has ended."""
    if child.stdin is None or child.stdout is None:
        raise ServiceUnavailableError("image decoder")
    feeder = threading.Thread(target=_feed, args=(child.stdin, data), daemon=True)
    feeder.start()
    png = child.stdout.read(most_bytes)
    if len(png) < most_bytes:
        child.wait()
    feeder.join()
    return png


def _feed(pipe: IO[bytes], data: bytes) -> None:
    try:
        with pipe:
            pipe.write(data)
    except OSError:
        return  # the child has ended; its exit code says why


def _damaged() -> InvalidImageError:
    return InvalidImageError(
        reason="the file is damaged; please save it again as PNG, JPEG or WebP",
        reason_zh="文件已损坏，请重新另存为 PNG、JPEG 或 WebP",
    )


def _mebibytes(size_bytes: int) -> str:
    return f"{size_bytes / MEBIBYTE:.1f} MiB"
