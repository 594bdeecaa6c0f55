"""The shipped model draws what it is asked for: kinds and times of day by their colours.

A small form of `training.evaluate`: a broken export, a wrong scheduler or a tokenizer that lost its
words cannot pass. Bounds are far from what a good model reaches.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.engines.pipelines.studio import SPECS, Studio, local_spec
from tests.house.project import PROJECT

pytestmark = pytest.mark.engine

SIDE, STEPS = 256, 8
Pixels = NDArray[np.float64]  # (SIDE, SIDE, 3), 0 to 255


@pytest.fixture(scope="module")
def mini() -> Studio:
    """Return the shipped model at its native size."""
    studio = Studio(local_spec("mini", PROJECT / SPECS["mini"].source))
    studio.task = replace(
        studio.task,
        width=SIDE,
        height=SIDE,
        num_inference_steps=STEPS,
        negative_prompt="",
        seed=5,
    )
    return studio


def draw(mini: Studio, prompt: str) -> Pixels:
    """Return the picture of a prompt."""
    rgb = mini.draw_one(replace(mini.task, prompt=prompt))
    return np.frombuffer(rgb, np.uint8).reshape(SIDE, SIDE, 3).astype(np.float64)


def ground(picture: Pixels) -> Pixels:
    """Return the mean colour of the lower third."""
    mean: Pixels = picture[2 * SIDE // 3 :].mean((0, 1))
    return mean


def is_blue_below(picture: Pixels) -> bool:
    red, green, blue = ground(picture)
    return bool(blue > green - 10 and blue > red + 40)


def is_green_below(picture: Pixels) -> bool:
    red, green, blue = ground(picture)
    return bool(green > blue + 15 and green > red)


def is_sandy_below(picture: Pixels) -> bool:
    red, green, blue = ground(picture)
    return bool(red > green > blue and red > blue + 50)


def has_lit_windows(picture: Pixels) -> bool:
    lower = picture[SIDE // 2 :]
    is_lamp = (lower[..., 0] > lower[..., 2] + 60) & (lower[..., 0] > 150)
    return bool(0.01 < is_lamp.mean() < 0.5)


def is_warm(picture: Pixels) -> bool:
    red, _, blue = picture.mean((0, 1))
    return bool(red > blue + 40)


@pytest.mark.parametrize(
    ("prompt", "shows"),
    [
        ("the sea at noon", is_blue_below),
        ("正午的大海", is_blue_below),
        ("green hills at noon", is_green_below),
        ("翠绿的丘陵，白天", is_green_below),
        ("sand dunes at noon", is_sandy_below),
        ("白天的沙漠", is_sandy_below),
        ("a city at night", has_lit_windows),
        ("夜晚的城市", has_lit_windows),
        ("sunset over the ocean", is_warm),
        ("大海，日落", is_warm),
    ],
)
def test_a_picture_shows_what_was_asked_for(
    mini: Studio, prompt: str, shows: Callable[[Pixels], bool]
) -> None:
    assert shows(draw(mini, prompt))
