"""Edits of pictures: what a mask marks changes, everything else stays."""

import io

import pytest
from PIL import Image

from gen_video.engines.edits import (
    grow_to_cells,
    join_side_by_side,
    lay_into,
    make_usable,
    paste_back,
    read_mask,
)
from gen_video.engines.errors import MaskLostError
from gen_video.engines.previews import LONGEST_SIDE, preview_steps, small_size

BOX = (20, 30, 60, 50)


def mask_of(box: tuple[int, int, int, int] = BOX, size: tuple[int, int] = (100, 80)) -> Image.Image:
    mask = Image.new("L", size)
    mask.paste(255, box)
    return mask


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_pasting_back_changes_no_pixel_outside_and_comes_up_softly_inside() -> None:
    old, new = Image.new("RGB", (100, 80), "black"), Image.new("RGB", (100, 80), "white")

    result = paste_back(new, old, mask_of()).convert("L")

    outside = Image.composite(Image.new("L", result.size), result, mask_of())
    assert outside.getbbox() is None
    assert result.getpixel((40, 40)) == 255
    edge = result.getpixel((20, 40))
    assert isinstance(edge, int | float)
    assert 100 < edge < 255


def test_a_line_of_one_pixel_is_drawn_too() -> None:
    old, new = Image.new("RGB", (100, 80), "black"), Image.new("RGB", (100, 80), "white")

    result = paste_back(new, old, mask_of((20, 30, 21, 70)))

    assert result.getbbox() == (20, 30, 21, 70)


@pytest.mark.parametrize(
    ("box", "cell", "grown"),
    [
        ((33, 33, 34, 34), 32, (32, 32, 64, 64)),
        ((32, 32, 64, 64), 32, (32, 32, 64, 64)),
        ((31, 32, 64, 65), 32, (0, 32, 64, 80)),
        ((99, 79, 100, 80), 64, (64, 64, 100, 80)),
        (BOX, 1, BOX),
    ],
)
def test_a_mask_grows_to_whole_cells(
    box: tuple[int, int, int, int], cell: int, grown: tuple[int, int, int, int]
) -> None:
    assert grow_to_cells(mask_of(box), cell).getbbox() == grown


def test_further_pictures_lie_side_by_side_within_the_mask() -> None:
    picture = Image.new("RGB", (100, 80), "black")
    others = [Image.new("RGB", (30, 90), "red"), Image.new("RGB", (90, 30), "blue")]

    laid = lay_into(picture, mask_of(), others)

    assert laid.getbbox() == BOX
    assert laid.getpixel((21, 31)) == laid.getpixel((39, 49)) == (255, 0, 0)
    assert laid.getpixel((40, 31)) == laid.getpixel((59, 49)) == (0, 0, 255)


def test_more_pictures_than_columns_still_fit() -> None:
    others = [Image.new("RGB", (9, 9), "red")] * 16

    assert lay_into(Image.new("RGB", (100, 80)), mask_of((5, 5, 8, 8)), others).getbbox() == (
        (5, 5, 8, 8)
    )


def test_a_mask_is_cut_like_its_picture_and_may_be_lost() -> None:
    wide = png(mask_of((40, 0, 60, 80)))

    assert read_mask(wide, (80, 80)).getbbox() == (30, 0, 50, 80)
    with pytest.raises(MaskLostError):
        read_mask(png(mask_of((0, 0, 9, 80))), (80, 80))


def test_a_sheet_shows_every_picture() -> None:
    sheet = join_side_by_side([Image.new("RGB", (10, 20), "red"), Image.new("RGB", (30, 10))])

    assert sheet.size == (35, 10)


@pytest.mark.parametrize(
    ("size", "usable"),
    [((640, 480), (640, 480)), ((32, 32), (64, 64)), ((400, 16), (512, 64)), ((16, 16), (64, 64))],
)
def test_small_and_narrow_pictures_become_usable(
    size: tuple[int, int], usable: tuple[int, int]
) -> None:
    assert make_usable(Image.new("RGB", size)).size == usable


@pytest.mark.parametrize(
    ("steps", "previews", "due"),
    [
        (40, 0, set()),
        (40, 1, {20}),
        (40, 3, {10, 20, 30}),
        (8, 10, {2, 3, 4, 5, 6, 7}),
        (4, 2, {2, 3}),
        (4, 1, {2}),
        (2, 5, {1}),
        (1, 3, {1}),
        (0, 3, set()),
    ],
)
def test_previews_are_spread_over_the_steps(steps: int, previews: int, due: set[int]) -> None:
    assert preview_steps(steps, previews) == due


@pytest.mark.parametrize(
    ("size", "small"), [((1024, 512), (256, 128)), ((64, 64), (256, 256)), ((8, 2048), (1, 256))]
)
def test_a_preview_has_the_shape_of_its_picture(
    size: tuple[int, int], small: tuple[int, int]
) -> None:
    assert small_size(*size) == small
    assert max(small) == LONGEST_SIDE
