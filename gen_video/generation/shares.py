"""Fair shares: whose job is next, as arithmetic on numbers.

Start-time fair queueing over accounts: a job gets a start tag when it enters a queue, the larger
of the queue's virtual time and the finish tag of its account's job before; it moves that finish
tag on by its predicted device time divided by the plan's weight. Jobs start in the order of their
tags. An account with ten thousand jobs gets tags far ahead and delays nobody who comes later; two
accounts that both have work get device time in the proportion of their weights.

Tags are whole microseconds of device time for weight 1. They mean something only within one queue
and class, and only by comparison.

Source: Goyal, Vin and Cheng 1996, "Start-time Fair Queueing".
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

MICROSECONDS = 1_000_000
MIN_PREDICTION_SECONDS = 0.05
MAX_PREDICTION_SECONDS = 86_400.0
MAX_CORRECTION = 10


class Priority(StrEnum):
    """What a client says about its hurry."""

    INTERACTIVE = "interactive"
    BATCH = "batch"


class Rank(IntEnum):
    """The class of a waiting job: a lower one is served first."""

    INTERACTIVE = 0
    BATCH = 1


RANKS = {Priority.INTERACTIVE: Rank.INTERACTIVE, Priority.BATCH: Rank.BATCH}


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What a plan gives an account of every queue.

    Attributes:
        weight: Relative to other accounts; at least 1.
        max_running: Jobs that compete for a device at once; 0 for no limit.
    """

    weight: int = 1
    max_running: int = 0

    def has_room(self, competing: int) -> bool:
        """Tell whether one more job may compete."""
        return self.max_running == 0 or competing < self.max_running


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """A job's place in the order, and where its account's next job begins."""

    start: int
    finish: int


def next_tags(
    *,
    virtual_time: int,
    last_finish: int,
    last_start: int | None,
    predicted_us: int,
    weight: int,
) -> Tags:
    """Return the tags of a job that enters a queue now.

    Args:
        virtual_time: Of the queue.
        last_finish: The account's finish tag.
        last_start: The largest tag among the account's jobs that compete or run; None without
            any. Jobs that took less than was predicted move the finish tag back, and still none
            may start before those of its own account that came earlier.
        predicted_us: Device time.
        weight: Of the account.
    """
    due = max(virtual_time, last_finish)
    start = due if last_start is None else max(due, last_start + 1)
    return Tags(start=start, finish=due + _cost(predicted_us, weight))


def difference(*, predicted_us: int, used: timedelta, weight: int) -> int:
    """Return how far an account's finish tag has to move once a job's real device time is known.

    What a wrong prediction gave or took is settled with the account's next jobs; a job that never
    ran gives everything back. One job counts for at most ten times its prediction, so that a stuck
    device does not lock its victim out.
    """
    used_us = min(used // timedelta(microseconds=1), MAX_CORRECTION * predicted_us)
    return _cost(used_us, weight) - _cost(predicted_us, weight)


def predict_microseconds(*, work: int, microseconds_per_megawork: float) -> int:
    """Return the device time that an amount of work is expected to take.

    Args:
        work: Width x height x steps x pictures (or frames).
        microseconds_per_megawork: The model's measured speed.
    """
    seconds = work / MICROSECONDS * microseconds_per_megawork / MICROSECONDS
    bounded = min(max(seconds, MIN_PREDICTION_SECONDS), MAX_PREDICTION_SECONDS)
    return round(bounded * MICROSECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A job that may start now, as a worker sees it.

    Attributes:
        passed_at: When it was first passed over for a job whose model was loaded; None for never.
    """

    job_id: str
    model: str
    rank: int
    start_tag: int
    created_at: datetime
    passed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which jobs to try, the best first; `passed_over` is the head if it has to wait."""

    job_ids: tuple[str, ...]
    passed_over: str | None = None


def choose(
    candidates: Sequence[Candidate],
    *,
    resident: Collection[str],
    now: datetime,
    patience: timedelta,
) -> Choice:
    """Choose among the first jobs of one queue, in their fair order.

    Loading a model costs more than most jobs, so a job whose model is loaded may go before the
    head, for as long as the head has not been passed over for longer than `patience`.
    """
    if not candidates:
        return Choice(job_ids=())
    ids = [candidate.job_id for candidate in candidates]
    head = candidates[0]
    is_patient = head.passed_at is None or now - head.passed_at < patience
    if head.model in resident or not is_patient or not patience:
        return Choice(job_ids=tuple(ids))
    warm = next(
        (
            candidate.job_id
            for candidate in candidates
            if candidate.model in resident and candidate.rank == head.rank
        ),
        None,
    )
    if warm is None:
        return Choice(job_ids=tuple(ids))
    ids.remove(warm)
    return Choice(job_ids=(warm, *ids), passed_over=head.job_id)


def order_queues(heads: Sequence[tuple[str, Candidate]]) -> list[str]:
    """Order queues by their heads: interactive ones first, then who waits longest.

    Tags of different queues cannot be compared.
    """
    ranked = sorted(heads, key=lambda entry: (entry[1].rank, entry[1].created_at, entry[1].job_id))
    return [queue for queue, _ in ranked]


def seconds_until_start(*, ahead_us: int, slots: int) -> float:
    """Return how long the work ahead of a job takes on so many devices."""
    return ahead_us / MICROSECONDS / max(1, slots)


def _cost(microseconds: int, weight: int) -> int:
    return -(-microseconds // max(1, weight))
