"""Hints: advice for prompts that a small model cannot draw, naming models that can."""

import pytest

from gen_video.engines.catalogue import Catalogue, load_catalogue
from gen_video.generation.hints import find_hints
from tests.house.project import PROJECT

FAR, NEAR = "一只猫", "雪山下的湖"


def shipped(*enabled: str) -> Catalogue:
    """Return the shipped catalogue with some models on offer besides mini."""
    return load_catalogue(
        PROJECT / "models.toml",
        default_image_model="mini",
        include_test_models=True,
        base_folder=PROJECT,
        enabled_models=enabled,
    )


def test_a_far_prompt_is_told_what_the_model_knows_and_what_to_install() -> None:
    [hint] = find_hints(FAR, model="mini", catalogue=shipped())

    assert hint.code == "prompt_outside_model_world"
    assert "Landscapes only" in hint.en
    assert "只会画风景" in hint.zh
    assert "sdxl" in hint.models
    assert "GEN_VIDEO_ENABLED_MODELS" in hint.en
    assert "GEN_VIDEO_ENABLED_MODELS" in hint.zh


def test_models_on_offer_are_named_before_others() -> None:
    [hint] = find_hints(FAR, model="mini", catalogue=shipped("kolors"))

    assert hint.models == ("kolors",)
    assert '"model": kolors' in hint.en


@pytest.mark.parametrize(
    ("prompt", "model"), [(NEAR, "mini"), (FAR, "kolors"), (FAR, "test-double"), (FAR, "nobody")]
)
def test_nothing_is_said_otherwise(prompt: str, model: str) -> None:
    assert find_hints(prompt, model=model, catalogue=shipped("kolors")) == ()
