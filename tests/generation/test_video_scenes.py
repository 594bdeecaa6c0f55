"""Scenes: how many frames and words they have, and how they fade into each other."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gen_video.generation.video_requests import (
    FADE_SECONDS,
    MAX_SCENES,
    MAX_TOTAL_FRAMES,
    SceneRequest,
    Transition,
    choose_overlap,
    work_of,
)
from gen_video.media.joins import SceneJoiner, faded_frames, joined_frames
from tests.generation.cinema import (
    REEL,
    THREE_SCENES,
    WAVES,
    plain,
    problems_in,
    problems_of,
    resolve,
    scenes_of,
    storyboard,
    with_image,
)

IMAGE = b"a picture"
PICTURED = with_image(SceneRequest(), IMAGE)


def test_a_storyboard_without_a_prompt_of_its_own_is_called_by_its_first_scene() -> None:
    assert resolve(THREE_SCENES).prompt == "dawn"


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
def test_a_duration_past_its_limits_is_told_them(model: str, seconds: float, longest: str) -> None:
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


def test_a_fade_makes_a_video_shorter_and_not_its_work_smaller() -> None:
    cut, faded = scenes_of(8, 8), replace(scenes_of(8, 8), transition=Transition.CROSSFADE)

    assert work_of(resolve(faded), REEL) == work_of(resolve(cut), REEL)
    assert resolve(faded).num_frames == resolve(cut).num_frames - 4


def test_the_words_of_a_scene_are_read_like_those_of_the_request() -> None:
    long = storyboard(SceneRequest(prompt="waves"), SceneRequest(prompt="画" * 41))
    dirty = storyboard(SceneRequest(prompt="a\x1b[31m"), SceneRequest(prompt="\ud800"))

    assert problems_of(long) == [("/scenes/1/prompt", "text_too_long")]
    assert problems_of(dirty) == [
        ("/scenes/0/prompt", "forbidden_character"),
        ("/scenes/1/prompt", "forbidden_character"),
    ]
    assert problems_of(plain("画" * 41)) == [("/prompt", "text_too_long")]


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
