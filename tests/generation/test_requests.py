"""Requests: defaults, every limit at its edge, and what a wrong field is told."""

import math
from dataclasses import replace

import pytest

from gen_video.accounts.models import DEFAULT_PLANS
from gen_video.engines.catalogue import UnknownModelError
from gen_video.errors import InvalidRequestError
from gen_video.generation.checks import (
    MAX_METADATA_CHARACTERS,
    MAX_METADATA_ENTRIES,
    MAX_SEED,
    nearest_multiple,
)
from gen_video.generation.models import ImageInput
from gen_video.generation.requests import ImageRequest, resolve_image, work_of
from tests.generation.studio import ADAPTERS, CATALOGUE, LAKE

PLAN = replace(DEFAULT_PLANS[0], max_pictures=4)
SHA = "ab" * 32
PAINTED = replace(LAKE, model="paint", reference_sha256=SHA)


def resolve(request: ImageRequest, *, max_work: int = PLAN.max_work) -> ImageInput:
    plan = replace(PLAN, max_work=max_work)
    return resolve_image(request, catalogue=CATALOGUE, plan=plan, adapters=ADAPTERS)


def change(request: ImageRequest, name: str, value: object) -> ImageRequest:
    """Return the request with one field changed."""
    return replace(request, **{name: value})  # type: ignore[arg-type] # of any field


def problems_of(request: ImageRequest) -> list[tuple[str, str]]:
    """Return (pointer, code) of everything that is wrong."""
    try:
        resolve(request)
    except InvalidRequestError as error:
        return [(problem.pointer, problem.code) for problem in error.problems]
    return []


def test_a_request_that_says_only_what_to_draw_gets_the_models_defaults() -> None:
    resolved = resolve(ImageRequest(prompt="a lake"))

    assert resolved == ImageInput(
        prompt="a lake",
        negative_prompt="blur",
        width=64,
        height=48,
        num_inference_steps=4,
        guidance_scale=5.0,
        seed=resolved.seed,
        n=1,
        output_format="png",
        model="sketch",
    )


def test_what_a_request_says_is_kept() -> None:
    request = ImageRequest(
        prompt="a lake",
        negative_prompt="",
        width=96,
        height=64,
        num_inference_steps=7,
        guidance_scale=0.0,
        seed=0,
        n=2,
        model="paint",
        output_format="webp",
        strength=0.25,
        reference_sha256=SHA,
        reference_image_type="face",
        character_lora="mia",
        style_lora="ink",
    )

    assert resolve(request) == ImageInput(
        prompt="a lake",
        negative_prompt="",
        width=96,
        height=64,
        num_inference_steps=7,
        guidance_scale=0.0,
        seed=0,
        n=2,
        output_format="webp",
        model="paint",
        strength=0.25,
        reference_image_type="face",
        loras=("mia", "ink"),
    )


def test_a_seed_that_is_not_given_is_drawn_anew_each_time() -> None:
    seeds = {resolve(ImageRequest(prompt="a lake")).seed for _ in range(8)}

    assert len(seeds) > 1
    assert all(0 <= seed <= MAX_SEED for seed in seeds)


@pytest.mark.parametrize(
    ("name", "low", "high", "step"),
    [
        ("width", 32, 128, 8),
        ("height", 16, 96, 8),
        ("num_inference_steps", 2, 20, 1),
        ("guidance_scale", 0.0, 10.0, 0.1),
        ("seed", 0, MAX_SEED, 1),
        ("n", 1, 4, 1),
    ],
)
def test_a_figure_may_reach_its_limits_and_not_pass_them(
    name: str, low: float, high: float, step: float
) -> None:
    square = replace(LAKE, width=48, height=48)

    def found(value: float) -> list[tuple[str, str]]:
        return problems_of(change(square, name, value))

    assert found(low) == found(high) == []
    assert found(low - step) == found(high + step) == [(f"/{name}", "out_of_range")]


@pytest.mark.parametrize(
    ("strength", "is_right"),
    [(0.01, True), (1.0, True), (0.0, False), (1.01, False), (math.nan, False)],
)
def test_strength_lies_between_a_hundredth_and_one(strength: float, *, is_right: bool) -> None:
    found = problems_of(replace(PAINTED, strength=strength))

    assert found == ([] if is_right else [("/strength", "out_of_range")])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_figure_that_is_no_number_is_out_of_range(value: float) -> None:
    assert problems_of(replace(LAKE, guidance_scale=value)) == [("/guidance_scale", "out_of_range")]


def test_the_model_limits_the_pictures_where_the_plan_allows_more() -> None:
    generous = replace(PLAN, max_pictures=10)

    resolved = resolve_image(replace(LAKE, n=6), catalogue=CATALOGUE, plan=generous)

    assert resolved.n == 6
    with pytest.raises(InvalidRequestError, match="n is 7, it must be from 1 to 6"):
        resolve_image(replace(LAKE, n=7), catalogue=CATALOGUE, plan=generous)


@pytest.mark.parametrize("name", ["width", "height"])
def test_a_side_that_is_no_multiple_is_told_the_nearest_good_one(name: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"{name} must be .* nearest good one is 48"):
        resolve(change(LAKE, name, 49))


