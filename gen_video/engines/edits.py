"""Edits of a picture: what a mask marks is drawn anew, everything else stays as it was."""

import io
from collections.abc import Sequence

from PIL import Image, ImageChops, ImageFilter

from gen_video.engines.errors import MaskLostError
from gen_video.engines.fitting import fit
from gen_video.engines.sizes import Size, cover_box

FEATHER = 1 / 160
"""Inside the mask the new picture comes up over this part of the longer side (6 pixels of 1024);
outside nothing changes."""
MOST_RATIO, LEAST_SIDE = 8, 64
"""Of further pictures: the bounds of FLUX.2."""
HALF = 128


def read_png(png: bytes) -> Image.Image:
    """Return a picture that the service itself encoded, as RGB."""
    with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        return image.convert("RGB")


def read_mask(png: bytes, size: Size) -> Image.Image:
    """Return a mask, cut and scaled like its picture, black and white (mode L).

    Raises:
        MaskLostError: Nothing of what it marks is left at this size.
    """
    with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        box = cover_box(image.size, size)
        scaled = image.convert("L").resize(size, Image.Resampling.BOX, box=box)
    mask = scaled.point(lambda value: 255 if value >= HALF else 0)
    if mask.getbbox() is None:
        raise MaskLostError
    return mask


def lay_into(picture: Image.Image, mask: Image.Image, others: Sequence[Image.Image]) -> Image.Image:
    """Return the picture with others in the masked part, side by side within its bounding box.

    Args:
        picture: What is edited.
        mask: Of the same size; outside it nothing changes.
        others: Each is cut and scaled to fill its place.
    """
    box = mask.getbbox()
    if box is None or not others:
        return picture
    left, top, right, bottom = box
    laid = picture.copy()
    edges = [left + (right - left) * number // len(others) for number in range(len(others) + 1)]
    for other, begin, end in zip(others, edges, edges[1:], strict=False):
        if end > begin:
            laid.paste(fit(other, (end - begin, bottom - top)), (begin, top))
    return Image.composite(laid, picture, mask)


def make_usable(picture: Image.Image) -> Image.Image:
    """Return a picture that no pipeline refuses: not very small, not very narrow."""
    width, height = picture.size
    width, height = min(width, MOST_RATIO * height), min(height, MOST_RATIO * width)
    scale = max(1.0, LEAST_SIDE / min(width, height))
    return fit(picture, (round(width * scale), round(height * scale)))


def join_side_by_side(pictures: Sequence[Image.Image]) -> Image.Image:
    """Return pictures beside one another, as high as the lowest."""
    height = min(picture.height for picture in pictures)
    scaled = [
        picture.resize((max(1, round(picture.width * height / picture.height)), height))
        for picture in pictures
    ]
    sheet = Image.new("RGB", (sum(picture.width for picture in scaled), height))
    left = 0
    for picture in scaled:
        sheet.paste(picture, (left, 0))
        left += picture.width
    return sheet


def grow_to_cells(mask: Image.Image, cell: int) -> Image.Image:
    """Return the mask grown to whole cells of a grid, so that none of it falls between them.

    Args:
        mask: Black and white.
        cell: Pixels of the picture for one of the latents.
    """
    columns, rows = -(-mask.width // cell), -(-mask.height // cell)
    padded = Image.new("L", (columns * cell, rows * cell))
    padded.paste(mask)
    shares = padded.convert("F").resize((columns, rows), Image.Resampling.BOX)
    touched = shares.point(lambda share: share * cell * cell + 0).convert("L")  # clipped at white
    grown = touched.point(lambda value: 255 if value else 0)
    return grown.resize(padded.size, Image.Resampling.NEAREST).crop((0, 0, *mask.size))


def paste_back(drawn: Image.Image, original: Image.Image, mask: Image.Image) -> Image.Image:
    """Return the drawn picture inside the mask and the original, to the bit, outside it."""
    radius = max(1, round(FEATHER * max(mask.size)))
    soft = ImageChops.darker(mask, mask.filter(ImageFilter.BoxBlur(radius)))
    return Image.composite(drawn, original, soft)
