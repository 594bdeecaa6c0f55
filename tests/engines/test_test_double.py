"""The test double obeys its prompt, and draws a pure function of it."""

import io
import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest
from PIL import Image

from gen_video.engines.errors import (
    EngineCancelledError,
    EngineFailedError,
    EngineOutOfMemoryError,
)
from gen_video.engines.makes import ChildConfig, Supervision, build_make
from gen_video.engines.tasks import Frames, ImageTask, Picture, StepProgress, VideoTask
from gen_video.engines.test_double import Directives, TestDouble, parse_directives
from tests.engines.hosts import STEPS, double_clip, double_spec, double_task


def run(task: ImageTask, progress: list[StepProgress] | None = None) -> list[Picture]:
    watch = Supervision(
        report=(progress if progress is not None else []).append, check=lambda: None
    )
    return list(TestDouble(ChildConfig()).run(double_spec(), task, watch))


def film(task: VideoTask, progress: list[StepProgress] | None = None) -> list[Frames]:
    watch = Supervision(
        report=(progress if progress is not None else []).append, check=lambda: None
    )
    return list(TestDouble(ChildConfig()).film(double_spec(), task, watch))


def pixels(task: VideoTask) -> bytes:
    """Return all frames of a clip."""
    return b"".join(part.rgb for part in film(task))


@pytest.mark.parametrize(
    ("prompt", "directives"),
    [
        ("a lake", Directives()),
        ("sleep=1.5", Directives(sleep_seconds=1.5)),
        ("雪山 bytes=200 sleep=2", Directives(noise_bytes=200, sleep_seconds=2.0)),
        ("fail=2 deliver=0", Directives(failures=2, deliver=0)),
        ("crash=segv, then crash=exit", Directives(crash="exit")),
        ("oversleep=3 sleep = 3", Directives()),
    ],
)
def test_directives_are_read_from_the_prompt(prompt: str, directives: Directives) -> None:
    assert parse_directives(prompt) == directives


def test_it_is_built_by_its_name() -> None:
    make = build_make("test-double", ChildConfig())

    assert isinstance(make, TestDouble)
    assert make.resident_models() == ()
    make.load(double_spec())
    make.load(double_spec())
    assert make.resident_models() == ("test-double",)


def test_a_picture_is_a_function_of_what_was_asked_for() -> None:
    task = double_task()
    others = [
        replace(task, prompt="a sea"),
        replace(task, negative_prompt="fog"),
        replace(task, seed=8),
        replace(task, reference_image=b"png"),
    ]

    drawn = {run(other)[0].rgb for other in others}

    assert run(task) == run(task)
    assert run(task)[0].rgb not in drawn
    assert len(drawn) == len(others)


def test_each_picture_counts_its_own_seed_and_steps() -> None:
    progress: list[StepProgress] = []

    pictures = run(replace(double_task(), n=2), progress)

    assert [(picture.index, picture.seed) for picture in pictures] == [(0, 7), (1, 8)]
    assert pictures[1].rgb == run(replace(double_task(), seed=8))[0].rgb
    assert [(report.step, report.steps) for report in progress] == [
        (step, 2 * STEPS) for step in range(1, 2 * STEPS + 1)
    ]


def test_noise_makes_files_large() -> None:
    task = replace(double_task("bytes=20000"), width=128, height=128)
    (picture,) = run(task)
    buffer = io.BytesIO()

    Image.frombytes("RGB", (128, 128), picture.rgb).save(buffer, "PNG")

    assert 20_000 <= buffer.tell() <= 24_000


@pytest.mark.parametrize("noise", [0, 1, 2, 3, 100, 10**9])
def test_a_picture_has_its_size_whatever_the_noise(noise: int) -> None:
    (picture,) = run(double_task(f"bytes={noise}"))

    assert len(picture.rgb) == picture.width * picture.height * 3


