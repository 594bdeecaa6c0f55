"""Streams of pictures: server-sent events in OpenAI's words, partial pictures and the finished.

The answer has begun when something goes wrong, so errors are events too, in the form that the
SDKs raise.
"""

import base64
from collections.abc import AsyncIterator

import structlog
from fastapi import Request

from gen_video.accounts.models import Caller
from gen_video.api.middleware import DrainingError
from gen_video.api.openai.image_answers import (
    Showing,
    job_hints,
    picture_url,
    read_outputs,
    size_text,
)
from gen_video.api.openai.shapes import (
    CompletedImageView,
    PartialImageView,
    StreamErrorDetails,
    StreamErrorView,
    StreamJob,
)
from gen_video.api.openai.views import made_view
from gen_video.api.previews import PreviewReader
from gen_video.api.problems import language_of, openai_type
from gen_video.api.v1.answers import failure_status, failure_words
from gen_video.api.v1.events import HEARTBEAT, HEARTBEAT_SECONDS
from gen_video.errors import ServiceError
from gen_video.generation.models import Job, Preview
from gen_video.generation.states import JobState
from gen_video.generation.watch import JobWatch, with_pauses
from gen_video.wiring import Services

GENERATION, EDIT = "image_generation", "image_edit"

log = structlog.get_logger(__name__)


class PictureStream:
    """The events of one client's job.

    Args:
        request: The client's.
        services: Where the job is read.
        caller: Who may see the job; whoever calls has checked that.
        job: The job.
        showing: How the client wants its pictures shown.
        family: What the events are called: image_generation or image_edit.
    """

    def __init__(
        self,
        request: Request,
        services: Services,
        *,
        caller: Caller,
        job: Job,
        showing: Showing,
        family: str,
    ) -> None:
        self._request = request
        self._services = services
        self._caller = caller
        self._job = job
        self._showing = showing
        self._family = family
        self._previews = PreviewReader(services, job.id)
        self._wanted = job.input.previews
        self._shown = 0

    async def events(self, watch: JobWatch) -> AsyncIterator[str]:
        """Yield the events until the job's end, with heartbeats in between."""
        try:
            async for event in self._follow(watch):
                yield event
        except ServiceError as error:
            log.warning("stream_ends_early", job_id=self._job.id, reason=str(error))
            words = error.message(language_of(self._request))
            yield self._error(error.status, error.code, words)

    async def _follow(self, watch: JobWatch) -> AsyncIterator[str]:
        async for snapshot in with_pauses(watch.follow(self._job.id), seconds=HEARTBEAT_SECONDS):
            if snapshot is None:
                yield HEARTBEAT
                continue
            for preview in await self._previews.read_new(snapshot):
                # Another attempt at the job draws its pictures anew: no more than were asked for.
                if self._shown < self._wanted:
                    yield _event(self._partial_view(preview, index=self._shown))
                    self._shown += 1
            if snapshot.state.is_terminal:
                async for event in self._end():
                    yield event
                return
        raise DrainingError

    async def _end(self) -> AsyncIterator[str]:
        services = self._services
        job = await services.threads.run(services.jobs.get, self._caller, self._job.id)
        if job.state is not JobState.SUCCEEDED:
            code, words = failure_words(job, language_of(self._request))
            yield self._error(failure_status(job), code, words)
            return
        hints = job_hints(self._request, services, job)
        for artifact, text in zip(job.outputs, await read_outputs(services, job), strict=True):
            yield _event(
                CompletedImageView(
                    type=f"{self._family}.completed",
                    b64_json=text,
                    url=picture_url(self._request, services, artifact),
                    created_at=int((job.finished_at or job.created_at).timestamp()),
                    output_format=job.input.output_format,
                    quality=self._showing.quality,
                    size=size_text(artifact),
                    gen_video=made_view(job, hints),
                )
            )

    def _partial_view(self, preview: Preview, *, index: int) -> PartialImageView:
        return PartialImageView(
            type=f"{self._family}.partial_image",
            b64_json=base64.b64encode(preview.data).decode(),
            partial_image_index=index,
            created_at=int(self._job.created_at.timestamp()),
            output_format=preview.mime.rpartition("/")[2],
            quality=self._showing.quality,
            size=f"{preview.width}x{preview.height}",
        )

    def _error(self, status: int, code: str, words: str) -> str:
        view = StreamErrorView(
            error=StreamErrorDetails(message=words, type=openai_type(status), code=code),
            gen_video=StreamJob(job_id=self._job.id),
        )
        return _event(view)


def _event(view: PartialImageView | CompletedImageView | StreamErrorView) -> str:
    return f"event: {view.type}\ndata: {view.model_dump_json()}\n\n"
