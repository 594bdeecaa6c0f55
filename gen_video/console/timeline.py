"""The timeline of a job: what happened when, and how long each part took. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gen_video.generation.models import Job
from gen_video.generation.states import JobState


class Happening(StrEnum):
    """What may happen to a job, in order."""

    ACCEPTED = "accepted"
    STARTED = "started"
    CANCEL_ASKED = "cancel_asked"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"
    DELETED = "deleted"


ENDS = {
    JobState.SUCCEEDED: Happening.SUCCEEDED,
    JobState.FAILED: Happening.FAILED,
    JobState.CANCELED: Happening.CANCELED,
    JobState.EXPIRED: Happening.EXPIRED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One happening; `seconds_since` the one before, None of the first."""

    happening: Happening
    at: datetime
    seconds_since: float | None


def list_moments(job: Job) -> tuple[Moment, ...]:
    """Return what has happened to a job so far."""
    end = ENDS.get(job.state)
    known = [
        (Happening.ACCEPTED, job.created_at),
        (Happening.STARTED, job.started_at),
        (Happening.CANCEL_ASKED, job.cancel_requested_at),
        *([] if end is None else [(end, job.finished_at)]),
        (Happening.DELETED, job.deleted_at),
    ]
    happened = sorted(
        [(at, order, happening) for order, (happening, at) in enumerate(known) if at is not None]
    )
    moments: list[Moment] = []
    for at, _, happening in happened:
        since = (at - moments[-1].at).total_seconds() if moments else None
        moments.append(Moment(happening=happening, at=at, seconds_since=since))
    return tuple(moments)
