"""Masks from users: which part of a picture is to be drawn anew.

Whatever a client sends (transparent where it is to be drawn, as OpenAI's masks are, or white)
becomes a PNG of black and white, decoded apart like every reference image.
"""

import hashlib
from dataclasses import dataclass

from gen_video.errors import FieldProblem, InvalidRequestError
from gen_video.media.headers import read_header
from gen_video.media.references import (
    InvalidImageError,
    ReferenceLimits,
    check_header,
    decode_apart,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """A mask that is safe to store and to hand to an engine: white is drawn anew."""

    png: bytes
    sha256: str


def sanitize_mask(
    data: bytes, *, size: tuple[int, int], limits: ReferenceLimits | None = None
) -> Mask:
    """Check and re-encode a mask; blocks for up to some seconds.

    Args:
        data: The file. Where anything in it is transparent, that is drawn anew, else what is
            white (lighter than the middle grey).
        size: Of the picture that it belongs to.
        limits: What it may be.

    Raises:
        InvalidRequestError: It has another size than the picture.
        EmptyMaskError: It marks nothing.
        ServiceError: As for a reference image.
    """
    limits = limits or ReferenceLimits()
    header = check_header(data, limits)
    png = decode_apart(data, kind=header.kind, max_pixels=limits.max_pixels, is_mask=True)
    plain = read_header(png)
    if plain is None:
        raise InvalidImageError(
            reason="the file is damaged; please save it again", reason_zh="文件已损坏，请重新保存"
        )
    found = (plain.width, plain.height)  # upright: the header of the file may say otherwise
    if found != size:
        raise InvalidRequestError(_misfit(found, size))
    return Mask(png=png, sha256=hashlib.sha256(png).hexdigest())


def _misfit(found: tuple[int, int], size: tuple[int, int]) -> FieldProblem:
    mask, picture = f"{found[0]}x{found[1]}", f"{size[0]}x{size[1]}"
    return FieldProblem(
        pointer="/mask",
        code="mask_size_mismatch",
        en=(
            f"the mask has {mask} pixels and its picture {picture}; "
            "send a mask of exactly the first picture's size"
        ),
        zh=f"mask 为 {mask} 像素，而图片为 {picture} 像素；两者尺寸必须一致（以第一张图片为准）",
    )
