"""Jobs: read, list, cancel, delete, follow; and `/tasks/{id}`, their older name."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BeforeValidator

from gen_video.api.dependencies import SECURITY, CallerDep, ServicesDep, WatchDep
from gen_video.api.problems import language_of
from gen_video.api.v1 import PREFIX
from gen_video.api.v1.event_shapes import event_stream
from gen_video.api.v1.events import EVENT_STREAM, STREAM_HEADERS, job_events
from gen_video.api.v1.links import file_urls
from gen_video.api.v1.shapes import JobListView, JobView, TaskView
from gen_video.api.v1.views import job_view, task_view
from gen_video.generation.states import JobKind, JobState

MODEL_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,80}$"


def _require_date(value: object) -> object:
    # Left alone, a number is read as seconds since 1970.
    if isinstance(value, str) and value.replace(".", "").lstrip("+-").isdecimal():
        raise ValueError("write it as 2026-12-01T08:30:00Z")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_require_date)]

router = APIRouter(prefix=PREFIX, tags=["jobs"], dependencies=SECURITY)


@router.get(
    "/jobs",
    operation_id="list_jobs",
    summary="Your jobs, newest first / 任务列表",
    responses={404: {"description": "`after` names no job of yours / `after` 不是您的任务"}},
)
async def list_jobs(
    request: Request,
    caller: CallerDep,
    services: ServicesDep,
    *,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str | None, Query(max_length=64, description="`last_id` of a page")] = None,
    status: JobState | None = None,
    kind: JobKind | None = None,
    model: Annotated[str | None, Query(pattern=MODEL_PATTERN)] = None,
    created_after: Moment | None = None,
    created_before: Moment | None = None,
) -> JobListView:
    """List jobs by page: pass `last_id` as `after`.

    分页列出任务：将 `last_id` 作为 `after` 传入。
    """
    page = await services.threads.run(
        services.jobs.list_jobs,
        caller,
        limit=limit,
        after=after,
        state=status,
        kind=kind,
        model=model,
        created_after=_moment(created_after),
        created_before=_moment(created_before),
    )
    language = language_of(request)
    file_url = file_urls(services)
    data = [job_view(job, language, file_url=file_url) for job in page.jobs]
    return JobListView(
        data=data,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
        has_more=page.has_more,
    )


@router.get("/jobs/{job_id}", operation_id="get_job", summary="One job / 查询任务")
async def get_job(
    job_id: str, request: Request, caller: CallerDep, services: ServicesDep
) -> JobView:
    """Read a job: progress, inputs as resolved, outputs, cost.

    查询进度、参数、结果与费用。
    """
    job = await services.threads.run(services.jobs.get, caller, job_id)
    return job_view(job, language_of(request), file_url=file_urls(services))


@router.get(
    "/tasks/{task_id}",
    operation_id="get_task",
    summary="One job, seed's words / 查询任务（旧接口）",
)
async def get_task(
    task_id: str, request: Request, caller: CallerDep, services: ServicesDep
) -> TaskView:
    """Read a job under its older name; it says `completed` once pictures are there.

    旧接口：完成后 `status` 为 `completed`。
    """
    job = await services.threads.run(services.jobs.get, caller, task_id)
    return task_view(job, language_of(request), file_url=file_urls(services))


@router.post(
    "/jobs/{job_id}/cancel",
    operation_id="cancel_job",
    summary="Cancel / 取消任务",
    responses={409: {"description": "The job has ended already / 任务已结束"}},
)
async def cancel_job(
    job_id: str, request: Request, caller: CallerDep, services: ServicesDep
) -> JobView:
    """Cancel a job: queued at once, running within a step; the quota comes back.

    取消任务：排队中立即取消，运行中在一步之内停止，并退还配额。
    """
    job = await services.threads.run(services.jobs.cancel, caller, job_id)
    return job_view(job, language_of(request), file_url=file_urls(services))


@router.delete(
    "/jobs/{job_id}",
    operation_id="delete_job",
    summary="Erase files / 删除任务文件",
    responses={409: {"description": "The job has not ended yet: cancel it first / 请先取消任务"}},
)
async def delete_job(
    job_id: str, request: Request, caller: CallerDep, services: ServicesDep
) -> JobView:
    """Erase the files of a finished job; its record stays for billing.

    删除已结束任务的文件。
    """
    job = await services.threads.run(services.jobs.delete, caller, job_id)
    return job_view(job, language_of(request), file_url=file_urls(services))


@router.get(
    "/jobs/{job_id}/events",
    operation_id="follow_job",
    summary="Follow a job live / 实时跟踪任务",
    response_class=StreamingResponse,
    responses={200: event_stream()},
)
async def follow_job(
    job_id: str, request: Request, caller: CallerDep, services: ServicesDep, watch: WatchDep
) -> StreamingResponse:
    """Stream `progress` events and one last event named by the end state.

    Event ids grow; a client that reconnects with `Last-Event-ID` gets only what is newer.

    以服务器推送事件（SSE）返回 `progress` 以及最终状态事件；可用 `Last-Event-ID` 续传。
    """
    job = await services.threads.run(services.jobs.get, caller, job_id)
    events = job_events(
        services,
        watch,
        caller=caller,
        job=job,
        language=language_of(request),
        last_event_id=request.headers.get("last-event-id"),
    )
    return StreamingResponse(events, media_type=EVENT_STREAM, headers=STREAM_HEADERS)


def _moment(value: datetime | None) -> datetime | None:
    # Years near the ends of the calendar cannot be moved into UTC.
    if value is None or not 1971 <= value.year <= 9000:  # noqa: PLR2004 - any year of this service
        return None
    return value
