"""How a request for pictures is answered: with the pictures, once they are there.

OpenAI's clients know no other answer, so a wait that ends early is an error that they repeat by
themselves; the repetition finds the same job.
"""

import base64
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from gen_video.accounts.models import Caller
from gen_video.api.openai.shapes import DatumView, ImagesView
from gen_video.api.openai.views import made_view
from gen_video.api.problems import language_of, service_problem
from gen_video.api.v1.answers import failed_job_problem, quota_headers
from gen_video.api.v1.links import file_urls, own_address
from gen_video.api.v1.shapes import HintView
from gen_video.api.v1.views import hint_views, job_url
from gen_video.errors import ServiceError
from gen_video.generation.errors import FileGoneError
from gen_video.generation.hints import find_all_hints
from gen_video.generation.models import Artifact, Job, Submission
from gen_video.generation.states import JobState
from gen_video.generation.watch import JobWatch
from gen_video.wiring import Services

MAX_WAIT_SECONDS = 540
"""The SDKs give up after 600 s: an answer in time tells more than silence."""
LIVE = "live"


class StillRunningError(ServiceError):
    """The pictures are not there yet; whoever asks again is led to the same job."""

    code = "still_running"
    status = 504
    is_retryable = True
    message_en = (
        "The pictures are not finished yet; the job goes on. OpenAI's clients ask again by "
        "themselves and get the same job; others follow {job_url}."
    )
    message_zh = (
        "图像尚未完成，任务仍在进行。OpenAI 客户端会自动重试并得到同一任务；"
        "其他客户端请查询 {job_url}。"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """How one client wants its pictures shown.

    Attributes:
        response_format: url, b64_json, or None for both.
        quality: The level that it asked for.
        has_own_prompt: Whether the prompt is the client's, and advice about it makes sense.
    """

    response_format: str | None
    quality: str
    has_own_prompt: bool = True


async def answer_pictures(
    request: Request,
    services: Services,
    watch: JobWatch,
    *,
    caller: Caller,
    submission: Submission,
    showing: Showing,
) -> Response:
    """Wait for a job's end, then answer with its pictures or with why there are none."""
    job = submission.job
    if not job.state.is_terminal:
        seconds = min(services.settings.sync_wait_seconds, MAX_WAIT_SECONDS)
        await watch.wait_until_terminal(job.id, timeout_seconds=seconds)
        job = await services.threads.run(services.jobs.get, caller, job.id)
    headers = answer_headers(services, caller, job, is_replayed=submission.is_replayed)
    if not job.state.is_terminal:
        error = StillRunningError(retry_after_seconds=1, job_url=job_url(job.id))
        answer = service_problem(request, error)
        answer.headers.update(headers | {"x-should-retry": "true"})
        return answer
    if job.state is not JobState.SUCCEEDED:
        return failed_job_problem(request, job, headers=headers)
    pictures = None
    for artifact in job.outputs:
        _require_live(artifact)
    if showing.response_format != "url":
        pictures = await read_outputs(services, job)
    view = _images_view(request, services, job, showing, pictures)
    return JSONResponse(view.model_dump(mode="json"), HTTPStatus.OK, headers)


def answer_headers(
    services: Services, caller: Caller, job: Job, *, is_replayed: bool
) -> dict[str, str]:
    """Return the headers of an answer that names a job."""
    kind = job.kind.value
    headers = quota_headers(services, caller, kind=kind, remaining=job.quota_remaining[f"{kind}s"])
    return headers | ({"Idempotency-Replayed": "true"} if is_replayed else {})


async def read_outputs(services: Services, job: Job) -> list[str]:
    """Return a job's pictures as base64.

    Raises:
        FileGoneError: One was deleted, or its time is over.
    """
    # Not on the door's threads: a slow store leaves those for everything else.
    return [await run_in_threadpool(_read, services, artifact) for artifact in job.outputs]


def picture_url(request: Request, services: Services, artifact: Artifact) -> str:
    """Return the whole address of a finished picture."""
    return own_address(request, services) + file_urls(services)(artifact)


def size_text(artifact: Artifact) -> str:
    """Return a picture's size as OpenAI writes it."""
    return f"{artifact.width}x{artifact.height}"


def job_hints(request: Request, services: Services, job: Job) -> list[HintView]:
    """Return the advice about a job's prompts."""
    found = find_all_hints(job.input.prompts, model=job.model, catalogue=services.catalogue)
    return hint_views(found, language_of(request))


def _images_view(
    request: Request,
    services: Services,
    job: Job,
    showing: Showing,
    pictures: list[str] | None,
) -> ImagesView:
    encoded: list[str | None] = [None] * len(job.outputs)
    if pictures is not None:
        encoded = [*pictures]
    data = [
        DatumView(
            b64_json=text,
            url=None
            if showing.response_format == "b64_json"
            else picture_url(request, services, artifact),
        )
        for artifact, text in zip(job.outputs, encoded, strict=True)
    ]
    hints = job_hints(request, services, job) if showing.has_own_prompt else []
    return ImagesView(
        created=int((job.finished_at or job.created_at).timestamp()),
        data=data,
        output_format=job.input.output_format,
        quality=showing.quality,
        size=size_text(job.outputs[0]),
        model=job.model,
        gen_video=made_view(job, hints),
    )


def _read(services: Services, artifact: Artifact) -> str:
    _require_live(artifact)
    data = b"".join(services.objects.read(artifact.storage_key))
    return base64.b64encode(data).decode()


def _require_live(artifact: Artifact) -> None:
    """Let a picture that is there pass; a repeated request may ask for one that was deleted."""
    if artifact.state != LIVE:
        raise FileGoneError