@pytest.mark.parametrize(
    ("value", "low", "high", "nearest"),
    [(49, 16, 96, 48), (55, 16, 96, 56), (17, 17, 96, 24), (96, 16, 95, 88), (1, 16, 96, 16)],
)
def test_the_nearest_multiple_lies_within_the_limits(
    value: int, low: int, high: int, nearest: int
) -> None:
    assert nearest_multiple(value, 8, low=low, high=high) == nearest


def test_a_picture_may_have_as_many_pixels_as_the_model_allows_and_no_more() -> None:
    assert problems_of(replace(LAKE, width=96, height=64)) == []
    assert problems_of(replace(LAKE, width=104, height=64)) == [("/width", "too_many_pixels")]


def test_work_may_reach_the_plans_cap_and_not_pass_it() -> None:
    resolved = resolve(replace(LAKE, n=2))
    work = work_of(resolved)

    assert work == 64 * 48 * 4 * 2
    assert resolve(replace(LAKE, n=2), max_work=work) == resolved
    with pytest.raises(InvalidRequestError) as caught:
        resolve(replace(LAKE, n=2), max_work=work - 1)
    assert [problem.code for problem in caught.value.problems] == ["work_limit_exceeded"]


@pytest.mark.parametrize("prompt", ["", "   ", "\n\t"])
def test_a_prompt_must_say_something(prompt: str) -> None:
    assert problems_of(replace(LAKE, prompt=prompt)) == [("/prompt", "prompt_empty")]


@pytest.mark.parametrize("name", ["prompt", "negative_prompt"])
def test_a_text_may_be_as_long_as_the_model_reads_and_no_longer(name: str) -> None:
    assert problems_of(change(LAKE, name, "画" * 40)) == []
    assert problems_of(change(LAKE, name, "画" * 41)) == [(f"/{name}", "text_too_long")]


@pytest.mark.parametrize("name", ["prompt", "negative_prompt"])
@pytest.mark.parametrize("character", ["\0", "\x1b", "\x7f", "\x85", "\ud800"])
def test_a_text_has_no_control_character_and_no_lone_surrogate(name: str, character: str) -> None:
    found = problems_of(change(LAKE, name, f"a {character} lake"))

    assert found == [(f"/{name}", "forbidden_character")]


@pytest.mark.parametrize("text", ["two\nlines\r\n", "a\ttab", "湖🌊", "e\u0301", "a\u200bb"])
def test_a_text_may_hold_line_breaks_tabs_and_every_writing(text: str) -> None:
    assert resolve(replace(LAKE, prompt=text)).prompt == text


@pytest.mark.parametrize(
    "metadata",
    [
        {str(number): "" for number in range(MAX_METADATA_ENTRIES)},
        {"k" * MAX_METADATA_CHARACTERS: "v" * MAX_METADATA_CHARACTERS},
    ],
)
def test_metadata_may_reach_its_limits(metadata: dict[str, str]) -> None:
    assert problems_of(replace(LAKE, metadata=metadata)) == []


@pytest.mark.parametrize(
    "metadata",
    [
        {str(number): "" for number in range(MAX_METADATA_ENTRIES + 1)},
        {"k" * (MAX_METADATA_CHARACTERS + 1): ""},
        {"k": "v" * (MAX_METADATA_CHARACTERS + 1)},
        {"k\0": "v"},
        {"k": "\ud800"},
    ],
)
def test_metadata_past_its_limits_is_refused(metadata: dict[str, str]) -> None:
    assert problems_of(replace(LAKE, metadata=metadata)) == [("/metadata", "metadata_invalid")]


@pytest.mark.parametrize("name", ["character_lora", "style_lora"])
def test_an_adapter_must_be_on_offer_and_fit_the_model(name: str) -> None:
    painted = replace(LAKE, model="paint")

    assert resolve(change(painted, name, "mia")).loras == ("mia",)
    assert problems_of(change(painted, name, "../mia")) == [(f"/{name}", "unknown_adapter")]
    assert problems_of(change(LAKE, name, "mia")) == [(f"/{name}", "not_supported_by_model")]


def test_a_reference_image_needs_a_model_that_takes_one() -> None:
    assert resolve(PAINTED).strength == 0.5
    assert problems_of(replace(PAINTED, model="sketch")) == [
        ("/reference_image", "not_supported_by_model")
    ]


def test_strength_has_no_meaning_without_a_reference_image() -> None:
    lonely = replace(PAINTED, reference_sha256=None, strength=0.5)

    assert problems_of(lonely) == [("/strength", "needs_reference_image")]


@pytest.mark.parametrize(("kind", "is_known"), [("scene", True), ("face", True), ("pose", False)])
def test_a_reference_image_shows_a_scene_or_a_face(kind: str, *, is_known: bool) -> None:
    found = problems_of(replace(PAINTED, reference_image_type=kind))

    assert found == ([] if is_known else [("/reference_image_type", "unknown_value")])


def test_a_model_that_is_not_on_offer_is_named() -> None:
    with pytest.raises(UnknownModelError, match="There is no model mona"):
        resolve(replace(LAKE, model="mona"))


def test_everything_that_is_wrong_is_told_at_once_in_both_languages() -> None:
    wrong = replace(LAKE, prompt="", width=49, seed=-1, metadata={"k": "\0"})

    with pytest.raises(InvalidRequestError) as caught:
        resolve(wrong)

    pointers = [problem.pointer for problem in caught.value.problems]
    assert pointers == ["/prompt", "/width", "/seed", "/metadata"]
    assert all(problem.message("en") != problem.message("zh") for problem in caught.value.problems)
