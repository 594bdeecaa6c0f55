"""Following a job to its end, through cut connections; waiting; and submitting."""

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from gen_video.client.connection import PREFIX, Call, Connection
from gen_video.client.errors import (
    ApiError,
    ClientError,
    JobCanceledError,
    JobExpiredError,
    JobFailedError,
    UnexpectedAnswerError,
    WaitTimeoutError,
)
from gen_video.client.exchange import (
    Close,
    Effect,
    Emit,
    Notify,
    Part,
    Read,
    Steps,
    make_call,
    open_stream,
    recover,
    unreachable,
)
from gen_video.client.happenings import JobEvent
from gen_video.client.jobs import get_job, segment
from gen_video.client.live_events import read_event
from gen_video.client.records import CANCELED, EXPIRED, Job, Progress
from gen_video.client.server_events import EventParser

T = TypeVar("T")
EVENT_STREAM = "text/event-stream"
OnProgress = Callable[[Progress], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """How to wait for a job: how long, and whom to tell how far it is."""

    timeout_seconds: float | None = None
    on_progress: OnProgress | None = None


@dataclass(slots=True, kw_only=True)
class _Position:
    """How far a job was followed, and how often in a row nothing came."""

    job_id: str
    last_event_id: int
    deadline: float | None
    seconds: float
    failures: int = 0

    def remaining(self) -> float | None:
        """Return the seconds that are left, None for no end.

        Raises:
            WaitTimeoutError: None are left.
        """
        if self.deadline is None:
            return None
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise WaitTimeoutError(self.job_id, self.seconds)
        return left


def submit(connection: Connection, call: Call[Job], waiting: Waiting | None) -> Steps[Job]:
    """Submit a job and, if asked to, wait for its end."""
    try:
        job = yield from make_call(connection, call)
    except ApiError as error:
        # The answer to an earlier sending was lost, and the job has failed meanwhile.
        if error.job_id is None:
            raise
        job = yield from make_call(connection, get_job(error.job_id))
    if waiting is None:
        yield Emit(job)
    else:
        yield from wait(connection, job.id, waiting)


def wait(connection: Connection, job_id: str, waiting: Waiting) -> Steps[Job]:
    """Follow a job to its end and hand it out.

    Raises:
        JobFailedError: It has no result.
        WaitTimeoutError: It is not finished in time.
    """

    def notify(event: JobEvent) -> Effect:
        return Notify(waiting.on_progress, event.progress)

    job = yield from follow(
        connection, job_id, show=notify, timeout_seconds=waiting.timeout_seconds
    )
    if not job.is_succeeded:
        raise failure_of(job)
    yield Emit(job)


def stream(connection: Connection, job_id: str, *, after: int) -> Steps[JobEvent]:
    """Hand out the events of a job until its end."""
    yield from follow(connection, job_id, show=Emit, after=after)


def follow(
    connection: Connection,
    job_id: str,
    *,
    show: Callable[[JobEvent], T],
    after: int = 0,
    timeout_seconds: float | None = None,
) -> Generator[Effect | T, Any, Job]:
    """Follow a job to its end; come back after a cut where it was left.

    Args:
        connection: Where the service is.
        job_id: Whom to follow.
        show: Makes the step that shows an event.
        after: The number of the last event that is known.
        timeout_seconds: When to give up; looked at whenever something comes, a heartbeat too.
    """
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    position = _Position(
        job_id=job_id, last_event_id=after, deadline=deadline, seconds=timeout_seconds or 0
    )
    while True:
        try:
            job = yield from _follow_once(connection, position, show)
        except httpx.TransportError as error:
            yield from _after_failure(connection, position, unreachable(connection, error))
            continue
        if job is not None:
            return job
        ended = UnexpectedAnswerError(f"the events of {job_id} end before the job")
        yield from _after_failure(connection, position, ended)


def failure_of(job: Job) -> JobFailedError:
    """Return the error of a job that has no result."""
    kinds = {CANCELED: JobCanceledError, EXPIRED: JobExpiredError}
    return kinds.get(job.status, JobFailedError)(job)


def _follow_once(
    connection: Connection, position: _Position, show: Callable[[JobEvent], T]
) -> Generator[Effect | T, Any, Job | None]:
    """Read one stream to its end; return the job if the end came with it."""
    yield from _open(connection, position)
    parser = EventParser()
    while True:
        chunk = yield Read()
        if chunk is None:
            return None
        position.failures = 0
        for found in parser.feed(chunk):
            event = read_event(found, job_id=position.job_id)
            if event is None:
                continue
            position.last_event_id = max(position.last_event_id, event.number)
            yield show(event)
            if event.job is not None:
                yield Close()
                return event.job
        position.remaining()


def _open(connection: Connection, position: _Position) -> Part[None]:
    def request() -> httpx.Request:
        left = position.remaining()
        longest = connection.timeouts.stream
        return connection.open(
            f"{PREFIX}/jobs/{segment(position.job_id)}/events",
            accept=EVENT_STREAM,
            headers=_resume(position.last_event_id),
            read_seconds=longest if left is None else min(longest, left),
        )

    response = yield from open_stream(connection, request)
    if EVENT_STREAM not in response.headers.get("content-type", ""):
        raise UnexpectedAnswerError(f"{response.request.url} does not answer with events")


def _after_failure(connection: Connection, position: _Position, error: ClientError) -> Part[None]:
    position.remaining()
    position.failures += 1
    yield from recover(connection, position.failures, error)


def _resume(last_event_id: int) -> Mapping[str, str]:
    return {"last-event-id": str(last_event_id)} if last_event_id else {}
