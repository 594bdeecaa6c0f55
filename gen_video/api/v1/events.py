"""Server-sent events of one job.

An event's number is made of the job's own state (attempt, stage, step), so that every web
process counts alike and a client may come back to another one. The last three digits of a job
with previews count those.
"""

import json
import time
from collections.abc import AsyncIterator

import structlog

from gen_video.accounts.models import Caller
from gen_video.api.previews import PreviewReader, preview_view
from gen_video.api.v1.links import file_urls
from gen_video.api.v1.views import job_view, progress_view
from gen_video.errors import Language, ServiceUnavailableError
from gen_video.generation.models import Job, JobProgress, JobSnapshot, Preview
from gen_video.generation.states import JobState
from gen_video.generation.watch import JobWatch, with_pauses
from gen_video.wiring import Services

EVENT_STREAM = "text/event-stream"
STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
HEARTBEAT_SECONDS = 15.0
HEARTBEAT = ": still here\n\n"
STAGES = ("queued", "starting", "loading", "denoising", "decoding")
ATTEMPT_NUMBERS = 10_000_000
STAGE_NUMBERS = 1_000_000
END_NUMBER = 9_000_000
PREVIEW_NUMBERS = 1_000
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
    story = _Story(services, job, last_event_id=last_event_id)
    async for snapshot in with_pauses(watch.follow(job.id), seconds=HEARTBEAT_SECONDS):
        if snapshot is None:
            yield HEARTBEAT
            continue
        async for event in story.tell(snapshot):
            yield event
        if snapshot.state.is_terminal:
            final = await _read_end(services, caller, job.id)
            if final is None:
                return
            view = job_view(final, language, file_url=file_urls(services))
            data = view.model_dump(mode="json")
            yield format_event(final.state.value, number=story.end_number(snapshot), data=data)
            return


class _Story:
    """What one stream has told of a job so far."""

    def __init__(self, services: Services, job: Job, *, last_event_id: str | None) -> None:
        self._job = job
        self._pace = _Pace()
        self._seen = _parse_number(last_event_id)
        self._scale = PREVIEW_NUMBERS if job.input.previews else 1
        self._previews = PreviewReader(services, job.id, seen=self._seen % self._scale)

    async def tell(self, snapshot: JobSnapshot) -> AsyncIterator[str]:
        """Yield the progress events that a snapshot is worth, one for each new preview."""
        new = await self._previews.read_new(snapshot)
        progress = self._pace.measure(snapshot)
        for preview in new:
            event = self._progress(snapshot, progress, preview.number, preview)
            if event is not None:
                yield event
        if not (new or snapshot.state.is_terminal):
            event = self._progress(snapshot, progress, self._previews.seen, None)
            if event is not None:
                yield event

    def end_number(self, snapshot: JobSnapshot) -> int:
        """Return the number of the last event."""
        return max(self._number(event_number(snapshot), self._previews.seen), self._seen)

    def _progress(
        self, snapshot: JobSnapshot, progress: JobProgress, previews: int, preview: Preview | None
    ) -> str | None:
        """Return an event, None where the client has it already."""
        place = event_number(snapshot) - 2 * snapshot.state.is_terminal  # before the end itself
        number = self._number(max(place, self._seen // self._scale), previews)
        if number <= self._seen:
            return None
        self._seen = number
        shown = progress_view(progress, self._job.input).model_dump(mode="json")
        # The end has an event of its own.
        state = JobState.RUNNING if snapshot.state.is_terminal else snapshot.state
        data = {"task_id": self._job.id, "status": state.value, **shown}
        if preview is not None:
            data["preview"] = preview_view(preview).model_dump(mode="json")
        return format_event("progress", number=number, data=data)

    def _number(self, state: int, previews: int) -> int:
        return state * self._scale + min(previews, self._scale - 1)


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


def _parse_number(text: str | None) -> int:
    if text is None or not (text.isascii() and text.isdecimal() and len(text) <= MAX_NUMBER_LENGTH):
        return 0
    return int(text)
