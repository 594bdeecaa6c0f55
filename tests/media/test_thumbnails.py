"""Thumbnails: small files of large pictures, of the same shape."""

import io

import pytest
from PIL import Image

from gen_video.media.thumbnails import LONGEST_SIDE, WORTH_IT, make_thumbnail


def paint(width: int, height: int) -> bytes:
    """Return pixels whose left half is red and whose right half is blue."""
    row = b"\xff\x00\x00" * (width // 2) + b"\x00\x00\xff" * (width - width // 2)
    return row * height


@pytest.mark.parametrize(
    ("size", "small"),
    [
        ((1024, 1024), (LONGEST_SIDE, LONGEST_SIDE)),
        ((1024, 512), (LONGEST_SIDE, LONGEST_SIDE // 2)),
        ((8, 1024), (4, LONGEST_SIDE)),
        ((WORTH_IT + 8, 16), (LONGEST_SIDE, 14)),
        ((2048, 1), (LONGEST_SIDE, 1)),
    ],
)
def test_a_thumbnail_has_the_shape_of_its_picture(
    size: tuple[int, int], small: tuple[int, int]
) -> None:
    found = make_thumbnail(paint(*size), width=size[0], height=size[1])

    assert found is not None
    assert (found.width, found.height) == small
    with Image.open(io.BytesIO(found.data)) as image:
        assert (image.format, image.size) == ("WEBP", small)


def test_a_thumbnail_shows_what_the_picture_shows() -> None:
    found = make_thumbnail(paint(1024, 768), width=1024, height=768)

    assert found is not None
    image = Image.open(io.BytesIO(found.data)).convert("RGB")
    left, right = image.getpixel((20, 100)), image.getpixel((image.width - 20, 100))
    assert isinstance(left, tuple)
    assert isinstance(right, tuple)
    assert left[0] > left[2] + 150
    assert right[2] > right[0] + 150


@pytest.mark.parametrize("size", [(WORTH_IT, WORTH_IT), (64, 48), (1, 1)])
def test_a_small_picture_is_its_own_thumbnail(size: tuple[int, int]) -> None:
    assert make_thumbnail(paint(*size), width=size[0], height=size[1]) is None
