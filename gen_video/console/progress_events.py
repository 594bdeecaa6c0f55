"""Server-sent events of one job for its card: how far it is, what it looks like, that it is over.

Every event says all there is to know, so a browser that comes back needs no memory.
"""

import base64
import json
from collections.abc import AsyncIterator

import structlog

from gen_video.accounts.models import Caller
from gen_video.errors import ServiceError
from gen_video.generation.models import JobProgress, JobSnapshot
from gen_video.generation.states import JobState
from gen_video.generation.watch import JobWatch, with_pauses
from gen_video.wiring import Services

EVENT_STREAM = "text/event-stream"
STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
QUEUE_LOOK_SECONDS = 3.0
"""The place of a job that waits changes with the jobs before it: it is looked at now and then."""
HEARTBEAT_PAUSES = 5
HEARTBEAT = ": still here\n\n"

log = structlog.get_logger(__name__)


async def follow(
    services: Services, watch: JobWatch, *, caller: Caller, job_id: str
) -> AsyncIterator[str]:
    """Yield the events of a job that the caller may see, until its end."""
    story = _Story(services, caller=caller, job_id=job_id)
    try:
        async for snapshot in with_pauses(watch.follow(job_id), seconds=QUEUE_LOOK_SECONDS):
            for event in await (story.go_on() if snapshot is None else story.tell(snapshot)):
                yield event
    except ServiceError as error:
        # The answer has begun: the browser comes again by itself.
        log.warning("stream_ends_early", job_id=job_id, reason=str(error))


def write_event(name: str, data: dict[str, object]) -> str:
    """Write one event in the wire format."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"event: {name}\ndata: {text}\n\n"


class _Story:
    """What one stream has told of a job so far."""

    def __init__(self, services: Services, *, caller: Caller, job_id: str) -> None:
        self._services = services
        self._caller = caller
        self._job_id = job_id
        self._is_waiting = True
        self._seen_previews = 0
        self._pauses = 0

    async def tell(self, snapshot: JobSnapshot) -> list[str]:
        """Return the events that a change is worth."""
        if snapshot.state.is_terminal:
            return [write_event("end", {"state": snapshot.state.value})]
        self._is_waiting = snapshot.state is JobState.QUEUED
        if self._is_waiting:
            return [await self._place()]
        progress = JobProgress(stage=snapshot.stage, step=snapshot.step, steps=snapshot.steps)
        return [_progress(progress), *await self._newest_preview(snapshot)]

    async def go_on(self) -> list[str]:
        """Return what to tell after a while in which nothing happened to the job itself."""
        self._pauses += 1
        if self._is_waiting:
            return [await self._place()]
        return [HEARTBEAT] if self._pauses % HEARTBEAT_PAUSES == 0 else []

    async def _place(self) -> str:
        """Tell the place of a job that waits, which no snapshot has."""
        job = await self._services.threads.run(self._services.jobs.get, self._caller, self._job_id)
        return _progress(job.progress)

    async def _newest_preview(self, snapshot: JobSnapshot) -> list[str]:
        if snapshot.previews <= self._seen_previews:
            return []
        self._seen_previews = snapshot.previews
        found = await self._services.threads.run(
            self._services.jobs.list_previews, self._job_id, after=snapshot.previews - 1
        )
        return [
            write_event(
                "preview",
                {"src": f"data:{preview.mime};base64,{base64.b64encode(preview.data).decode()}"},
            )
            for preview in found[-1:]
        ]


def _progress(progress: JobProgress) -> str:
    return write_event(
        "progress",
        {
            "stage": progress.stage,
            "step": progress.step,
            "steps": progress.steps,
            "percent": progress.percent,
            "queue_position": progress.queue_position,
            "eta_seconds": progress.eta_seconds,
        },
    )
