"""Videos in OpenAI's words: `/v1/videos`, the video jobs of an account."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from gen_video.accounts.models import Caller
from gen_video.api.bodies import check_fields
from gen_video.api.caching import file_cache_control
from gen_video.api.dependencies import SECURITY, CallerDep, ServicesDep
from gen_video.api.openai import PREFIX
from gen_video.api.openai.bodies import read_openai_body
from gen_video.api.openai.image_answers import answer_headers, job_hints
from gen_video.api.openai.names import OF_VIDEOS, renaming
from gen_video.api.openai.request_bodies import create_body, remix_body
from gen_video.api.openai.shapes import VideoDeletedView, VideoListView, VideoView
from gen_video.api.openai.video_fields import CreateFields, RemixFields
from gen_video.api.openai.views import poll_after_ms, video_view
from gen_video.api.preferences import read_cancel_after, read_retry_hints
from gen_video.api.problems import language_of
from gen_video.api.v1.files import NO_SUCH_PART, send_file
from gen_video.api.v1.first_frames import FirstFrame, read_first_frames
from gen_video.api.v1.links import own_address
from gen_video.engines.catalogue import TaskKind
from gen_video.errors import ServiceError
from gen_video.generation.errors import FileNotFoundInServiceError, JobNotFoundError
from gen_video.generation.models import FileRole, Job, Submission, VideoInput
from gen_video.generation.states import JobKind, JobState
from gen_video.generation.video_requests import VideoRequest, resolve_video
from gen_video.wiring import Services

REFERENCE = "input_reference"
POLL_HEADER = "openai-poll-after-ms"
ROLES = {
    "video": FileRole.OUTPUT,
    "thumbnail": FileRole.POSTER,
    "spritesheet": FileRole.STRIP,
}
CONTENT: dict[str, Any] = {
    kind: {"schema": {"type": "string", "format": "binary"}}
    for kind in ("video/mp4", "video/webm", "image/gif", "image/webp", "image/jpeg")
}
NO_VIDEOS = {"description": "No video model is on offer here / 此服务未启用视频模型"}
NOT_READY = {"description": "The video is not completed / 视频尚未完成"}
Variant = Literal["video", "thumbnail", "spritesheet"]

router = APIRouter(prefix=f"{PREFIX}/videos", tags=["openai"], dependencies=SECURITY)


class VideoNotReadyError(ServiceError):
    """The video is not there (yet)."""

    code = "video_not_ready"
    status = 409
    message_en = "The video is {state}; this needs a completed one."
    message_zh = "视频状态为 {state}，此操作需要已完成的视频。"


@router.post(
    "",
    response_model=VideoView,
    responses={501: NO_VIDEOS},
    openapi_extra=create_body(),
    operation_id="openai_create_video",
    summary="Make a video, OpenAI's words / 生成视频（OpenAI 格式）",
)
async def create_video(request: Request, caller: CallerDep, services: ServicesDep) -> Response:
    """Accept a video job and answer at once; poll it until it is `completed` or `failed`.

    Hosted model names mean the default model; size and length are moved to the nearest possible.

    接受任务并立即返回，轮询至 `completed` 或 `failed`。
    托管服务的模型名称对应默认模型，尺寸与时长取最接近的可行值。
    """
    hints, cancel_after = read_retry_hints(request), read_cancel_after(request)
    body = await read_openai_body(request, files={REFERENCE: 1}, or_text=frozenset({REFERENCE}))
    fields = check_fields(body, CreateFields)
    frame = fields.find_first_frame(body.find_file(REFERENCE))
    kind = TaskKind.TEXT_TO_VIDEO if frame is None else TaskKind.IMAGE_TO_VIDEO
    chosen = services.aliases.choose(fields.model, kind)
    with renaming(OF_VIDEOS):
        wanted = fields.to_request(
            chosen=chosen,
            spec=services.catalogue.find(chosen.model_id),
            source=None if frame is None else frame.source,
        )
        submission = await services.threads.run(services.jobs.peek, caller, wanted, hints=hints)
        if submission is None:
            png = await _read_frame(request, services, caller, wanted, frame)
            submission = await services.threads.run(
                services.jobs.submit,
                caller,
                wanted.with_references([len(png)]),
                references=png or None,
                hints=hints,
                cancel_after=cancel_after,
            )
    return _accepted(request, services, caller, submission)


@router.get("", operation_id="openai_list_videos", summary="Your videos / 视频列表（OpenAI 格式）")
async def list_videos(
    request: Request,
    caller: CallerDep,
    services: ServicesDep,
    *,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str | None, Query(max_length=64, description="`last_id` of a page")] = None,
    order: Literal["asc", "desc"] = "desc",
) -> VideoListView:
    """List videos by page: pass `last_id` as `after`.

    分页列出视频：将 `last_id` 作为 `after` 传入。
    """
    page = await services.threads.run(
        services.jobs.list_jobs,
        caller,
        limit=limit,
        after=after or None,
        kind=JobKind.VIDEO,
        oldest_first=order == "asc",
    )
    data = [_view(request, services, job) for job in page.jobs]
    return VideoListView(
        data=data,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
        has_more=page.has_more,
    )


@router.get(
    "/{video_id}",
    response_model=VideoView,
    operation_id="openai_get_video",
    summary="One video / 查询视频（OpenAI 格式）",
)
async def get_video(
    video_id: str, request: Request, caller: CallerDep, services: ServicesDep
) -> Response:
    """Read a video job; `openai-poll-after-ms` says when to look again.

    查询视频任务；`openai-poll-after-ms` 为建议的轮询间隔。
    """
    job = await _get_video(services, caller, video_id)
    headers = {} if job.state.is_terminal else {POLL_HEADER: str(poll_after_ms(job))}
    return JSONResponse(_view(request, services, job).model_dump(mode="json"), headers=headers)


@router.delete(
    "/{video_id}",
    responses={409: {"description": "The job has not ended yet: cancel it first / 请先取消任务"}},
    operation_id="openai_delete_video",
    summary="Erase a video / 删除视频（OpenAI 格式）",
)
async def delete_video(video_id: str, caller: CallerDep, services: ServicesDep) -> VideoDeletedView:
    """Erase the files of a finished video; safe to repeat.

    删除已结束视频的文件，可重复调用。
    """
    job = await services.threads.run(services.jobs.get, caller, video_id)
    if job.kind is not JobKind.VIDEO:
        raise JobNotFoundError
    if job.deleted_at is None:
        await services.threads.run(services.jobs.delete, caller, video_id)
    return VideoDeletedView(id=video_id)


@router.get(
    "/{video_id}/content",
    response_class=Response,
    operation_id="openai_download_video",
    summary="A video's bytes / 下载视频（OpenAI 格式）",
    responses={
        200: {"content": CONTENT, "description": "The file / 文件"},
        206: {"content": CONTENT, "description": "A part / 部分内容"},
        307: {"description": "It is fetched from the object store / 跳转至对象存储下载"},
        409: NOT_READY,
        410: {},
        416: {"content": NO_SUCH_PART, "description": "There is no such part / 请求的范围不存在"},
    },
)
async def download_video(
    video_id: str,
    request: Request,
    caller: CallerDep,
    services: ServicesDep,
    variant: Variant = "video",
) -> Response:
    """Send the video, its thumbnail, or a row of its frames; ranges are understood.

    下载视频、封面或缩略图条，支持 `Range`。
    """
    job = await _get_video(services, caller, video_id)
    _require_done(job)
    file = next((file for file in job.files if file.role == ROLES[variant]), None)
    if file is None:
        raise FileNotFoundInServiceError
    artifact = await services.threads.run(services.jobs.get_file_of, caller, file.public_name)
    cache_control = file_cache_control(access="key")
    return await send_file(request, services, artifact, cache_control=cache_control)


@router.post(
    "/{video_id}/remix",
    response_model=VideoView,
    responses={409: NOT_READY, 501: NO_VIDEOS},
    openapi_extra=remix_body(),
    operation_id="openai_remix_video",
    summary="The same video after another prompt / 以新提示词重新生成（OpenAI 格式）",
)
async def remix_video(
    video_id: str, request: Request, caller: CallerDep, services: ServicesDep
) -> Response:
    """Make a new video with the seed, size and length of a finished one, after another prompt.

    以已完成视频的种子、尺寸与时长，按新提示词生成新视频。
    """
    hints, cancel_after = read_retry_hints(request), read_cancel_after(request)
    body = await read_openai_body(request)
    fields = check_fields(body, RemixFields)
    source = await _get_video(services, caller, video_id)
    _require_done(source)
    with renaming(OF_VIDEOS):
        submission = await services.threads.run(
            services.jobs.submit,
            caller,
            fields.to_request(_input_of(source), job_id=source.id),
            hints=hints,
            cancel_after=cancel_after,
        )
    return _accepted(request, services, caller, submission)


def _accepted(
    request: Request, services: Services, caller: Caller, submission: Submission
) -> JSONResponse:
    job = submission.job
    headers = answer_headers(services, caller, job, is_replayed=submission.is_replayed)
    headers[POLL_HEADER] = str(poll_after_ms(job))
    return JSONResponse(_view(request, services, job).model_dump(mode="json"), headers=headers)


async def _get_video(services: Services, caller: Caller, video_id: str) -> Job:
    """Return a video job of the caller's that was not deleted."""
    job = await services.threads.run(services.jobs.get, caller, video_id)
    if job.kind is not JobKind.VIDEO or job.deleted_at is not None:
        raise JobNotFoundError
    return job


def _require_done(job: Job) -> None:
    if job.state is not JobState.SUCCEEDED:
        raise VideoNotReadyError(state=job.state.value)


async def _read_frame(
    request: Request,
    services: Services,
    caller: Caller,
    wanted: VideoRequest,
    frame: FirstFrame | None,
) -> bytes:
    """Return the first frame as PNG, empty without one."""
    if frame is None:
        return b""
    resolved = resolve_video(wanted, catalogue=services.catalogue, plan=caller.plan)
    references = await read_first_frames(
        services,
        caller,
        [frame],
        cover=(resolved.width, resolved.height),
        own_address=own_address(request, services),
    )
    return b"".join(reference.png for reference in references if reference is not None)


def _view(request: Request, services: Services, job: Job) -> VideoView:
    hints = job_hints(request, services, job)
    return video_view(job, _input_of(job), language_of(request), hints)


def _input_of(job: Job) -> VideoInput:
    if not isinstance(job.input, VideoInput):
        raise JobNotFoundError
    return job.input