def test_the_first_attempts_fail_when_asked_to() -> None:
    task = double_task("fail=2")

    for attempt in (1, 2):
        with pytest.raises(EngineFailedError, match="asked to fail"):
            run(replace(task, attempt=attempt))

    assert len(run(replace(task, attempt=3))) == 1


def test_some_pictures_are_delivered_before_a_failure() -> None:
    watch = Supervision(report=lambda _progress: None, check=lambda: None)
    pictures = TestDouble(ChildConfig()).run(
        double_spec(), replace(double_task("deliver=2"), n=3), watch
    )

    assert [next(pictures).index, next(pictures).index] == [0, 1]
    with pytest.raises(EngineFailedError, match="only 2 pictures"):
        next(pictures)


def test_memory_runs_out_when_asked_to() -> None:
    with pytest.raises(EngineOutOfMemoryError):
        run(double_task("crash=oom"))


def cancel_at(number: int) -> Callable[[], None]:
    """Return a check that cancels when it is called for that time."""
    checks = itertools.count(1)

    def check() -> None:
        if next(checks) == number:
            raise EngineCancelledError

    return check


def test_a_sleep_hears_a_cancel() -> None:
    watch = Supervision(report=lambda _progress: None, check=cancel_at(3))
    pictures = TestDouble(ChildConfig()).run(double_spec(), double_task("sleep=3600"), watch)

    with pytest.raises(EngineCancelledError):
        next(pictures)


@pytest.mark.parametrize("count", [1, 7, 8, 9, 20])
def test_a_clip_has_all_its_frames_in_their_order(count: int) -> None:
    parts = film(replace(double_clip(), num_frames=count))

    ends = [part.first + part.count for part in parts]
    assert [part.first for part in parts] == [0, *ends[:-1]]
    assert ends[-1] == count
    assert all(len(part.rgb) == part.count * 16 * 8 * 3 for part in parts)


def test_a_clip_is_a_function_of_what_was_asked_for() -> None:
    task = double_clip()
    others = [
        replace(task, prompt="a sea"),
        replace(task, negative_prompt="fog"),
        replace(task, seed=8),
        replace(task, reference_image=b"png"),
        replace(task, num_frames=19),
    ]

    drawn = {pixels(other) for other in others}

    assert pixels(task) == pixels(replace(task, fps=30, attempt=2))
    assert pixels(task) not in drawn
    assert len(drawn) == len(others)


def test_a_bar_crosses_the_clip() -> None:
    rows = [
        part.rgb[16 * 8 * 3 * number :][: 16 * 3]
        for part in film(double_clip())
        for number in range(part.count)
    ]

    ground = rows[-1][:3]
    bars = [
        [column for column in range(16) if row[3 * column : 3 * column + 3] != ground]
        for row in rows
    ]
    assert bars[0] == [0, 1]
    assert bars[-1] == [14, 15]
    assert bars == sorted(bars)


def test_a_clip_counts_its_steps_and_then_decodes() -> None:
    progress: list[StepProgress] = []

    film(double_clip(), progress)

    assert [(report.stage, report.step) for report in progress] == [
        *(("denoising", step) for step in range(1, STEPS + 1)),
        ("decoding", STEPS),
    ]


def test_the_directives_are_obeyed_in_clips_too() -> None:
    with pytest.raises(EngineFailedError, match="asked to fail"):
        film(double_clip("fail=1"))
    with pytest.raises(EngineOutOfMemoryError):
        film(double_clip("crash=oom"))
    with pytest.raises(EngineFailedError, match="only 3 frames"):
        film(double_clip("deliver=3"))

    assert len(film(replace(double_clip("fail=1"), attempt=2))) == 3


def test_a_clip_hears_a_cancel_while_it_sleeps_and_while_it_decodes() -> None:
    for prompt, wanted in (("sleep=3600", 3), ("a lake", STEPS + 2)):
        watch = Supervision(report=lambda _progress: None, check=cancel_at(wanted))

        with pytest.raises(EngineCancelledError):
            list(TestDouble(ChildConfig()).film(double_spec(), double_clip(prompt), watch))
