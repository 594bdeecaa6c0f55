"""Videos: `POST /videos/generate`."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from gen_video.accounts.models import Caller
from gen_video.api.bodies import check_fields, read_body
from gen_video.api.dependencies import SECURITY, CallerDep, ServicesDep, WatchDep
from gen_video.api.preferences import read_cancel_after, read_preference, read_retry_hints
from gen_video.api.v1 import PREFIX
from gen_video.api.v1.answers import answer
from gen_video.api.v1.first_frames import FirstFrame, read_first_frames
from gen_video.api.v1.links import own_address
from gen_video.api.v1.shapes import AcceptedView, VideoGeneratedView
from gen_video.api.v1.video_fields import VideoFields, video_body
from gen_video.errors import FieldProblem, InvalidRequestError
from gen_video.generation.video_requests import VideoRequest, resolve_video
from gen_video.wiring import Services

IMAGE = "image"

router = APIRouter(prefix=PREFIX, tags=["videos"], dependencies=SECURITY)

RESPONSES: dict[int | str, dict[str, Any]] = {
    202: {
        "model": AcceptedView,
        "description": "Accepted; follow `Location` / 已接受，结果见 `Location`",
    },
    409: {"description": "The job was canceled / 任务已取消"},
    501: {"description": "No video model is on offer here / 此服务未启用视频模型"},
    504: {},
    507: {},
}


@router.post(
    "/videos/generate",
    response_model=VideoGeneratedView,
    responses=RESPONSES,
    openapi_extra=video_body(),
    operation_id="generate_video",
    summary="Generate a video / 生成视频",
)
async def generate_video(
    request: Request, caller: CallerDep, services: ServicesDep, watch: WatchDep
) -> JSONResponse:
    """Answer with the finished video, or with `202` and the job's address.

    - `prompt` alone, `image` as the first frame, or `scenes`: a storyboard joined into one clip.
    - By default the call waits for the result; videos take long: `Prefer: respond-async` answers
      at once, and the job's events tell its progress, scene by scene.
    - One video takes one unit of the daily video quota, however many scenes it has. If a scene
      fails, the whole video fails and nothing is charged.

    仅 `prompt`（文生视频）、`image`（图生视频）或 `scenes`（分镜合成一段视频）。默认等待结果；
    视频耗时较长，建议使用 `Prefer: respond-async` 并订阅任务事件。一段视频消耗一个视频配额；
    任一分镜失败则整段失败且不扣费。
    """
    preference = read_preference(request, default_seconds=services.settings.sync_wait_seconds)
    hints = read_retry_hints(request)
    cancel_after = read_cancel_after(request)
    body = await read_body(request, files={IMAGE: 1})
    fields = check_fields(body, VideoFields)
    file = body.find_file(IMAGE)
    _require_one_form(fields, has_file=file is not None)
    frames = fields.list_first_frames(file)
    wanted = fields.to_request([None if frame is None else frame.source for frame in frames])
    submission = await services.threads.run(services.jobs.peek, caller, wanted, hints=hints)
    if submission is None:
        references = await _read(request, services, caller, wanted, frames)
        submission = await services.threads.run(
            services.jobs.submit,
            caller,
            wanted.with_references([len(png) for png in references]),
            references=b"".join(references) or None,
            hints=hints,
            cancel_after=cancel_after,
        )
    return await answer(
        request, services, watch, caller=caller, submission=submission, preference=preference
    )


def _require_one_form(fields: VideoFields, *, has_file: bool) -> None:
    """Refuse what belongs to a single scene beside a storyboard."""
    if fields.scenes is None:
        return
    given = {
        "image": fields.image is not None or has_file,
        "duration": fields.duration is not None,
        "num_frames": fields.num_frames is not None,
    }
    problems = [
        FieldProblem(
            pointer=f"/{name}",
            code="not_with_scenes",
            en=f"{name} belongs into the scenes when scenes are given",
            zh=f"使用 scenes 时，{name} 应写在各分镜中",
        )
        for name, is_given in given.items()
        if is_given
    ]
    if problems:
        raise InvalidRequestError(*problems)


async def _read(
    request: Request,
    services: Services,
    caller: Caller,
    wanted: VideoRequest,
    frames: list[FirstFrame | None],
) -> list[bytes]:
    """Return the first frame of every scene as PNG, empty where it has none."""
    if not any(frames):
        return [b""] * len(frames)
    resolved = resolve_video(wanted, catalogue=services.catalogue, plan=caller.plan)
    references = await read_first_frames(
        services,
        caller,
        frames,
        cover=(resolved.width, resolved.height),
        own_address=own_address(request, services),
    )
    return [b"" if reference is None else reference.png for reference in references]
