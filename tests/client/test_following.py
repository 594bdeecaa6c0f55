"""Following a job: each event once, through cuts, until its end."""

import base64
import time
from typing import Any

import httpx
import pytest

from gen_video.client import (
    ClientError,
    JobCanceledError,
    JobExpiredError,
    JobFailedError,
    NotFoundError,
    Progress,
    UnexpectedAnswerError,
    UnreachableError,
    WaitTimeoutError,
)
from tests.client.conftest import Make, Script, accepted, event, events, job, problem

HEARTBEAT = b": still here\n\n"
QUEUED = event("progress", 1, task_id="job_1", status="queued", stage="queued", queue_position=2)
HALF = event("progress", 20, task_id="job_1", status="running", percent=50, step=1, steps=2)
END = event("succeeded", 99, **job(progress={"percent": 100.0, "stage": "succeeded"}))


def test_a_stream_that_is_cut_goes_on_where_it_was(make: Make) -> None:
    script = Script(
        events(QUEUED, HALF, END[:20], is_cut=True),
        httpx.ConnectError("refused"),
        events(HEARTBEAT, END),
    )

    seen = list(make(script).stream("job_1"))

    assert [found.number for found in seen] == [1, 20, 99]
    assert script.headers("last-event-id") == [None, "20", "20"]
    assert seen[-1].job is not None
    assert seen[-1].job.is_succeeded


def test_a_stream_that_ends_before_the_job_is_opened_again(make: Make) -> None:
    script = Script(events(QUEUED), events(END))

    assert make(script).wait("job_1").id == "job_1"


def test_following_goes_on_after_an_event_that_is_known(make: Make) -> None:
    script = Script(events(END))

    list(make(script).stream("job_1", after=20))

    assert script.headers("last-event-id") == ["20"]


def test_heartbeats_count_as_signs_of_life(make: Make) -> None:
    """A proxy that cuts every minute must not end a long wait, however often it does."""
    script = Script(*[events(HEARTBEAT, is_cut=True) for _ in range(10)], events(END))

    assert make(script, max_retries=1).wait("job_1").is_succeeded


def test_a_service_that_stays_away_is_given_up(make: Make) -> None:
    script = Script(events(QUEUED, is_cut=True), *[httpx.ConnectError("refused")] * 3)

    with pytest.raises(UnreachableError):
        make(script, max_retries=2).wait("job_1")


def test_waiting_tells_how_far_the_job_is(make: Make) -> None:
    told: list[Progress] = []

    make(Script(events(QUEUED, HALF, END))).wait("job_1", on_progress=told.append)

    assert [progress.percent for progress in told] == [0.0, 50.0, 100.0]
    assert told[0].queue_position == 2


def test_generating_is_submitting_and_following(make: Make) -> None:
    script = Script(accepted(), events(QUEUED, END))

    assert make(script).generate_image("a lake", width=64).is_succeeded

    assert [request.url.path for request in script.requests] == [
        "/api/v1/images/generate",
        "/api/v1/jobs/job_1/events",
    ]


@pytest.mark.parametrize(
    ("state", "kind"),
    [("failed", JobFailedError), ("canceled", JobCanceledError), ("expired", JobExpiredError)],
)
def test_a_job_without_a_result_is_an_error(
    make: Make, state: str, kind: type[ClientError]
) -> None:
    end = event(state, 9, **job(state))

    with pytest.raises(kind, match="job_1"):
        make(Script(events(end))).wait("job_1")


def test_waiting_ends_in_time_and_the_job_goes_on(make: Make) -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        time.sleep(0.05)
        return events(HEARTBEAT)

    with pytest.raises(WaitTimeoutError) as caught:
        make(answer, max_retries=100).wait("job_1", timeout_seconds=0.2)

    assert caught.value.job_id == "job_1"


def test_the_read_timeout_is_no_longer_than_the_wait(make: Make) -> None:
    script = Script(events(END))

    make(script).wait("job_1", timeout_seconds=5)

    assert script.requests[0].extensions["timeout"]["read"] <= 5


def test_a_job_that_is_not_there_is_not_waited_for(make: Make) -> None:
    with pytest.raises(NotFoundError):
        make(Script(problem(404, "job_not_found"))).wait("job_1")


def test_a_service_that_is_starting_is_asked_again(make: Make) -> None:
    script = Script(problem(503, "draining", headers={"retry-after": "0"}), events(END))

    assert make(script).wait("job_1").is_succeeded


def test_something_else_than_events_is_told_apart(make: Make) -> None:
    with pytest.raises(UnexpectedAnswerError):
        make(Script(httpx.Response(200, html="<p>"))).wait("job_1")


def test_previews_come_with_the_progress(make: Make) -> None:
    content = base64.b64encode(b"png").decode()
    preview = {"number": 1, "mime": "image/png", "step": 2, "b64_json": content}
    damaged = preview | {"b64_json": "!"}
    first = event("progress", 5, percent=25, preview=preview)
    second = event("progress", 6, percent=50, preview=damaged)

    seen = list(make(Script(events(first, second, END))).stream("job_1"))

    assert [found.preview and found.preview.content for found in seen] == [b"png", b"", None]
    assert seen[0].progress.percent == 25.0


def test_events_of_a_later_service_are_passed_on_as_they_are(make: Make) -> None:
    later = event("thought", 5, idea="more contrast")

    seen: list[Any] = list(make(Script(events(later, b"data: no json\n\n", END))).stream("job_1"))

    assert [found.name for found in seen] == ["thought", "succeeded"]
    assert seen[0].raw["idea"] == "more contrast"
