"""The model that this project ships: loads by the same code and obeys its prompt."""

from dataclasses import replace

import pytest

from tests.engines.pipelines.studio import SPECS, Studio, local_spec, reference_png
from tests.house.project import PROJECT

pytestmark = pytest.mark.engine

SIDE, STEPS = 256, 4


@pytest.fixture(scope="module")
def mini() -> Studio:
    """Return the shipped model, sampling at half the sides of its training to be quick."""
    spec = local_spec("mini", PROJECT / SPECS["mini"].source)
    studio = Studio(spec.model_copy(update={"native_sizes": ((512, 512),)}))
    studio.task = replace(studio.task, width=SIDE, height=SIDE, num_inference_steps=STEPS)
    return studio


def brightness(rgb: bytes) -> float:
    """Return the mean of all channels, 0 to 255."""
    return sum(rgb) / len(rgb)


@pytest.mark.parametrize(
    ("noon", "night"),
    [
        ("a mountain lake at noon", "a mountain lake at night"),
        ("正午的高山湖泊", "夜晚的高山湖泊"),
        ("sea at noon", "sea at night"),
        ("正午的大海", "夜晚的大海"),
    ],
)
def test_night_is_darker_than_noon(mini: Studio, noon: str, night: str) -> None:
    by_day = mini.draw_one(replace(mini.task, prompt=noon, negative_prompt=""))
    by_night = mini.draw_one(replace(mini.task, prompt=night, negative_prompt=""))

    assert len(by_day) == SIDE * SIDE * 3
    assert brightness(by_night) + 40 < brightness(by_day)


def test_the_same_seed_gives_the_same_bits(mini: Studio) -> None:
    assert mini.draw_one() == mini.draw_one()


def test_it_draws_from_a_reference(mini: Studio) -> None:
    task = replace(mini.task, reference_image=reference_png())

    assert mini.draw_one(task) not in (mini.draw_one(), b"")


def test_it_samples_at_a_size_of_its_training_and_resamples(mini: Studio) -> None:
    studio = Studio(mini.spec.model_copy(update={"native_sizes": ((256, 512), (512, 256))}))
    task = replace(mini.task, width=320, height=200, num_inference_steps=2)

    (picture,) = studio.draw(task)

    assert (picture.width, picture.height) == (320, 200)
    assert len(picture.rgb) == 320 * 200 * 3


def test_it_asks_no_network(mini: Studio, dialled: list[object]) -> None:
    Studio(mini.spec).make.load(mini.spec)

    assert dialled == []
