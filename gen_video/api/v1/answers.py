"""How a generate call is answered: the result in time, else the job's address.

A wait that ends early never loses a job, and a client that hangs up never cancels one.
"""

from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from gen_video.accounts.models import Caller
from gen_video.api.preferences import Preference
from gen_video.api.problems import language_of, problem
from gen_video.api.v1.links import file_urls
from gen_video.api.v1.views import (
    accepted_view,
    generated_view,
    hint_views,
    job_url,
    video_generated_view,
)
from gen_video.clock import next_midnight, utc_now
from gen_video.errors import Language
from gen_video.generation.hints import find_all_hints
from gen_video.generation.models import Job, Submission
from gen_video.generation.states import JobKind, JobState
from gen_video.generation.watch import JobWatch
from gen_video.wiring import Services

STATUS_OF_CODE = {
    "model_unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "deadline_exceeded": HTTPStatus.GATEWAY_TIMEOUT,
    "storage_full": HTTPStatus.INSUFFICIENT_STORAGE,
}
STATUS_OF_STATE = {
    JobState.CANCELED: HTTPStatus.CONFLICT,
    JobState.EXPIRED: HTTPStatus.GATEWAY_TIMEOUT,
}
WORDS_OF_STATE = {
    JobState.CANCELED: ("canceled", "The job was canceled.", "任务已取消。"),
    JobState.EXPIRED: (
        "deadline_exceeded",
        "The job did not start before its deadline.",
        "任务未能在期限前开始。",
    ),
}
UNKNOWN_FAILURE = ("generation_failed", "The generation failed.", "生成失败。")


async def answer(
    request: Request,
    services: Services,
    watch: JobWatch,
    *,
    caller: Caller,
    submission: Submission,
    preference: Preference,
) -> JSONResponse:
    """Wait as long as the client prefers, then answer with the result or the job's address."""
    job = submission.job
    if preference.wait_seconds and not job.state.is_terminal:
        await watch.wait_until_terminal(job.id, timeout_seconds=preference.wait_seconds)
        job = await services.threads.run(services.jobs.get, caller, job.id)
    headers = _headers(services, caller, job)
    if preference.applied is not None:
        headers["Preference-Applied"] = preference.applied
    if submission.is_replayed:
        headers["Idempotency-Replayed"] = "true"
    # A fast engine may be done before the answer is written: who asked not to wait still gets
    # the 202 that it was promised. A repeated request gets what the first one came to.
    is_deferred = preference.wait_seconds == 0 and not submission.is_replayed
    found = find_all_hints(job.input.prompts, model=job.model, catalogue=services.catalogue)
    hints = hint_views(found, language_of(request))
    if is_deferred or not job.state.is_terminal:
        return _json(accepted_view(job, hints=hints), HTTPStatus.ACCEPTED, headers)
    if job.state is JobState.SUCCEEDED:
        show = video_generated_view if job.kind is JobKind.VIDEO else generated_view
        return _json(show(job, file_url=file_urls(services), hints=hints), HTTPStatus.OK, headers)
    return failed_job_problem(request, job, headers=headers)


def failed_job_problem(request: Request, job: Job, *, headers: dict[str, str]) -> JSONResponse:
    """Return the error of a job that ended without a result."""
    language = language_of(request)
    code, words = failure_words(job, language)
    return problem(
        request,
        status=failure_status(job),
        code=code,
        detail=words,
        # The job has ended for good: sending the same request again would only find it again.
        headers=headers | {"Content-Language": language, "x-should-retry": "false"},
        extra={"task_id": job.id, "job_url": job_url(job.id)},
    )


def failure_status(job: Job) -> HTTPStatus:
    """Return the status of an answer about a job that ended without a result."""
    code, _ = failure_words(job, "en")
    of_state = STATUS_OF_STATE.get(job.state, HTTPStatus.INTERNAL_SERVER_ERROR)
    return STATUS_OF_CODE.get(code, of_state)


def failure_words(job: Job, language: Language) -> tuple[str, str]:
    """Return why a job ended without a result: a stable code and a sentence."""
    code, en, zh = WORDS_OF_STATE.get(job.state, UNKNOWN_FAILURE)
    if job.error is not None:
        code, en, zh = job.error.code, job.error.en, job.error.zh
    return code, zh if language == "zh" else en


def quota_headers(
    services: Services, caller: Caller, *, kind: str, remaining: int
) -> dict[str, str]:
    """Return the rate headers of one kind's daily quota."""
    name = f"{kind}s"
    now = utc_now()
    seconds = (next_midnight(now, services.settings.business_timezone) - now).total_seconds()
    return {
        "RateLimit-Policy": f'"{name}-day";q={caller.plan.units_per_day(kind)};w=86400;qu="{name}"',
        "RateLimit": f'"{name}-day";r={remaining};t={int(seconds) + 1}',
    }


def _headers(services: Services, caller: Caller, job: Job) -> dict[str, str]:
    kind = job.kind.value
    remaining = job.quota_remaining[f"{kind}s"]
    return {"Location": job_url(job.id)} | quota_headers(
        services, caller, kind=kind, remaining=remaining
    )


def _json(view: BaseModel, status: HTTPStatus, headers: dict[str, str]) -> JSONResponse:
    content: dict[str, Any] = view.model_dump(mode="json")
    return JSONResponse(content, status_code=status, headers=headers)
