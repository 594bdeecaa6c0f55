"""Sizes that a model makes well, offered by their shape. Pure."""

import math
from dataclasses import dataclass

from gen_video.engines.catalogue import ModelSpec
from gen_video.generation.checks import nearest_multiple

SHAPES = ((1, 1), (4, 3), (3, 4), (3, 2), (2, 3), (16, 9), (9, 16))
TOLERANCE = 0.06
"""How far a size may be from the shape that it is offered as: sides are multiples of something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SizePreset:
    """A size and its shape, such as 16:9; sides in pixels."""

    width: int
    height: int
    shape: str


def list_presets(spec: ModelSpec) -> tuple[SizePreset, ...]:
    """Return a size of every shape that the model can make, each near the area it likes best.

    Where the model was trained at a size of that shape, that one.
    """
    found = []
    for shape in SHAPES:
        width, height = _native(spec, shape) or _scaled(spec, shape)
        if _fits(spec, width, height) and _is_shape(width, height, shape):
            found.append(SizePreset(width=width, height=height, shape=f"{shape[0]}:{shape[1]}"))
    return tuple(found)


def _native(spec: ModelSpec, shape: tuple[int, int]) -> tuple[int, int] | None:
    return next(
        (size for size in spec.native_sizes if _fits(spec, *size) and _is_shape(*size, shape)),
        None,
    )


def _scaled(spec: ModelSpec, shape: tuple[int, int]) -> tuple[int, int]:
    limits, defaults = spec.limits, spec.defaults
    area = defaults.width * defaults.height
    across, up = shape
    most = min(limits.max_width / across, limits.max_height / up)
    unit = min(math.sqrt(area / (across * up)), most)
    width = nearest_multiple(
        round(unit * across), limits.multiple_of, low=limits.min_width, high=limits.max_width
    )
    height = nearest_multiple(
        round(unit * up), limits.multiple_of, low=limits.min_height, high=limits.max_height
    )
    return width, height


def _fits(spec: ModelSpec, width: int, height: int) -> bool:
    limits = spec.limits
    return (
        limits.min_width <= width <= limits.max_width
        and limits.min_height <= height <= limits.max_height
        and width % limits.multiple_of == 0
        and height % limits.multiple_of == 0
        and width * height <= limits.max_pixels
    )


def _is_shape(width: int, height: int, shape: tuple[int, int]) -> bool:
    wanted = shape[0] / shape[1]
    return abs(width / height - wanted) <= TOLERANCE * wanted
