"""The shipped film model: clips that obey their prompt, move, and do not flicker."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from gen_video.engines.diffusers_make import DiffusersMake
from gen_video.engines.errors import EngineCancelledError
from gen_video.engines.makes import ChildConfig, Supervision
from gen_video.engines.tasks import StepProgress, VideoTask
from tests.engines.pipelines.studio import SPECS, local_spec
from tests.house.project import PROJECT

pytestmark = pytest.mark.engine

WIDTH, HEIGHT, FRAMES, STEPS = 256, 144, 7, 8
Film = NDArray[np.float64]  # (FRAMES, HEIGHT, WIDTH, 3), 0 to 255
SPEC = local_spec("mini-video", PROJECT / SPECS["mini-video"].source)
TASK = VideoTask(
    task_id="job_1",
    model=SPEC.id,
    prompt="the sea at dawn, a sailboat, clouds",
    negative_prompt="",
    width=WIDTH,
    height=HEIGHT,
    num_frames=FRAMES,
    fps=8,
    num_inference_steps=STEPS,
    guidance_scale=4.0,
    seed=5,
)


@pytest.fixture(scope="module")
def make() -> DiffusersMake:
    return DiffusersMake(ChildConfig(device="cpu", threads=1, is_hub_offline=True))


def film(make: DiffusersMake, task: VideoTask = TASK) -> Film:
    watch = Supervision(report=lambda _progress: None, check=lambda: None)
    rgb = b"".join(part.rgb for part in make.film(SPEC, task, watch))
    return np.frombuffer(rgb, np.uint8).reshape(-1, HEIGHT, WIDTH, 3).astype(np.float64)


def test_a_clip_moves_steadily(make: DiffusersMake) -> None:
    """The ends are apart, neighbours are near, and no frame jumps out of the row."""
    clip = film(make)

    steps = np.abs(np.diff(clip, axis=0)).mean((1, 2, 3))
    ends = np.abs(clip[-1] - clip[0]).mean()

    assert len(clip) == FRAMES
    assert ends > 1.5
    assert steps.max() < 0.8 * ends
    assert steps.max() < 12


@pytest.mark.parametrize(
    ("noon", "night"), [("the sea at noon", "the sea at night"), ("正午的大海", "夜晚的大海")]
)
def test_night_is_darker_than_noon(make: DiffusersMake, noon: str, night: str) -> None:
    by_day, by_night = (
        film(make, replace(TASK, prompt=prompt, num_frames=1)) for prompt in (noon, night)
    )

    assert by_night.mean() + 40 < by_day.mean()


def test_the_same_seed_gives_the_same_bits_and_another_another_clip(make: DiffusersMake) -> None:
    task = replace(TASK, num_frames=2)

    first = film(make, task)

    assert np.array_equal(first, film(make, task))
    assert not np.array_equal(first, film(make, replace(task, seed=6)))


def test_more_frames_show_the_same_movement_finer(make: DiffusersMake) -> None:
    few, many = film(make, replace(TASK, num_frames=3)), film(make, replace(TASK, num_frames=9))

    assert np.abs(few[1] - many[4]).mean() < 1


def test_a_clip_is_cancelled_while_it_is_decoded(make: DiffusersMake) -> None:
    told: list[StepProgress] = []

    def check() -> None:
        if told and told[-1].stage == "decoding":
            raise EngineCancelledError

    watch = Supervision(report=told.append, check=check)

    with pytest.raises(EngineCancelledError):
        list(make.film(SPEC, TASK, watch))

    assert [progress.step for progress in told] == [*range(1, STEPS + 1), STEPS]
