"""Server-sent events of one job.

An event's number is made of the job's own state (attempt, stage, step), so that every web
process counts alike and a client may come back to another one.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator

import structlog

from gen_video.accounts.models import Caller
from gen_video.api.v1.links import file_urls
from gen_video.api.v1.views import job_view, progress_view
from gen_video.errors import Language, ServiceUnavailableError
from gen_video.generation.models import Job, JobProgress, JobSnapshot
from gen_video.generation.states import JobState
from gen_video.generation.watch import JobWatch
from gen_video.wiring import Services

EVENT_STREAM = "text/event-stream"
STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
HEARTBEAT_SECONDS = 15.0
HEARTBEAT = ": still here\n\n"
STAGES = ("queued", "starting", "loading", "denoising", "decoding")
ATTEMPT_NUMBERS = 10_000_000
STAGE_NUMBERS = 1_000_000
END_NUMBER = 9_000_000
MAX_NUMBER_LENGTH = 18

log = structlog.get_logger(__name__)


async def job_events(
    services: Services,
    watch: JobWatch,
    *,
    caller: Caller,
    job: Job,
    language: Language,
    last_event_id: str | None,
) -> AsyncIterator[str]:
    """Yield a job's events from now on until its end, with heartbeats in between.

    The caller may see the job: whoever calls has checked that.
    """
    seen = _parse_number(last_event_id)
    pace = _Pace()
    async for snapshot in _with_heartbeats(watch.follow(job.id)):
        if snapshot is None:
            yield HEARTBEAT
            continue
        number = event_number(snapshot)
        if snapshot.state.is_terminal:
            final = await _read_end(services, caller, job.id)
            if final is None:
                return
            view = job_view(final, language, file_url=file_urls(services))
            data = view.model_dump(mode="json")
            yield format_event(final.state.value, number=max(number, seen), data=data)
            return
        if number > seen:
            seen = number
            progress = progress_view(pace.measure(snapshot), job.input).model_dump(mode="json")
            data = {"task_id": job.id, "status": snapshot.state.value, **progress}
            yield format_event("progress", number=number, data=data)


async def _read_end(services: Services, caller: Caller, job_id: str) -> Job | None:
    """Return a finished job; None when the database is away, and the client has to come again.

    The answer has begun: nothing but its end can say that anything is wrong.
    """
    try:
        return await services.threads.run(services.jobs.get, caller, job_id)
    except ServiceUnavailableError as error:
        log.warning("stream_ends_early", job_id=job_id, reason=str(error))
        return None


def event_number(snapshot: JobSnapshot) -> int:
    """Return a number that grows from event to event of one job, the same in every process."""
    base = snapshot.fence * ATTEMPT_NUMBERS
    if snapshot.state.is_terminal:
        return base + END_NUMBER
    if snapshot.state is JobState.QUEUED:
        # Behind everything of the attempt that was given up; the very first one is number 1.
        return base + END_NUMBER - 1 if snapshot.fence else 1
    stage = STAGES.index(snapshot.stage) if snapshot.stage in STAGES else 1
    return base + stage * STAGE_NUMBERS + min(snapshot.step, STAGE_NUMBERS - 1)


def format_event(name: str, *, number: int, data: dict[str, object]) -> str:
    """Write one event in the wire format."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"id: {number}\nevent: {name}\ndata: {text}\n\n"


class _Pace:
    """Estimates the remaining seconds from the steps that this stream has seen."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None

    def measure(self, snapshot: JobSnapshot) -> JobProgress:
        now = time.monotonic()
        eta = None
        if snapshot.stage == "denoising":
            if self._first is None:
                self._first = (now, snapshot.step)
            started, first_step = self._first
            done = snapshot.step - first_step
            if done > 0:
                eta = round((now - started) / done * (snapshot.steps - snapshot.step), 1)
        else:
            self._first = None
        return JobProgress(
            stage=snapshot.stage, step=snapshot.step, steps=snapshot.steps, eta_seconds=eta
        )


async def _with_heartbeats(
    snapshots: AsyncIterator[JobSnapshot],
) -> AsyncIterator[JobSnapshot | None]:
    """Yield every snapshot, and None whenever nothing has come for a while."""
    upcoming = asyncio.ensure_future(anext(snapshots))
    try:
        while True:
            done, _ = await asyncio.wait({upcoming}, timeout=HEARTBEAT_SECONDS)
            if not done:
                yield None
                continue
            try:
                snapshot = upcoming.result()
            except StopAsyncIteration:
                return
            upcoming = asyncio.ensure_future(anext(snapshots))
            yield snapshot
    finally:
        upcoming.cancel()
        await asyncio.gather(upcoming, return_exceptions=True)


def _parse_number(text: str | None) -> int:
    if text is None or not (text.isascii() and text.isdecimal() and len(text) <= MAX_NUMBER_LENGTH):
        return 0
    return int(text)
