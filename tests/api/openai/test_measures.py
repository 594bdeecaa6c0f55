"""Measures: what a model makes of the sizes, seconds and qualities of hosted scripts."""

import math
from pathlib import Path

import pytest

from gen_video.api.openai.measures import (
    level_of,
    parse_size,
    possible_frames,
    possible_size,
    seconds_text,
    steps_of,
)
from gen_video.engines.catalogue import ModelLimits, ModelSpec, read_specs
from gen_video.engines.sizes import Size
from gen_video.errors import InvalidRequestError
from gen_video.generation.checks import size_problems
from gen_video.settings import PROJECT_FOLDER

SPECS = read_specs(Path(PROJECT_FOLDER) / "models.toml")
BY_ID = {spec.id: spec for spec in SPECS}
HOSTED: list[Size] = [
    (256, 256),
    (512, 512),
    (1024, 1024),
    (1024, 1536),
    (1536, 1024),
    (1792, 1024),
    (1024, 1792),
    (720, 1280),
    (1280, 720),
]
ONE_SIZE_ONLY = {"cogvideox-5b", "cogvideox-5b-i2v"}


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.id)
@pytest.mark.parametrize("wanted", HOSTED, ids=lambda size: f"{size[0]}x{size[1]}")
def test_every_model_makes_something_of_every_hosted_size(spec: ModelSpec, wanted: Size) -> None:
    size = possible_size(wanted, spec.limits)

    assert size_problems(*size, spec) == []
    if spec.id not in ONE_SIZE_ONLY:
        assert abs(math.log(size[0] / size[1] / (wanted[0] / wanted[1]))) < 0.02


@pytest.mark.parametrize(
    ("wanted", "model", "expected"),
    [
        ((1024, 1024), "mini", (1024, 1024)),
        ((1024, 1536), "mini", (672, 1008)),
        ((1536, 1024), "mini", (1008, 672)),
        ((1280, 720), "mini", (1024, 576)),
        ((1280, 720), "mini-video", (1024, 576)),
        ((1280, 720), "wan-2.2-ti2v-5b", (1248, 704)),
        ((1000, 1000), "mini", (1000, 1000)),
        ((1001, 1001), "mini", (1000, 1000)),
        ((16, 16), "mini", (256, 256)),
        ((90000, 90000), "mini", (1024, 1024)),
        ((1792, 1024), "cogvideox-5b", (720, 480)),
    ],
)
def test_the_nearest_possible_size_keeps_the_shape(
    wanted: Size, model: str, expected: Size
) -> None:
    assert possible_size(wanted, BY_ID[model].limits) == expected


def test_limits_that_nothing_fits_leave_the_size_to_the_checks() -> None:
    limits = ModelLimits(min_width=100, max_width=100, multiple_of=64)

    assert possible_size((64, 64), limits) == (64, 64)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1024x1536", (1024, 1536)),
        (" 64 X 32 ", (64, 32)),
        ("640×480", (640, 480)),
        ("auto", None),
        ("AUTO", None),
        ("", None),
        (None, None),
    ],
)
def test_a_size_is_read(text: str | None, size: Size | None) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["wide", "1024", "1024x", "0x64", "-1x64", "1e3x64", "640x480x3"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_size(text)

    assert caught.value.problems[0].pointer == "/size"


@pytest.mark.parametrize(
    ("quality", "level", "steps"),
    [
        (None, "medium", None),
        ("auto", "medium", None),
        ("standard", "medium", None),
        ("medium", "medium", None),
        ("low", "low", 20),
        ("high", "high", 60),
        ("hd", "high", 60),
        ("xhigh", "xhigh", 80),
        ("max", "max", 100),
    ],
)
def test_a_quality_is_a_number_of_steps(quality: str | None, level: str, steps: int | None) -> None:
    assert (level_of(quality), steps_of(quality, BY_ID["mini"])) == (level, steps)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(4.0, "4"), (12.0, "12"), (81 / 16, "5"), (3.75, "3.75"), (1 / 24, "0.042"), (0.96, "1")],
)
def test_seconds_are_written_as_text(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "model", "frames"),
    [
        (4, "mini-video", 48),
        (12, "mini-video", 120),
        (4, "wan-2.1-t2v-1.3b", 65),
        (12, "ltx-2", 241),
    ],
)
def test_a_length_is_the_nearest_number_of_frames(seconds: float, model: str, frames: int) -> None:
    spec = BY_ID[model]

    assert possible_frames(seconds, fps=spec.defaults.fps, limits=spec.limits) == frames
