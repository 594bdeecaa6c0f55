"""Focus: what a child is at, when it last moved, and whom to blame for its end."""

from dataclasses import dataclass

import pytest

from gen_video.engines.focus import Focus
from gen_video.engines.frames import Frame

VIDEO, PICTURE = "job_video", "job_picture"


@dataclass
class Clock:
    """A clock that goes on by a second with each look."""

    now: float = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


def heard(*messages: tuple[str, str, str]) -> Focus:
    """Return the focus after messages: about which task, of which kind, at which stage."""
    focus = Focus(clock=Clock())
    for task_id, kind, stage in messages:
        header = {"type": kind, "task_id": task_id} | ({"stage": stage} if stage else {})
        focus.note(task_id, Frame(header))
    return focus


BEGUN = (VIDEO, "progress", "loading")
FILMING = (VIDEO, "progress", "denoising")
BEGUN_BETWEEN = (PICTURE, "progress", "loading")
DRAWING = (PICTURE, "progress", "denoising")
DRAWN = (PICTURE, "picture", "")
DONE_BETWEEN = (PICTURE, "done", "")
FAILED_BETWEEN = (PICTURE, "failed", "")
OVER = (VIDEO, "done", "")


@pytest.mark.parametrize(
    ("messages", "at"),
    [
        ([], None),
        ([BEGUN], VIDEO),
        ([BEGUN, FILMING], VIDEO),
        ([BEGUN, FILMING, BEGUN_BETWEEN], PICTURE),
        ([BEGUN, FILMING, BEGUN_BETWEEN, DRAWING, FILMING], PICTURE),
        ([BEGUN, FILMING, BEGUN_BETWEEN, DRAWN, DONE_BETWEEN], VIDEO),
        ([BEGUN, FILMING, BEGUN_BETWEEN, FAILED_BETWEEN], VIDEO),
        ([BEGUN, OVER], None),
        ([BEGUN, OVER, BEGUN_BETWEEN], PICTURE),
        ([(VIDEO, "failed", "")], None),
    ],
)
def test_a_child_is_at_the_task_that_it_began_last(
    messages: list[tuple[str, str, str]], at: str | None
) -> None:
    focus = heard(*messages)

    assert focus.is_elsewhere(VIDEO) is (at == PICTURE)
    assert focus.is_elsewhere(PICTURE) is (at == VIDEO)


@pytest.mark.parametrize(
    ("messages", "is_loading"),
    [
        ([], True),
        ([BEGUN], True),
        ([BEGUN, FILMING], False),
        ([BEGUN, FILMING, BEGUN_BETWEEN], True),
        ([BEGUN, FILMING, BEGUN_BETWEEN, DRAWING, FILMING], False),
        ([BEGUN, FILMING, BEGUN_BETWEEN, DRAWN, DONE_BETWEEN], False),
        ([BEGUN, FILMING, OVER], True),
    ],
)
def test_a_model_may_be_loading_before_the_first_step_of_either_task(
    messages: list[tuple[str, str, str]], *, is_loading: bool
) -> None:
    assert heard(*messages).is_loading is is_loading


def test_what_is_told_of_either_task_is_a_sign_of_both() -> None:
    assert heard(BEGUN, FILMING, BEGUN_BETWEEN, DRAWING).moved_at == 5.0


def test_the_task_that_the_child_was_at_is_to_blame() -> None:
    between = heard(BEGUN, FILMING, BEGUN_BETWEEN)
    after = heard(BEGUN, FILMING, BEGUN_BETWEEN, DONE_BETWEEN)

    assert (between.is_to_blame(PICTURE), between.is_to_blame(VIDEO)) == (True, False)
    assert (after.is_to_blame(PICTURE), after.is_to_blame(VIDEO)) == (False, True)


def test_a_child_that_had_begun_nothing_may_have_been_ended_by_any_task() -> None:
    focus = heard()

    assert focus.is_to_blame(VIDEO)
    assert focus.is_to_blame(PICTURE)


def test_the_first_that_is_blamed_stays_to_blame() -> None:
    """A task that ran out of memory has ended when its child is replaced because of it."""
    focus = heard(BEGUN, FILMING, BEGUN_BETWEEN, FAILED_BETWEEN)

    focus.blame(PICTURE)
    focus.blame(VIDEO)

    assert (focus.is_to_blame(PICTURE), focus.is_to_blame(VIDEO)) == (True, False)
