"""At which size a model samples: the one asked for, or the nearest that it was trained at."""

import math
from collections.abc import Sequence

Size = tuple[int, int]


def choose_sampling_size(wanted: Size, native_sizes: Sequence[Size]) -> Size:
    """Return the native size with the nearest shape, then the nearest area.

    Without native sizes a model samples at the size asked for.
    """
    if not native_sizes:
        return wanted
    ratio, area = math.log(wanted[0] / wanted[1]), wanted[0] * wanted[1]

    def distance(size: Size) -> tuple[float, float]:
        shape = round(abs(math.log(size[0] / size[1]) - ratio), 4)
        return shape, abs(math.log(size[0] * size[1] / area))

    return min(native_sizes, key=distance)


def cover_box(source: Size, target: Size) -> tuple[int, int, int, int]:
    """Return the central box of `source` with the shape of `target`: left, top, right, bottom."""
    scale = min(source[0] / target[0], source[1] / target[1])
    width = max(1, min(source[0], round(target[0] * scale)))
    height = max(1, min(source[1], round(target[1] * scale)))
    left, top = (source[0] - width) // 2, (source[1] - height) // 2
    return left, top, left + width, top + height
