"""Requests for videos: defaults, every limit at its edge, and what a wrong field is told."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gen_video.accounts.models import DEFAULT_PLANS
from gen_video.engines.catalogue import Catalogue, UnknownModelError
from gen_video.errors import FieldProblem, InvalidRequestError, ServiceError
from gen_video.generation.checks import MAX_SEED
from gen_video.generation.models import SceneInput, VideoInput
from gen_video.generation.requests import resolve_image
from gen_video.generation.video_requests import (
    FADE_SECONDS,
    MAX_SCENES,
    MAX_TOTAL_FRAMES,
    SceneRequest,
    Transition,
    VideoRequest,
    VideoUnavailableError,
    choose_overlap,
    resolve_video,
    work_of,
)
from gen_video.media.joins import SceneJoiner, faded_frames, joined_frames
from tests.generation.cinema import (
    FLICK,
    SCREEN,
    THREE_SCENES,
    WAVES,
    storyboard,
    with_image,
)
from tests.generation.studio import CATALOGUE, LAKE

PLAN = DEFAULT_PLANS[0]
IMAGE = b"a picture"
PICTURED = with_image(SceneRequest(), IMAGE)


def resolve(request: VideoRequest, *, max_work: int = PLAN.max_video_work) -> VideoInput:
    plan = replace(PLAN, max_video_work=max_work)
    return resolve_video(request, catalogue=SCREEN, plan=plan)


def problems_in(request: VideoRequest) -> tuple[FieldProblem, ...]:
    """Return everything that is wrong."""
    try:
        resolve(request)
    except InvalidRequestError as error:
        return error.problems
    return ()


def problems_of(request: VideoRequest) -> list[tuple[str, str]]:
    """Return (pointer, code) of everything that is wrong."""
    return [(problem.pointer, problem.code) for problem in problems_in(request)]


def change(request: VideoRequest, name: str, value: object) -> VideoRequest:
    """Return the request with one field changed."""
    return replace(request, **{name: value})  # type: ignore[arg-type] # of any field


def plain(prompt: str | None = "waves", **fields: object) -> VideoRequest:
    """Return a request of one scene, as a client without a storyboard writes it."""
    scene = SceneRequest(prompt=prompt, **fields)  # type: ignore[arg-type] # of any field
    return replace(WAVES, scenes=(scene,), prompt=prompt)


def scenes_of(*counts: int) -> VideoRequest:
    """Return a storyboard of scenes of so many frames."""
    return storyboard(*(SceneRequest(prompt="waves", num_frames=count) for count in counts))


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


def test_a_storyboard_without_a_prompt_of_its_own_is_called_by_its_first_scene() -> None:
    assert resolve(THREE_SCENES).prompt == "dawn"


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


@pytest.mark.parametrize(
    ("count", "is_right"), [(-1, False), (0, False), (1, True), (4000, True), (4001, False)]
)
def test_one_scene_has_from_one_frame_to_four_thousand(count: int, *, is_right: bool) -> None:
    found = problems_of(plain(num_frames=count))

    assert found == ([] if is_right else [("/num_frames", "out_of_range")])


def test_all_scenes_together_have_four_thousand_frames_and_no_more() -> None:
    assert resolve(scenes_of(2000, 2000)).num_frames == MAX_TOTAL_FRAMES
    (problem,) = problems_in(scenes_of(2000, 2001))

    assert problem.pointer == "/scenes"
    assert all(word in problem.en for word in ("4001", "4000", "frames"))
    assert all(word in problem.zh for word in ("4001", "4000", "帧"))


@pytest.mark.parametrize(("count", "nearest"), [(6, 5), (8, 9), (10, 9), (12, 13), (80, 81)])
def test_a_number_of_frames_that_the_model_cannot_make_is_told_the_nearest(
    count: int, nearest: int
) -> None:
    (problem,) = problems_in(replace(plain(num_frames=count), model="flick"))

    assert (problem.pointer, problem.code) == ("/num_frames", "not_a_multiple")
    assert f"nearest good number is {nearest}" in problem.en
    assert f"最接近的有效值是 {nearest}" in problem.zh


@pytest.mark.parametrize("count", [5, 9, 77, 81])
def test_a_number_of_frames_that_the_model_makes_is_kept(count: int) -> None:
    resolved = resolve(replace(plain(num_frames=count), model="flick"))

    assert resolved.num_frames == count


@pytest.mark.parametrize("count", [4, 82, 85])
def test_the_limits_of_a_step_are_themselves_good_numbers(count: int) -> None:
    (problem,) = problems_in(replace(plain(num_frames=count), model="flick"))

    assert problem.code == "out_of_range"
    assert "from 5 to 81" in problem.en


@pytest.mark.parametrize(
    ("model", "fps", "seconds", "count"),
    [
        ("reel", 8, 0.001, 1),
        ("reel", 8, 0.5, 4),
        ("reel", 8, 1.06, 8),
        ("reel", 8, 1.07, 9),
        ("reel", 24, 2.0, 48),
        ("reel", 8, 500.0, 4000),
        ("flick", 8, 0.001, 5),
        ("flick", 8, 1.0, 9),
        ("flick", 8, 1.37, 9),
        ("flick", 8, 1.39, 13),
        ("flick", 16, 5.0, 81),
        ("flick", 8, 10.375, 81),
    ],
)
def test_a_duration_becomes_the_nearest_number_of_frames(
    model: str, fps: int, seconds: float, count: int
) -> None:
    resolved = resolve(replace(plain(duration=seconds), model=model, fps=fps))

    assert resolved.num_frames == count


@pytest.mark.parametrize(
    ("model", "seconds", "longest"),
    [
        ("reel", 500.07, "500.0"),
        ("flick", 10.38, "10.125"),
        ("flick", 1e9, "10.125"),
        ("reel", 0.0, "500.0"),
        ("reel", -1.0, "500.0"),
    ],
)
def test_a_duration_past_its_limits_is_told_them(
    model: str, seconds: float, longest: str
) -> None:
    (problem,) = problems_in(replace(plain(duration=seconds), model=model))

    assert (problem.pointer, problem.code) == ("/duration", "out_of_range")
    assert longest in problem.en
    assert longest in problem.zh


def test_frames_and_a_duration_are_not_given_both() -> None:
    both = SceneRequest(prompt="waves", num_frames=8, duration=1.0)

    assert problems_of(plain(num_frames=8, duration=1.0)) == [("/duration", "given_twice")]
    assert problems_of(storyboard(SceneRequest(prompt="waves"), both)) == [
        ("/scenes/1/duration", "given_twice")
    ]


@pytest.mark.parametrize(
    ("count", "is_right"), [(0, False), (1, True), (MAX_SCENES, True), (MAX_SCENES + 1, False)]
)
def test_a_storyboard_has_from_one_scene_to_ten(count: int, *, is_right: bool) -> None:
    found = problems_of(scenes_of(*[6] * count))

    assert found == ([] if is_right else [("/scenes", "out_of_range")])


@pytest.mark.parametrize("prompt", [None, "", "   ", "\n\t", "\u200b\u2060"])
def test_a_scene_needs_words_or_a_picture(prompt: str | None) -> None:
    wordless = SceneRequest(prompt=prompt)
    board = storyboard(SceneRequest(prompt="waves"), wordless)

    assert problems_of(plain(prompt)) == [("/prompt", "prompt_empty")]
    assert problems_of(board) == [("/scenes/1/prompt", "prompt_empty")]
    assert problems_of(storyboard(with_image(wordless, IMAGE))) == []


def test_a_scene_without_words_takes_those_of_the_request() -> None:
    board = storyboard(SceneRequest(), SceneRequest(prompt="night"), prompt="mountains")

    assert [scene.prompt for scene in resolve(board).scenes] == ["mountains", "night"]


def test_a_picture_needs_a_model_that_starts_from_one() -> None:
    board = replace(storyboard(SceneRequest(prompt="waves"), PICTURED), model="flick")

    (problem,) = problems_in(board)

    assert (problem.pointer, problem.code) == ("/scenes/1/image", "not_supported_by_model")
    assert "choose another model" in problem.en
    assert "选择其他模型" in problem.zh
    assert problems_of(replace(WAVES, scenes=(PICTURED,), model="flick")) == [
        ("/image", "not_supported_by_model")
    ]


def test_a_model_that_starts_from_a_picture_needs_one_for_each_scene() -> None:
    board = replace(storyboard(PICTURED, SceneRequest(prompt="waves")), model="portrait")

    (problem,) = problems_in(board)

    assert (problem.pointer, problem.code) == ("/scenes/1/image", "image_required")
    assert "needs an image" in problem.en
    assert "首帧图像" in problem.zh
    assert problems_of(replace(WAVES, scenes=(PICTURED,), model="portrait")) == []


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
    work = work_of(resolve(board))

    assert work == 64 * 48 * 4 * 12
    assert resolve(board, max_work=work).num_frames == 12
    with pytest.raises(InvalidRequestError) as caught:
        resolve(board, max_work=work - 1)
    (problem,) = caught.value.problems
    assert problem.code == "work_limit_exceeded"
    assert all(str(figure) in problem.en for figure in (work, work - 1))
    assert all(str(figure) in problem.zh for figure in (work, work - 1))


def test_a_fade_makes_a_video_shorter_and_not_its_work_smaller() -> None:
    cut, faded = scenes_of(8, 8), replace(scenes_of(8, 8), transition=Transition.CROSSFADE)

    assert work_of(resolve(faded)) == work_of(resolve(cut))
    assert resolve(faded).num_frames == resolve(cut).num_frames - 4


@pytest.mark.parametrize("name", ["prompt", "negative_prompt"])
def test_a_text_may_be_as_long_as_the_model_reads_and_no_longer(name: str) -> None:
    def board(text: str) -> VideoRequest:
        return change(storyboard(SceneRequest(prompt="waves")), name, text)

    assert problems_of(board("画" * 40)) == []
    assert problems_of(board("画" * 41)) == [(f"/{name}", "text_too_long")]


def test_the_words_of_a_scene_are_read_like_those_of_the_request() -> None:
    long = storyboard(SceneRequest(prompt="waves"), SceneRequest(prompt="画" * 41))
    dirty = storyboard(SceneRequest(prompt="a\x1b[31m"), SceneRequest(prompt="\ud800"))

    assert problems_of(long) == [("/scenes/1/prompt", "text_too_long")]
    assert problems_of(dirty) == [
        ("/scenes/0/prompt", "forbidden_character"),
        ("/scenes/1/prompt", "forbidden_character"),
        ("/scenes/1/prompt", "prompt_empty"),
    ]
    assert problems_of(plain("画" * 41)) == [("/prompt", "text_too_long")]


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
        assert "gen-video models list" in caught.value.message(language)  # type: ignore[arg-type] # both


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


@given(st.lists(st.integers(1, 60), min_size=1, max_size=MAX_SCENES), st.integers(1, 120))
def test_a_fade_always_fits_its_scenes(counts: list[int], fps: int) -> None:
    overlap = choose_overlap(counts, fps=fps)

    assert 0 <= overlap <= max(0, round(FADE_SECONDS * fps))
    total = joined_frames(counts, overlap)
    assert len(faded_frames(counts, overlap)) == overlap * (len(counts) - 1)
    joiner, made = SceneJoiner(frame_bytes=1, overlap=overlap), 0
    for count in counts:
        made += len(joiner.add(bytes(count)))
        joiner.end_scene()
    assert made + len(joiner.finish()) == total


@given(
    st.lists(st.integers(1, 60), min_size=2, max_size=MAX_SCENES), st.sampled_from([1, 8, 25, 60])
)
def test_a_resolved_video_is_as_long_as_its_joined_scenes(counts: list[int], fps: int) -> None:
    resolved = resolve(replace(scenes_of(*counts), fps=fps, transition=Transition.CROSSFADE))

    assert resolved.num_frames == joined_frames(counts, resolved.overlap)


NUMBERS = st.one_of(st.none(), st.integers(-(2**53), 2**53), st.integers(0, 100))
DURATIONS = st.one_of(st.none(), st.floats(), st.floats(0, 600))
SCENES = st.builds(
    SceneRequest,
    prompt=st.one_of(st.none(), st.text(max_size=50)),
    num_frames=NUMBERS,
    duration=DURATIONS,
    image_sha256=st.sampled_from([None, "ab" * 32]),
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
    assert work_of(resolved) <= PLAN.max_video_work
