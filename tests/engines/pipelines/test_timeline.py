"""Timelines: frames are read from one drawn picture, as the training folded them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from gen_video.engines.catalogue import ModelSpec, read_specs
from gen_video.engines.diffusers_timeline import Timeline, read_timeline, unfold
from gen_video.engines.errors import ModelUnavailableError
from tests.house.project import PROJECT
from training import timeline as folding

pytestmark = pytest.mark.engine

SPEC = next(spec for spec in read_specs(PROJECT / "models.toml") if spec.id == "mini-video")
GOOD = {"components": 2, "channels": 3, "scales": [1.0, 3.0]}


def write(folder: Path, facts: object) -> ModelSpec:
    (folder / SPEC.timeline).write_text(json.dumps(facts))
    return SPEC


def test_frames_are_those_that_the_training_folded() -> None:
    folded = np.random.default_rng(0).normal(size=(folding.CHANNELS, 3, 4)).astype(np.float32)
    facts = Timeline(
        components=folding.COMPONENTS, channels=folding.LATENT_CHANNELS, scales=folding.SCALES
    )

    frames = unfold(torch.from_numpy(folded), facts, range(7), 7)

    np.testing.assert_allclose(frames.numpy(), folding.unfold(folded, 7), atol=1e-5)


def test_a_part_of_the_frames_is_that_part_of_the_whole() -> None:
    latents = torch.randn(6, 3, 4)
    facts = Timeline.model_validate(GOOD)

    whole = unfold(latents, facts, range(9), 9)

    torch.testing.assert_close(whole[4:6], unfold(latents, facts, range(4, 6), 9))


def test_what_is_folded_smoothly_comes_back() -> None:
    moments = np.linspace(0, 1, folding.FRAMES, dtype=np.float32)
    clip = np.cos(np.pi * moments)[:, None, None, None] * np.ones(
        (1, folding.LATENT_CHANNELS, 2, 2), np.float32
    )

    again = folding.unfold(folding.fold(clip), folding.FRAMES)

    assert np.abs(again - clip).max() < 0.05


def test_a_timeline_is_read(tmp_path: Path) -> None:
    assert read_timeline(write(tmp_path, GOOD), tmp_path).scales == (1.0, 3.0)


@pytest.mark.parametrize(
    "facts",
    [
        {},
        [],
        GOOD | {"components": 0},
        GOOD | {"scales": [1.0]},
        GOOD | {"scales": [1.0, 0.0]},
        GOOD | {"more": 1},
    ],
)
def test_a_damaged_timeline_names_its_file(tmp_path: Path, facts: object) -> None:
    with pytest.raises(ModelUnavailableError, match=r"timeline\.json"):
        read_timeline(write(tmp_path, facts), tmp_path)


def test_a_missing_timeline_names_its_file(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailableError, match=r"timeline\.json"):
        read_timeline(SPEC, tmp_path)
