"""Size presets: what a model makes well, whatever its limits are."""

from pathlib import Path

import pytest

from gen_video.console.sizes import list_presets
from gen_video.engines.catalogue import ModelDefaults, ModelLimits, ModelSpec, read_specs
from gen_video.generation.checks import size_problems

PROJECT = Path(__file__).resolve().parents[2]
SPECS = read_specs(PROJECT / "models.toml")


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.id)
def test_every_model_of_the_catalogue_offers_sizes_that_it_makes(spec: ModelSpec) -> None:
    presets = list_presets(spec)

    assert presets
    for preset in presets:
        across, up = map(int, preset.shape.split(":"))
        assert size_problems(preset.width, preset.height, spec) == []
        assert preset.width / preset.height == pytest.approx(across / up, rel=0.06)
    assert len({preset.shape for preset in presets}) == len(presets)


def test_a_size_that_the_model_was_trained_at_is_preferred() -> None:
    mini = next(spec for spec in SPECS if spec.id == "mini")

    sizes = {preset.shape: (preset.width, preset.height) for preset in list_presets(mini)}

    assert sizes["16:9"] == (1024, 576)
    assert sizes["3:4"] == (768, 1024)


def test_a_shape_that_the_model_cannot_make_is_left_out() -> None:
    spec = SPECS[0].model_copy(
        update={
            "native_sizes": (),
            "defaults": ModelDefaults(
                width=512, height=512, num_inference_steps=4, guidance_scale=1.0
            ),
            "limits": ModelLimits(
                min_width=480, max_width=544, min_height=480, max_height=544, multiple_of=16
            ),
        }
    )

    assert [preset.shape for preset in list_presets(spec)] == ["1:1"]
