"""The renderer: one seed, one picture, at every size."""

import numpy as np
import pytest

pytest.importorskip("skia", reason="the renderer needs skia: pip install -e '.[training]'")

from training.scene import render
from training.world import KINDS, TIMES, sample_scene


def test_a_seed_always_draws_the_same_picture() -> None:
    assert np.array_equal(render(7, 128, 128), render(7, 128, 128))


def test_different_seeds_draw_different_pictures() -> None:
    assert not np.array_equal(render(7, 64, 64), render(8, 64, 64))


@pytest.mark.parametrize(("width", "height"), [(64, 64), (64, 48), (48, 64), (64, 36), (36, 64)])
def test_a_picture_keeps_its_look_when_it_is_drawn_larger(width: int, height: int) -> None:
    for seed in range(8):
        small = render(seed, width, height).astype(float)
        large = render(seed, width * 4, height * 4).astype(float)

        shrunk = large.reshape(height, 4, width, 4, 3).mean((1, 3))

        assert np.abs(shrunk - small).mean() < 2.0


def test_nights_are_darker_than_days() -> None:
    light: dict[str, list[float]] = {time: [] for time in TIMES}
    for seed in range(200):
        light[sample_scene(seed).time].append(float(render(seed, 32, 32).mean()))

    assert np.mean(light["night"]) < np.mean(light["day"]) / 2


def test_every_kind_of_scene_occurs() -> None:
    assert {sample_scene(seed).kind for seed in range(200)} == set(KINDS)
