"""Masks of users: what is drawn anew, in files of every kind, and which are refused."""

import io

import pytest
from PIL import Image

from gen_video.errors import InvalidRequestError
from gen_video.media import decode_child, references
from gen_video.media.masks import sanitize_mask
from gen_video.media.references import EmptyMaskError, InvalidImageError, UnsupportedImageError
from tests.media import hostile

SIZE = (64, 48)
BOX = (10, 8, 30, 28)


def file_of(image: Image.Image, kind: str = "PNG", **save: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **save)
    return buffer.getvalue()


def black_and_white(mode: str = "RGB") -> Image.Image:
    image = Image.new("L", SIZE)
    image.paste(255, BOX)
    return image.convert(mode)


def with_hole(mode: str = "RGBA", clear: int = 0) -> Image.Image:
    """Return a white picture that is transparent in the box, as clients of OpenAI send it."""
    image = Image.new("RGBA", SIZE, "white")
    image.paste((255, 255, 255, clear), BOX)
    return image.convert(mode)


@pytest.mark.parametrize(
    "data",
    [
        file_of(black_and_white()),
        file_of(black_and_white("L")),
        file_of(black_and_white("1")),
        file_of(black_and_white("P")),
        file_of(black_and_white("RGBA")),
        file_of(black_and_white("LA")),
        file_of(black_and_white(), "JPEG", quality=95),
        file_of(black_and_white(), "WEBP", lossless=True),
        file_of(with_hole()),
        file_of(with_hole("LA")),
        file_of(with_hole(clear=100)),
        file_of(with_hole(), "WEBP", lossless=True),
    ],
    ids=str,
)
def test_white_or_else_transparent_parts_are_drawn_anew(data: bytes) -> None:
    mask = sanitize_mask(data, size=SIZE)

    with Image.open(io.BytesIO(mask.png)) as image:
        assert image.mode == "L"
        assert image.getbbox() == BOX
        assert set(image.tobytes()) == {0, 255}


def test_a_mask_is_turned_upright_like_its_picture() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6

    mask = sanitize_mask(file_of(black_and_white(), exif=exif.tobytes()), size=SIZE[::-1])

    with Image.open(io.BytesIO(mask.png)) as image:
        assert image.size == SIZE[::-1]


@pytest.mark.parametrize(
    "image", [Image.new("RGB", SIZE), Image.new("L", SIZE, 127), with_hole(clear=200).convert("L")]
)
def test_a_mask_that_marks_nothing_is_refused(image: Image.Image) -> None:
    dark = image.point(lambda value: min(value, 127))

    with pytest.raises(EmptyMaskError):
        sanitize_mask(file_of(dark), size=SIZE)


def test_a_mask_of_another_size_is_refused_with_both_sizes() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        sanitize_mask(file_of(black_and_white()), size=(64, 64))

    (problem,) = caught.value.problems
    assert (problem.pointer, problem.code) == ("/mask", "mask_size_mismatch")
    assert "64x48" in problem.en
    assert "64x64" in problem.zh


def test_hostile_files_are_refused_like_pictures() -> None:
    with pytest.raises(UnsupportedImageError):
        sanitize_mask(b"not an image", size=SIZE)
    with pytest.raises(InvalidImageError):
        sanitize_mask(hostile.plain("PNG")[:90], size=SIZE)


def test_both_sides_agree_on_the_code_of_an_empty_mask() -> None:
    assert references.EMPTY_MASK == decode_child.EMPTY_MASK
