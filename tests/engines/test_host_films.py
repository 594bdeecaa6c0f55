"""The engine host with its real child: clips, and pictures that come while one is filmed."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import psutil
import pytest

from gen_video.engines.errors import (
    EngineCancelledError,
    EngineCrashedError,
    EngineError,
    EngineFailedError,
    EngineHungError,
    EngineInterruptedError,
    EngineOutOfMemoryError,
)
from gen_video.engines.host import EngineHost, HostLimits
from gen_video.engines.makes import ChildConfig, Supervision
from gen_video.engines.tasks import Frames, ImageTask, Picture, StepProgress, VideoTask
from gen_video.engines.test_double import TestDouble
from gen_video.engines.turns import MOST_OPEN_PARTS
from tests.engines.hosts import (
    STEPS,
    Driver,
    double_clip,
    double_spec,
    double_task,
    endless_clip,
    endless_task,
)
from tests.engines.waiting import PATIENCE_SECONDS, wait_until

SILENT = Supervision(report=lambda _progress: None, check=lambda: None)


@dataclass
class Run:
    """A task on a thread of its own, and what its host told of it."""

    outcome: Future[list[Frames] | list[Picture]] = field(default_factory=Future)
    progress: list[StepProgress] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """Return how many steps were told, those of loading excepted."""
        return len([told for told in self.progress if told.stage != "loading"])

    def wait_for_steps(self, count: int) -> None:
        """Return when so many steps more have been told."""
        goal = self.steps + count
        wait_until(lambda: self.steps >= goal or self.outcome.done())
        assert self.steps >= goal, self.outcome

    def result(self) -> list[Frames] | list[Picture]:
        """Wait for the end."""
        return self.outcome.result(timeout=PATIENCE_SECONDS)

    def error(self) -> BaseException | None:
        """Wait for the end and return why it was none."""
        return self.outcome.exception(timeout=PATIENCE_SECONDS)


@dataclass
class Set:
    """A host, and tasks that run on it side by side."""

    driver: Driver
    threads: ThreadPoolExecutor

    def film(self, task: VideoTask) -> Run:
        """Begin a clip."""
        return self._begin(lambda run: list(self._host.film(task, on_progress=run.progress.append)))

    def draw(self, task: ImageTask) -> Run:
        """Begin pictures."""
        return self._begin(
            lambda run: list(self._host.generate(task, on_progress=run.progress.append))
        )

    def hand_in(self, task: ImageTask) -> Run:
        """Begin pictures that have to wait, and return when the child has them."""
        run = self.draw(task)
        wait_until(lambda: self._host._pictures.running == task.task_id)
        return run

    @property
    def _host(self) -> EngineHost:
        return self.driver.host

    def _begin(self, work: Callable[[Run], list[Frames] | list[Picture]]) -> Run:
        run = Run()
        run.outcome = self.threads.submit(work, run)
        return run


@contextmanager
def set_of(limits: HostLimits | None = None, *, video_share: float = 0.5) -> Iterator[Set]:
    """Give a set whose child was started on this thread, and end it afterwards."""
    driver = Driver(limits=limits or HostLimits(), video_share=video_share)
    assert driver.works()
    with ThreadPoolExecutor(2) as threads:
        try:
            yield Set(driver, threads)
        finally:
            driver.host.close()


def test_a_clip_crosses_the_border_unchanged(driver: Driver) -> None:
    task = replace(double_clip(), reference_image=bytes(range(256)))

    assert driver.film(task) == list(TestDouble(ChildConfig()).film(double_spec(), task, SILENT))


def test_the_progress_of_a_clip_is_told_step_by_step(driver: Driver) -> None:
    told: list[StepProgress] = []

    list(driver.host.film(double_clip(), on_progress=told.append))

    assert told == [
        StepProgress(stage="loading", step=0, steps=1),
        *(StepProgress(stage="denoising", step=step, steps=STEPS) for step in range(1, STEPS + 1)),
        StepProgress(stage="decoding", step=STEPS, steps=STEPS),
    ]


def test_frames_before_a_failure_are_delivered_and_the_child_is_spared(driver: Driver) -> None:
    assert driver.works()
    pid = driver.pid

    with pytest.raises(EngineFailedError, match="only 9 frames"):
        driver.film(double_clip("deliver=9"))

    assert [part.first for part in driver.frames] == [0, 8]
    assert len(driver.film(double_clip())) == 3
    assert driver.pid == pid


def test_a_picture_is_drawn_while_a_clip_is_filmed() -> None:
    with set_of() as stage:
        clip = stage.film(endless_clip())
        clip.wait_for_steps(1)

        assert stage.driver.works()
        assert stage.driver.works()

        assert not clip.outcome.done()
        clip.wait_for_steps(1)
        stage.driver.host.cancel(endless_clip().task_id)
        assert isinstance(clip.error(), EngineCancelledError)
        assert stage.driver.restarts == []


def test_a_clip_that_had_a_picture_in_between_is_the_same() -> None:
    task = replace(double_clip("sleep=2"), num_inference_steps=20)
    with set_of() as stage:
        clip = stage.film(task)
        clip.wait_for_steps(1)

        assert stage.driver.works()

        assert clip.result() == list(
            TestDouble(ChildConfig()).film(double_spec(), double_clip("sleep=2"), SILENT)
        )


@pytest.mark.parametrize(
    "task", [double_task("fail=1"), replace(double_task(), model="sdxl")], ids=["fails", "unknown"]
)
def test_a_picture_that_fails_in_between_leaves_the_clip_alone(task: ImageTask) -> None:
    with set_of() as stage:
        clip = stage.film(endless_clip())
        clip.wait_for_steps(1)

        with pytest.raises(EngineFailedError):
            stage.driver.run(task)

        clip.wait_for_steps(1)
        assert not clip.outcome.done()


def test_at_a_whole_share_a_picture_waits_for_the_clip() -> None:
    with set_of(video_share=1.0) as stage:
        clip = stage.film(endless_clip())
        clip.wait_for_steps(1)
        picture = stage.hand_in(double_task())
        clip.wait_for_steps(20)
        assert picture.progress == []

        stage.driver.host.cancel(endless_clip().task_id)

        assert isinstance(clip.error(), EngineCancelledError)
        assert len(picture.result()) == 1
        assert stage.driver.restarts == []


def test_a_picture_that_waits_for_a_clip_has_not_hung() -> None:
    """However long that takes: the child shows with each step of the clip that it works."""
    with set_of(HostLimits(load=4.0, hang=4.0), video_share=1.0) as stage:
        clip = stage.film(endless_clip())
        clip.wait_for_steps(1)
        picture = stage.hand_in(double_task())

        time.sleep(6)

        assert not clip.outcome.done()
        assert not picture.outcome.done()
        stage.driver.host.cancel(endless_clip().task_id)
        assert len(picture.result()) == 1
        assert stage.driver.restarts == []


def test_a_clip_that_waits_for_a_slow_picture_has_not_hung() -> None:
    slow = replace(double_task("sleep=6"), num_inference_steps=12)
    with set_of(HostLimits(hang=3.0)) as stage:
        clip = stage.film(endless_clip())
        clip.wait_for_steps(1)

        assert len(stage.driver.run(slow)) == 1

        clip.wait_for_steps(1)
        assert not clip.outcome.done()
        assert stage.driver.restarts == []


def test_a_picture_that_hangs_in_between_is_given_up_and_the_clip_is_not_to_blame() -> None:
    with set_of(HostLimits(hang=2.0)) as stage:
        clip = stage.film(endless_clip())
        clip.wait_for_steps(1)

        picture = stage.draw(double_task("crash=hang"))

        assert isinstance(picture.error(), EngineError)
        assert isinstance(clip.error(), EngineInterruptedError)
        assert stage.driver.restarts == ["engine_hung"]
        assert stage.driver.works()


def test_a_cancel_of_a_clip_that_waits_for_a_picture_spares_the_picture() -> None:
    with set_of(HostLimits(cancel_grace=3.0)) as stage:
        clip = stage.film(endless_clip())
        clip.wait_for_steps(1)
        picture = stage.draw(endless_task())
        picture.wait_for_steps(1)

        stage.driver.host.cancel(endless_clip().task_id)

        assert isinstance(clip.error(), EngineCancelledError)
        picture.wait_for_steps(5)
        stage.driver.host.cancel(endless_task().task_id)
        assert isinstance(picture.error(), EngineCancelledError)
        assert len(stage.film(replace(double_clip(), task_id="job_3")).result()) == 3
        assert stage.driver.restarts == []


def test_a_cancel_of_a_picture_that_waits_for_a_clip_spares_the_clip() -> None:
    with set_of(HostLimits(cancel_grace=3.0), video_share=1.0) as stage:
        clip = stage.film(endless_clip())
        clip.wait_for_steps(1)
        picture = stage.hand_in(endless_task())
        clip.wait_for_steps(2)

        stage.driver.host.cancel(endless_task().task_id)

        assert isinstance(picture.error(), EngineCancelledError)
        assert picture.progress == []
        clip.wait_for_steps(5)
        stage.driver.host.cancel(endless_clip().task_id)
        assert isinstance(clip.error(), EngineCancelledError)
        assert stage.driver.works()
        assert stage.driver.restarts == []


def test_a_cancel_of_a_picture_in_between_lets_the_clip_go_on() -> None:
    with set_of() as stage:
        clip = stage.film(endless_clip())
        clip.wait_for_steps(1)
        picture = stage.draw(endless_task())
        picture.wait_for_steps(1)

        stage.driver.host.cancel(endless_task().task_id)

        assert isinstance(picture.error(), EngineCancelledError)
        clip.wait_for_steps(1)
        assert not clip.outcome.done()


def test_a_cancel_outlives_the_beginning_of_the_other_kind() -> None:
    """It may come before its task, and a picture may begin in between."""
    with set_of() as stage:
        stage.driver.host.cancel(endless_clip().task_id)
        assert stage.driver.works()

        clip = stage.film(endless_clip())

        assert isinstance(clip.error(), EngineCancelledError)
        assert stage.driver.restarts == []


def test_a_killed_child_ends_both_tasks_and_both_work_again() -> None:
    with set_of(video_share=1.0) as stage:
        clip = stage.film(endless_clip())
        clip.wait_for_steps(1)
        picture = stage.hand_in(endless_task())
        clip.wait_for_steps(2)
        pid = stage.driver.pid

        os.kill(pid, signal.SIGKILL)

        crash = clip.error()
        assert isinstance(crash, EngineCrashedError)
        assert crash.facts == {"reason": "signal SIGKILL"}
        assert isinstance(picture.error(), EngineInterruptedError)
        assert stage.driver.restarts == ["engine_crashed"]
        assert not psutil.pid_exists(pid)
        assert stage.driver.works()
        assert len(stage.film(double_clip()).result()) == 3


@pytest.mark.parametrize(
    ("crash", "expected"),
    [("segv", EngineCrashedError), ("exit", EngineCrashedError), ("oom", EngineOutOfMemoryError)],
)
def test_a_picture_that_kills_the_child_in_between_is_to_blame_and_the_clip_is_not(
    crash: str, expected: type[EngineError]
) -> None:
    with set_of() as stage:
        clip = stage.film(endless_clip())
        clip.wait_for_steps(1)

        with pytest.raises(expected):
            stage.driver.run(double_task(f"crash={crash}"))

        interruption = clip.error()
        assert isinstance(interruption, EngineInterruptedError)
        assert not interruption.is_crash
        assert stage.driver.works()
        assert len(stage.film(double_clip()).result()) == 3


@pytest.mark.parametrize(
    ("crash", "expected"),
    [("segv", EngineCrashedError), ("exit", EngineCrashedError), ("oom", EngineOutOfMemoryError)],
)
def test_a_clip_that_kills_the_child_is_told_and_the_next_task_works(
    driver: Driver, crash: str, expected: type[EngineError]
) -> None:
    driver.restarts.clear()

    with pytest.raises(expected) as caught:
        driver.film(double_clip(f"crash={crash}"))

    assert caught.value.is_crash
    assert driver.restarts == [caught.value.code]
    assert driver.works()
    assert len(driver.film(double_clip())) == 3


def test_a_clip_that_hangs_is_given_up_and_the_waiting_picture_is_not_to_blame() -> None:
    with set_of(HostLimits(hang=3.0), video_share=1.0) as stage:
        clip = stage.film(endless_clip())
        clip.wait_for_steps(1)
        picture = stage.hand_in(double_task())
        clip.wait_for_steps(1)

        os.kill(stage.driver.pid, signal.SIGSTOP)

        error = clip.error()
        assert isinstance(error, EngineHungError | EngineCrashedError)
        assert error.is_crash
        assert isinstance(picture.error(), EngineInterruptedError)
        assert stage.driver.restarts == ["engine_hung"]
        assert stage.driver.works()


def test_closing_a_clip_stops_its_work_and_spares_the_picture_beside_it() -> None:
    with set_of() as stage:
        long = replace(double_clip(), num_frames=4000)
        frames: Iterator[Frames] = stage.driver.host.film(long, on_progress=lambda _progress: None)
        next(frames)
        picture = stage.draw(endless_task())
        picture.wait_for_steps(1)
        stage.driver.host.cancel(endless_task().task_id)

        frames.close()  # type: ignore[attr-defined]  # the protocol promises an iterator, a generator comes

        assert isinstance(picture.error(), EngineCancelledError)
        assert stage.driver.works()
        assert stage.driver.restarts == []


def test_a_clip_waits_for_who_uses_its_frames() -> None:
    """However slowly they are encoded, only a few raw ones are in memory at a time."""
    with set_of() as stage:
        long = replace(double_clip(), num_frames=400)
        frames = stage.driver.host.film(long, on_progress=lambda _progress: None)
        first = next(frames)
        child = stage.driver.host._child
        assert child is not None
        box = child._boxes[long.task_id]

        def count_parts() -> int:
            return [frame.kind for frame in list(box.queue)].count("frames")

        wait_until(lambda: count_parts() == MOST_OPEN_PARTS - 1)
        assert stage.driver.works(), "meanwhile pictures have their turn"
        assert count_parts() == MOST_OPEN_PARTS - 1

        assert first.count + sum(part.count for part in frames) == 400
