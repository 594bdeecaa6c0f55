"""States of a job and the only legal moves between them.

    queued → running → succeeded | failed | canceled
    queued → canceled | expired | failed
    running → queued                      retry, or its worker was lost

Terminal states have no exits.
"""

from enum import StrEnum


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"

    @property
    def is_terminal(self) -> bool:
        """Tell whether nothing can change any more."""
        return self in TERMINAL


TERMINAL = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELED, JobState.EXPIRED})

MOVES: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset(
        {JobState.RUNNING, JobState.CANCELED, JobState.EXPIRED, JobState.FAILED}
    ),
    JobState.RUNNING: frozenset(
        {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELED, JobState.QUEUED}
    ),
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELED: frozenset(),
    JobState.EXPIRED: frozenset(),
}


class JobKind(StrEnum):
    """What a job makes; also the kind of quota that pays for it."""

    IMAGE = "image"
    VIDEO = "video"


def can_move(source: JobState, target: JobState) -> bool:
    """Tell whether a job in `source` may go to `target`."""
    return target in MOVES[source]
