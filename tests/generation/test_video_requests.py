"""Requests for videos: defaults, every limit at its edge, and what a wrong field is told."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gen_video.engines.catalogue import Catalogue, UnknownModelError
from gen_video.errors import InvalidRequestError, ServiceError
from gen_video.generation.checks import MAX_SEED
from gen_video.generation.models import SceneInput, VideoInput
from gen_video.generation.requests import resolve_image
from gen_video.generation.video_requests import (
    MAX_TOTAL_FRAMES,
    SceneRequest,
    Transition,
    VideoRequest,
    VideoUnavailableError,
    resolve_video,
    work_of,
)
from gen_video.media.joins import joined_frames
from tests.generation.cinema import (
    FLICK,
    PLAN,
    REEL,
    SCREEN,
    THREE_SCENES,
    WAVES,
    change,
    plain,
    problems_in,
    problems_of,
    resolve,
    scenes_of,
    storyboard,
    with_image,
)
from tests.generation.studio import CATALOGUE, LAKE

IMAGE = b"a picture"
PICTURED = with_image(SceneRequest(), IMAGE)


def test_a_request_that_says_only_what_to_show_gets_the_models_defaults() -> None:
    resolved = resolve(VideoRequest(scenes=(SceneRequest(prompt="waves"),), prompt="waves"))

    assert resolved == VideoInput(
        prompt="waves",
        negative_prompt="blur",
        width=64,
        height=48,
        fps=8,
        num_inference_steps=4,
        guidance_scale=5.0,
        seed=resolved.seed,
        model="reel",
        output_format="mp4",
        scenes=(SceneInput(prompt="waves", num_frames=6),),
        overlap=0,
    )
    assert (resolved.units, resolved.all_steps, resolved.duration_seconds) == (1, 4, 0.75)


def test_what_a_request_says_is_kept() -> None:
    request = VideoRequest(
        scenes=(
            SceneRequest(prompt="dawn", num_frames=12),
            with_image(SceneRequest(duration=2.0), IMAGE),
            SceneRequest(),
        ),
        is_storyboard=True,
        prompt="mountains",
        negative_prompt="",
        width=96,
        height=64,
        fps=10,
        num_inference_steps=7,
        guidance_scale=0.0,
        seed=0,
        model="reel",
        output_format="webm",
        transition=Transition.CROSSFADE,
    )

    resolved = resolve(request)

    assert resolved == VideoInput(
        prompt="mountains",
        negative_prompt="",
        width=96,
        height=64,
        fps=10,
        num_inference_steps=7,
        guidance_scale=0.0,
        seed=0,
        model="reel",
        output_format="webm",
        scenes=(
            SceneInput(prompt="dawn", num_frames=12),
            SceneInput(prompt="mountains", num_frames=20, reference_bytes=len(IMAGE)),
            SceneInput(prompt="mountains", num_frames=6),
        ),
        overlap=3,
    )
    assert (resolved.num_frames, resolved.duration_seconds, resolved.units) == (32, 3.2, 1)


def test_a_seed_that_is_not_given_is_drawn_anew_each_time() -> None:
    seeds = {resolve(replace(WAVES, seed=None)).seed for _ in range(8)}

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
        ("fps", 1, 60, 1),
    ],
)
def test_a_figure_may_reach_its_limits_and_not_pass_them(
    name: str, low: float, high: float, step: float
) -> None:
    square = replace(WAVES, width=48, height=48)

    def found(value: float) -> list[tuple[str, str]]:
        return problems_of(change(square, name, value))

    assert found(low) == found(high) == []
    assert found(low - step) == found(high + step) == [(f"/{name}", "out_of_range")]


@pytest.mark.parametrize("fps", [-8, 0, 240, 2**53])
def test_a_frame_rate_that_no_player_shows_is_refused(fps: int) -> None:
    assert problems_of(replace(plain(duration=1.0), fps=fps)) == [("/fps", "out_of_range")]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_figure_that_is_no_number_is_out_of_range(value: float) -> None:
    assert problems_of(replace(WAVES, guidance_scale=value)) == [
        ("/guidance_scale", "out_of_range")
    ]
    assert problems_of(plain(duration=value)) == [("/duration", "out_of_range")]


@pytest.mark.parametrize(("name", "value"), [("width", 65), ("height", 41), ("width", 68)])
def test_a_side_that_is_odd_or_no_multiple_is_told_the_nearest_good_one(
    name: str, value: int
) -> None:
    (problem,) = problems_in(change(WAVES, name, value))

    assert (problem.pointer, problem.code) == (f"/{name}", "not_a_multiple")
    assert f"nearest good one is {round(value / 8) * 8}" in problem.en
    assert f"最接近的有效值是 {round(value / 8) * 8}" in problem.zh


def test_a_video_may_have_as_many_pixels_as_the_model_allows_and_no_more() -> None:
    assert problems_of(replace(WAVES, width=96, height=64)) == []
    assert problems_of(replace(WAVES, width=104, height=64)) == [("/width", "too_many_pixels")]


def test_work_may_reach_the_plans_cap_and_not_pass_it() -> None:
    board = scenes_of(5, 7)
    work = work_of(resolve(board), REEL)

    assert work == 64 * 48 * 4 * 12
    assert resolve(board, max_work=work).num_frames == 12
    with pytest.raises(InvalidRequestError) as caught:
        resolve(board, max_work=work - 1)
    (problem,) = caught.value.problems
    assert problem.code == "work_limit_exceeded"
    assert all(str(figure) in problem.en for figure in (work, work - 1))
    assert all(str(figure) in problem.zh for figure in (work, work - 1))


@pytest.mark.parametrize("name", ["prompt", "negative_prompt"])
def test_a_text_may_be_as_long_as_the_model_reads_and_no_longer(name: str) -> None:
    def board(text: str) -> VideoRequest:
        return change(storyboard(SceneRequest(prompt="waves")), name, text)

    assert problems_of(board("画" * 40)) == []
    assert problems_of(board("画" * 41)) == [(f"/{name}", "text_too_long")]


def test_metadata_is_checked_as_for_pictures() -> None:
    assert problems_of(replace(WAVES, metadata={"k": "\0"})) == [("/metadata", "metadata_invalid")]


def test_a_model_of_pictures_makes_no_videos_and_says_where_pictures_are_made() -> None:
    (problem,) = problems_in(replace(WAVES, model="sketch"))

    assert (problem.pointer, problem.code) == ("/model", "not_supported_by_model")
    assert "/api/v1/images/generate" in problem.en
    assert "/api/v1/images/generate" in problem.zh


def test_a_model_of_videos_makes_no_pictures_and_says_where_videos_are_made() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        resolve_image(replace(LAKE, model="reel"), catalogue=SCREEN, plan=PLAN)

    (problem,) = caught.value.problems
    assert (problem.pointer, problem.code) == ("/model", "not_supported_by_model")
    assert "/api/v1/videos/generate" in problem.en
    assert "/api/v1/videos/generate" in problem.zh


def test_without_a_model_of_videos_the_operator_is_told_how_to_enable_one() -> None:
    with pytest.raises(VideoUnavailableError) as caught:
        resolve_video(WAVES, catalogue=CATALOGUE, plan=PLAN)

    assert (caught.value.status, caught.value.code) == (501, "video_not_available")
    assert not caught.value.is_retryable
    for language in ("en", "zh"):
        assert "gen-video models list" in caught.value.message(language)


def test_a_model_that_is_not_on_offer_is_named() -> None:
    with pytest.raises(UnknownModelError, match="There is no model mona"):
        resolve(replace(WAVES, model="mona"))


def test_the_default_model_of_videos_is_the_one_that_was_chosen() -> None:
    chosen = Catalogue([FLICK], default_image_model="", default_video_model="flick")

    assert resolve_video(WAVES, catalogue=chosen, plan=PLAN).model == "flick"


WRONG = {
    "fps": replace(WAVES, fps=0),
    "frames": plain(num_frames=0),
    "step": replace(plain(num_frames=6), model="flick"),
    "duration": plain(duration=-1.0),
    "twice": plain(num_frames=1, duration=1.0),
    "total": scenes_of(4000, 1),
    "no scenes": storyboard(),
    "eleven scenes": scenes_of(*[6] * 11),
    "no words": plain(None),
    "long words": plain("a" * 41),
    "control": plain("a\0"),
    "image refused": replace(WAVES, scenes=(PICTURED,), model="flick"),
    "image missing": replace(WAVES, model="portrait"),
    "size": replace(WAVES, width=33),
    "pixels": replace(WAVES, width=128, height=96),
    "steps": replace(WAVES, num_inference_steps=0),
    "seed": replace(WAVES, seed=-1),
    "metadata": replace(WAVES, metadata={"k": "\0"}),
    "model": replace(WAVES, model="sketch"),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_every_problem_is_told_in_both_languages_and_points_at_its_field(
    wrong: VideoRequest,
) -> None:
    found = problems_in(wrong)

    assert found
    for problem in found:
        assert problem.en.isascii()
        assert any("\u4e00" <= character <= "\u9fff" for character in problem.zh)
        assert problem.pointer.startswith("/")


def test_everything_that_is_wrong_is_told_at_once() -> None:
    scenes = (SceneRequest(), SceneRequest(prompt="waves", num_frames=0))
    wrong = replace(
        storyboard(*scenes), width=49, fps=0, seed=-1, negative_prompt="\0", metadata={"k": "\0"}
    )

    assert [pointer for pointer, _ in problems_of(wrong)] == [
        "/negative_prompt",
        "/scenes/0/prompt",
        "/fps",
        "/scenes/1/num_frames",
        "/width",
        "/seed",
        "/metadata",
    ]


FINGERPRINTED = {
    "nothing": THREE_SCENES,
    "prompt": replace(THREE_SCENES, prompt="mountains"),
    "negative prompt": replace(THREE_SCENES, negative_prompt=""),
    "width": replace(THREE_SCENES, width=64),
    "height": replace(THREE_SCENES, height=48),
    "fps": replace(THREE_SCENES, fps=8),
    "steps": replace(THREE_SCENES, num_inference_steps=4),
    "guidance": replace(THREE_SCENES, guidance_scale=5.0),
    "seed": replace(THREE_SCENES, seed=8),
    "no seed": replace(THREE_SCENES, seed=None),
    "model": replace(THREE_SCENES, model="reel"),
    "format": replace(THREE_SCENES, output_format="gif"),
    "transition": replace(THREE_SCENES, transition=Transition.CROSSFADE),
    "metadata": replace(THREE_SCENES, metadata={"order": "7"}),
    "hurry": replace(THREE_SCENES, priority="batch"),
    "not listed": replace(THREE_SCENES, is_storyboard=False),
    "one scene less": replace(THREE_SCENES, scenes=THREE_SCENES.scenes[:2]),
    "another order": replace(THREE_SCENES, scenes=THREE_SCENES.scenes[::-1]),
    "words of a scene": replace(
        THREE_SCENES, scenes=(SceneRequest(prompt="dusk"), *THREE_SCENES.scenes[1:])
    ),
    "frames of a scene": replace(
        THREE_SCENES, scenes=(SceneRequest(prompt="dawn", num_frames=6), *THREE_SCENES.scenes[1:])
    ),
    "duration of a scene": replace(
        THREE_SCENES, scenes=(SceneRequest(prompt="dawn", duration=1.0), *THREE_SCENES.scenes[1:])
    ),
    "an image": replace(
        THREE_SCENES,
        scenes=(with_image(THREE_SCENES.scenes[0], b"one"), *THREE_SCENES.scenes[1:]),
    ),
    "another image": replace(
        THREE_SCENES,
        scenes=(with_image(THREE_SCENES.scenes[0], b"two"), *THREE_SCENES.scenes[1:]),
    ),
    "the image in another scene": replace(
        THREE_SCENES,
        scenes=(*THREE_SCENES.scenes[:2], with_image(THREE_SCENES.scenes[2], b"one")),
    ),
}


def test_requests_that_differ_have_different_fingerprints() -> None:
    prints = {name: request.fingerprint() for name, request in FINGERPRINTED.items()}

    assert len(set(prints.values())) == len(prints)
    assert prints["nothing"] == replace(THREE_SCENES).fingerprint()
    assert LAKE.fingerprint() not in prints.values()


NUMBERS = st.one_of(st.none(), st.integers(-(2**53), 2**53), st.integers(0, 100))
DURATIONS = st.one_of(st.none(), st.floats(), st.floats(0, 600))
SCENES = st.builds(
    SceneRequest,
    prompt=st.one_of(st.none(), st.text(max_size=50)),
    num_frames=NUMBERS,
    duration=DURATIONS,
    image_source=st.sampled_from([None, "ab" * 32]),
)


@given(
    st.builds(
        VideoRequest,
        scenes=st.lists(SCENES, max_size=12).map(tuple),
        is_storyboard=st.booleans(),
        prompt=st.one_of(st.none(), st.text(max_size=50)),
        width=NUMBERS,
        height=NUMBERS,
        fps=NUMBERS,
        num_inference_steps=NUMBERS,
        guidance_scale=st.one_of(st.none(), st.floats()),
        seed=NUMBERS,
        model=st.sampled_from([None, "reel", "flick", "portrait", "sketch", "mona"]),
        transition=st.sampled_from(list(Transition)),
    )
)
def test_whatever_is_asked_for_is_resolved_or_refused(request: VideoRequest) -> None:
    try:
        resolved = resolve(request)
    except ServiceError as error:
        assert error.status == 422  # noqa: PT017 - most random requests are wrong
        return
    counts = [scene.num_frames for scene in resolved.scenes]
    assert 1 <= sum(counts) <= MAX_TOTAL_FRAMES
    assert resolved.num_frames == joined_frames(counts, resolved.overlap)
    assert work_of(resolved, SCREEN.get(resolved.model)) <= PLAN.max_video_work
