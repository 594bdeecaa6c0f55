"""Stored inputs: read back as they were, and readable by the release before where it can be."""

import json
from dataclasses import replace

import pytest

from gen_video.generation.job_reads import parse_input, write_input
from gen_video.generation.models import ImageInput, JobInput, SceneInput, VideoInput
from gen_video.generation.states import JobKind

PICTURE = ImageInput(
    prompt="湖",
    negative_prompt="",
    width=64,
    height=64,
    num_inference_steps=4,
    guidance_scale=4.0,
    seed=7,
    n=1,
    output_format="png",
    model="sketch",
)
FILM = VideoInput(
    prompt="湖",
    negative_prompt="",
    width=64,
    height=64,
    fps=8,
    num_inference_steps=4,
    guidance_scale=4.0,
    seed=7,
    model="waves",
    output_format="mp4",
    scenes=(SceneInput(prompt="湖", num_frames=9), SceneInput(prompt="海", num_frames=9)),
)
NEW_FIELDS = {"reference_bytes", "mask_bytes", "output_compression", "previews", "remixed_from"}


@pytest.mark.parametrize(
    "given",
    [
        PICTURE,
        replace(PICTURE, reference_bytes=(3, 4), mask_bytes=5, previews=2, loras=("mia",)),
        FILM,
        replace(FILM, previews=1, remixed_from="job_1"),
    ],
)
def test_an_input_is_read_back_as_it_was(given: JobInput) -> None:
    kind = JobKind.VIDEO if isinstance(given, VideoInput) else JobKind.IMAGE

    assert parse_input(write_input(given), kind) == given


@pytest.mark.parametrize("given", [PICTURE, FILM])
def test_a_plain_input_names_nothing_that_the_release_before_does_not_know(
    given: JobInput,
) -> None:
    assert not NEW_FIELDS & set(json.loads(write_input(given)))
