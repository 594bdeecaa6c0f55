"""States: every pair of them, and the moves that exist."""

from functools import partial
from itertools import product

import pytest

from gen_video.accounts.models import Caller
from gen_video.generation import store
from gen_video.generation.states import MOVES, TERMINAL, JobState, can_move
from tests.db.clocked import START, on_sqlite_only
from tests.generation.studio import Studio

LEGAL = {
    ("queued", "running"),
    ("queued", "canceled"),
    ("queued", "expired"),
    ("queued", "failed"),
    ("running", "succeeded"),
    ("running", "failed"),
    ("running", "canceled"),
    ("running", "queued"),
}
ENDS = {"succeeded", "failed", "canceled", "expired"}
PAIRS = list(product(JobState, JobState))


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_only_the_legal_moves_exist(source: JobState, target: JobState) -> None:
    assert can_move(source, target) == ((source.value, target.value) in LEGAL)


@pytest.mark.parametrize("state", JobState)
def test_a_terminal_state_has_no_exit_and_every_other_has_one(state: JobState) -> None:
    assert state.is_terminal == (state.value in ENDS) == (state in TERMINAL)
    assert (not MOVES[state]) == state.is_terminal


@on_sqlite_only
def test_a_job_cannot_be_concluded_by_an_illegal_move(studio: Studio, caller: Caller) -> None:
    job = studio.submit(caller)
    illegal = [
        (source, target)
        for source, target in PAIRS
        if (source.value, target.value) not in LEGAL or target.value not in ENDS
    ]

    for source, target in illegal:
        conclude = partial(store.conclude, job_id=job.id, source=source, target=target, now=START)
        with pytest.raises(ValueError, match="a job cannot end by going"):
            studio.database.write(conclude)

    assert studio.row(job.id).state == "queued"
