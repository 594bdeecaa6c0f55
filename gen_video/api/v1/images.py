"""Pictures: `POST /images/generate`."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from gen_video.api.bodies import check_fields, read_body
from gen_video.api.dependencies import SECURITY, CallerDep, ServicesDep, WatchDep
from gen_video.api.edits import MAX_PICTURES, read_pictures
from gen_video.api.preferences import read_cancel_after, read_preference, read_retry_hints
from gen_video.api.v1 import PREFIX
from gen_video.api.v1.answers import answer
from gen_video.api.v1.fields import ImageFields, image_body
from gen_video.api.v1.shapes import AcceptedView, GeneratedView

REFERENCE, MASK = "reference_image", "mask"

router = APIRouter(prefix=PREFIX, tags=["images"], dependencies=SECURITY)

RESPONSES: dict[int | str, dict[str, Any]] = {
    202: {
        "model": AcceptedView,
        "description": "Accepted; follow `Location` / 已接受，结果见 `Location`",
    },
    409: {"description": "The job was canceled / 任务已取消"},
    504: {},
    507: {},
}


@router.post(
    "/images/generate",
    response_model=GeneratedView,
    responses=RESPONSES,
    openapi_extra=image_body(),
    operation_id="generate_image",
    summary="Generate pictures / 生成图像",
)
async def generate_image(
    request: Request, caller: CallerDep, services: ServicesDep, watch: WatchDep
) -> JSONResponse:
    """Answer with the finished picture, or with `202` and the job's address.

    - By default the call waits for the result.
    - `Prefer: respond-async` answers at once, `Prefer: wait=N` waits at most N seconds.
    - `Idempotency-Key` makes repeating safe; `Cancel-After: 90s` sets a deadline.
    - As a form it edits: `reference_image` is drawn from, `mask` says which part of it is drawn
      anew. Further pictures go to models that look at several, else into the masked part.

    默认等待结果返回；`Prefer: respond-async` 立即返回 202，`Prefer: wait=N` 最多等待 N 秒。
    `Idempotency-Key` 使重试安全；`Cancel-After: 90s` 设置期限。断开连接不会取消任务。
    以表单提交即为编辑：`reference_image` 为原图，`mask` 标出重绘区域；其余图片交给支持多图的模型，
    否则放入重绘区域。
    """
    preference = read_preference(request, default_seconds=services.settings.sync_wait_seconds)
    hints = read_retry_hints(request)
    cancel_after = read_cancel_after(request)
    body = await read_body(request, files={REFERENCE: MAX_PICTURES, MASK: 1})
    fields = check_fields(body, ImageFields)
    pictures = await read_pictures(
        services, caller.account_id, body.files.get(REFERENCE, ()), body.find_file(MASK)
    )
    submission = await services.threads.run(
        services.jobs.submit,
        caller,
        pictures.name_in(fields.to_request()),
        references=pictures.blob,
        hints=hints,
        cancel_after=cancel_after,
    )
    return await answer(
        request, services, watch, caller=caller, submission=submission, preference=preference
    )
