"""Measures: sizes, seconds and qualities in OpenAI's words, and what a model makes of them.

A script written for a hosted model asks for what that model makes. Where ours cannot, the nearest
possible thing is taken, and the answer says which. Pure.
"""

import math
import re

from gen_video.engines.catalogue import ModelLimits, ModelSpec
from gen_video.engines.sizes import Size
from gen_video.errors import FieldProblem, InvalidRequestError

AUTO = "auto"
SHAPE_WEIGHT = 20.0
"""A size of another shape is worse than one of another area: 1 % of shape counts like 20 %."""
STEPS_OF_QUALITY = {"low": 0.5, "medium": 1.0, "high": 1.5, "xhigh": 2.0, "max": 3.0}
"""Times the model's default number of steps."""
OTHER_QUALITIES = {"auto": "medium", "standard": "medium", "hd": "high"}
WHOLE_SECONDS_WITHIN = 0.1
_SIZE = re.compile(r"([0-9]{1,5})\s*[xX×]\s*([0-9]{1,5})")


def parse_size(text: str | None) -> Size | None:
    """Read `1024x1536`; None for `auto` and for nothing.

    Raises:
        InvalidRequestError: It is neither.
    """
    if text is None or text.strip().lower() in {"", AUTO}:
        return None
    match = _SIZE.fullmatch(text.strip())
    if match is None or not (int(match[1]) and int(match[2])):
        raise InvalidRequestError(
            FieldProblem(
                pointer="/size",
                code="invalid_size",
                en="size must be WIDTHxHEIGHT in pixels, such as 1024x1024, or auto",
                zh="size 应为「宽x高」（像素），例如 1024x1024，或 auto",
            )
        )
    return int(match[1]), int(match[2])


def possible_size(wanted: Size, limits: ModelLimits) -> Size:
    """Return the size within a model's limits that is nearest in shape and area."""
    if _is_possible(wanted, limits):
        return wanted
    step = limits.multiple_of
    shape, area = wanted[0] / wanted[1], wanted[0] * wanted[1]

    def distance(size: Size) -> float:
        of_shape = abs(math.log(size[0] / size[1] / shape))
        return SHAPE_WEIGHT * of_shape + abs(math.log(size[0] * size[1] / area))

    candidates = [
        (width, height)
        for width in _multiples(limits.min_width, limits.max_width, step)
        for height in _heights(width / shape, limits)
        if _is_possible((width, height), limits)
    ]
    return min(candidates, key=distance) if candidates else wanted


def possible_frames(seconds: float, *, fps: int, limits: ModelLimits) -> int:
    """Return the number of frames that a model makes and that is nearest to a length."""
    return limits.nearest_frames(seconds * fps)


def steps_of(quality: str | None, spec: ModelSpec) -> int | None:
    """Return the steps of a quality, within the model's limits; None for the default."""
    factor = STEPS_OF_QUALITY[level_of(quality)]
    if factor == 1.0:
        return None
    limits = spec.limits
    wanted = round(spec.defaults.num_inference_steps * factor)
    return min(max(wanted, limits.min_steps), limits.max_steps)


def level_of(quality: str | None) -> str:
    """Return one of OpenAI's levels for a quality."""
    named = quality or AUTO
    return OTHER_QUALITIES.get(named, named)


def seconds_text(seconds: float) -> str:
    """Write a length as its clients read it: whole seconds where it is all but that."""
    whole = round(seconds)
    if whole and abs(seconds - whole) <= WHOLE_SECONDS_WITHIN:
        return str(whole)
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


def _is_possible(size: Size, limits: ModelLimits) -> bool:
    width, height = size
    return (
        limits.min_width <= width <= limits.max_width
        and limits.min_height <= height <= limits.max_height
        and width % limits.multiple_of == 0
        and height % limits.multiple_of == 0
        and width * height <= limits.max_pixels
    )


def _multiples(low: int, high: int, step: int) -> range:
    return range(math.ceil(low / step) * step, high + 1, step)


def _heights(wanted: float, limits: ModelLimits) -> set[int]:
    """Return the heights around a wanted one, and what the limits and the area leave of it."""
    step = limits.multiple_of
    lowest = math.ceil(limits.min_height / step) * step
    highest = limits.max_height // step * step
    below = math.floor(wanted / step) * step
    return {min(max(height, lowest), highest) for height in (below, below + step)}
