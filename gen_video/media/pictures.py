"""Pictures: raw pixels to PNG, JPEG or WebP with their generation parameters inside.

What was encoded can be decoded again before it is delivered: a job never succeeds with a file
that nobody can open.
"""

import io
from collections.abc import Mapping
from enum import StrEnum

from PIL import Image

from gen_video.errors import ServiceError
from gen_video.media.parameters import (
    JSON_CHUNK,
    from_json,
    from_xmp,
    to_exif,
    to_png_text,
    to_xmp,
)

PNG_LEVEL, PNG_STRATEGY = 1, 3
"""zlib level 1, Z_RLE: a 1024x1024 photograph took 55 ms and 1.0 MB on one core, with the default
strategy 60 ms and 1.2 MB, at level 6 247 ms and 1.0 MB."""
WEBP_METHOD = 2
"""39 ms for the same picture; method 4 took 138 ms and made it 2 % smaller."""
QUALITY = 92
SUBSAMPLING = 0
"""4:4:4: the default would smear saturated edges, such as red letters."""


class PictureFormat(StrEnum):
    """File formats of pictures."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"

    @property
    def mime(self) -> str:
        """Return the media type."""
        return f"image/{self.value}"

    @property
    def extension(self) -> str:
        """Return the file name extension without a dot."""
        return "jpg" if self is PictureFormat.JPEG else self.value


class BrokenPictureError(ServiceError):
    """What was generated cannot be encoded, or what was encoded cannot be decoded again."""

    code = "generation_failed"
    is_retryable = True
    message_en = "The finished picture did not pass verification ({reason}). Please try again."
    message_zh = "生成的图片未通过校验（{reason}），请重试。"

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)


def encode_picture(
    rgb: bytes,
    *,
    width: int,
    height: int,
    picture_format: PictureFormat,
    parameters: Mapping[str, str],
    quality: int = QUALITY,
) -> bytes:
    """Encode raw pixels.

    Args:
        rgb: height x width x 3 bytes, row by row.
        width: Pixels.
        height: Pixels.
        picture_format: The file format.
        parameters: Written into the file's metadata.
        quality: 1 to 100, for JPEG and WebP.

    Raises:
        BrokenPictureError: There are not as many pixels as width x height, or the format cannot
            hold a picture of this size.
    """
    if len(rgb) != width * height * 3 or width < 1 or height < 1:
        raise BrokenPictureError(f"{len(rgb)} bytes for {width}x{height} pixels")
    image = Image.frombytes("RGB", (width, height), rgb)
    buffer = io.BytesIO()
    try:
        _save(image, buffer, picture_format, parameters=parameters, quality=quality)
    except (OSError, ValueError) as error:
        raise BrokenPictureError(str(error)) from error
    return buffer.getvalue()


def verify_picture(data: bytes, *, width: int, height: int, picture_format: PictureFormat) -> None:
    """Decode a finished file and check that it is what it should be.

    Raises:
        BrokenPictureError: It is not.
    """
    try:
        with Image.open(io.BytesIO(data), formats=[picture_format.value.upper()]) as image:
            image.load()
            found = image.size
    except Exception as error:  # Pillow raises many kinds for damaged files, and no common one
        raise BrokenPictureError(f"{type(error).__name__}: {error}") from error
    if found != (width, height):
        raise BrokenPictureError(f"{found[0]}x{found[1]} pixels, not {width}x{height}")


def read_parameters(data: bytes) -> dict[str, str]:
    """Return the generation parameters inside a file that `encode_picture` made, else {}.

    Raises:
        UnidentifiedImageError: It is no picture at all.
    """
    formats = [picture_format.value.upper() for picture_format in PictureFormat]
    with Image.open(io.BytesIO(data), formats=formats) as image:
        image.load()
        if image.format == "PNG":
            return from_json(str(image.info.get(JSON_CHUNK, "")))
        return from_xmp(image.info.get("xmp", b""))


def _save(
    image: Image.Image,
    buffer: io.BytesIO,
    picture_format: PictureFormat,
    *,
    parameters: Mapping[str, str],
    quality: int,
) -> None:
    match picture_format:
        case PictureFormat.PNG:
            image.save(
                buffer,
                "PNG",
                compress_level=PNG_LEVEL,
                compress_type=PNG_STRATEGY,
                pnginfo=to_png_text(parameters),
            )
        case PictureFormat.JPEG:
            image.save(
                buffer,
                "JPEG",
                quality=quality,
                subsampling=SUBSAMPLING,
                exif=to_exif(parameters),
                xmp=to_xmp(parameters),
            )
        case PictureFormat.WEBP:
            image.save(
                buffer,
                "WEBP",
                quality=quality,
                method=WEBP_METHOD,
                exif=to_exif(parameters),
                xmp=to_xmp(parameters),
            )
