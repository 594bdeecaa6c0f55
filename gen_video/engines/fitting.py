"""Fitting: a picture is cut around its middle and scaled to exactly a size."""

from PIL import Image

from gen_video.engines.sizes import Size, cover_box


def fit(image: Image.Image, size: Size) -> Image.Image:
    """Return the picture at this size; the same picture where it has it already."""
    if image.size == size:
        return image
    box = cover_box(image.size, size)
    return image.resize(size, Image.Resampling.LANCZOS, box=box)
