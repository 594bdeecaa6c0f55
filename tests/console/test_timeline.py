"""The timeline of a job: its happenings in order, and the time between them."""

from datetime import timedelta

from gen_video.console.timeline import Happening, list_moments
from gen_video.generation.states import JobState
from tests.console.jobs import START, job_of


def seconds_of(**changes: object) -> list[tuple[Happening, float | None]]:
    moments = list_moments(job_of(**changes))  # type: ignore[arg-type] # of any field
    return [(moment.happening, moment.seconds_since) for moment in moments]


def test_a_job_that_succeeded_waited_and_ran() -> None:
    assert seconds_of() == [
        (Happening.ACCEPTED, None),
        (Happening.STARTED, 2.0),
        (Happening.SUCCEEDED, 10.0),
    ]


def test_a_job_that_waits_has_only_been_accepted() -> None:
    found = seconds_of(state=JobState.QUEUED, started_at=None, finished_at=None)

    assert found == [(Happening.ACCEPTED, None)]


def test_a_job_that_was_canceled_in_the_queue_never_started() -> None:
    at = START + timedelta(seconds=3)

    found = seconds_of(
        state=JobState.CANCELED, started_at=None, cancel_requested_at=at, finished_at=at
    )

    assert found == [
        (Happening.ACCEPTED, None),
        (Happening.CANCEL_ASKED, 3.0),
        (Happening.CANCELED, 0.0),
    ]


def test_deleting_files_is_the_last_thing_that_happens() -> None:
    found = seconds_of(deleted_at=START + timedelta(seconds=60))

    assert found[-1] == (Happening.DELETED, 48.0)
