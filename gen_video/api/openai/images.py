"""Pictures in OpenAI's words: `POST /v1/images/generations`, `/edits` and `/variations`."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from gen_video.accounts.models import Caller
from gen_video.api.bodies import ParsedBody, check_fields
from gen_video.api.dependencies import SECURITY, CallerDep, ServicesDep, WatchDep
from gen_video.api.edits import MAX_PICTURES, PictureFiles, read_pictures
from gen_video.api.openai import PREFIX
from gen_video.api.openai.bodies import read_openai_body
from gen_video.api.openai.examples import pictures_or_events
from gen_video.api.openai.image_answers import Showing, answer_headers, answer_pictures
from gen_video.api.openai.image_fields import (
    DrawnFields,
    EditFields,
    GenerationFields,
    PictureFields,
    VariationFields,
    image_request,
)
from gen_video.api.openai.measures import level_of
from gen_video.api.openai.names import OF_PICTURES, renaming
from gen_video.api.openai.request_bodies import edit_body, generation_body, variation_body
from gen_video.api.openai.shapes import ImagesView
from gen_video.api.openai.streams import EDIT, GENERATION, PictureStream
from gen_video.api.preferences import read_cancel_after, read_retry_hints
from gen_video.api.v1.events import EVENT_STREAM, STREAM_HEADERS
from gen_video.engines.catalogue import TaskKind
from gen_video.errors import FieldProblem, InvalidRequestError
from gen_video.generation.models import Submission
from gen_video.generation.watch import JobWatch
from gen_video.wiring import Services

IMAGE, MASK = "image", "mask"
OF_EDITS = {IMAGE: MAX_PICTURES, MASK: 1}
OF_VARIATIONS = {IMAGE: 1}

router = APIRouter(prefix=f"{PREFIX}/images", tags=["openai"], dependencies=SECURITY)

ENDS: dict[int | str, dict[str, Any]] = {
    409: {"description": "The job was canceled / 任务已取消"},
    410: {},
    504: {"description": "Not finished yet: ask again / 尚未完成，请重试"},
    507: {},
}


@router.post(
    "/generations",
    response_model=ImagesView,
    responses=ENDS | {200: pictures_or_events(GENERATION)},
    openapi_extra=generation_body(),
    operation_id="openai_generate_images",
    summary="Generate pictures, OpenAI's words / 生成图像（OpenAI 格式）",
)
async def generate_images(
    request: Request, caller: CallerDep, services: ServicesDep, watch: WatchDep
) -> Response:
    """Answer with the finished pictures, or with their events if `stream` is true.

    Hosted model names mean the default model; what it cannot make is moved to the nearest size.

    返回生成的图像；`stream` 为 true 时以事件流返回。
    托管服务的模型名称对应默认模型，尺寸取最接近的可行值。
    """
    body = await read_openai_body(request)
    fields = check_fields(body, GenerationFields)
    door = _Drawing(request, caller, services, watch)
    return await door.draw(fields, PictureFiles(), kind=TaskKind.TEXT_TO_IMAGE, family=GENERATION)


@router.post(
    "/edits",
    response_model=ImagesView,
    responses=ENDS | {200: pictures_or_events(EDIT)},
    openapi_extra=edit_body(),
    operation_id="openai_edit_images",
    summary="Edit pictures, OpenAI's words / 编辑图像（OpenAI 格式）",
)
async def edit_images(
    request: Request, caller: CallerDep, services: ServicesDep, watch: WatchDep
) -> Response:
    """Draw the first picture anew, after the prompt; a mask says where.

    编辑第一张图片；mask 指定要重画的区域。
    """
    body = await read_openai_body(request, files=OF_EDITS)
    fields = check_fields(body, EditFields)
    files = await _read_files(services, caller, body)
    door = _Drawing(request, caller, services, watch)
    kind = TaskKind.INPAINT if files.mask_bytes else TaskKind.IMAGE_TO_IMAGE
    return await door.draw(fields, files, kind=kind, family=EDIT)


@router.post(
    "/variations",
    response_model=ImagesView,
    responses=ENDS,
    openapi_extra=variation_body(),
    operation_id="openai_vary_image",
    summary="Vary a picture, OpenAI's words / 生成变体（OpenAI 格式）",
)
async def vary_image(
    request: Request, caller: CallerDep, services: ServicesDep, watch: WatchDep
) -> Response:
    """Draw a picture anew, somewhat differently, without a prompt.

    无需提示词，生成与原图相近的图像。
    """
    body = await read_openai_body(request, files=OF_VARIATIONS)
    fields = check_fields(body, VariationFields)
    files = await _read_files(services, caller, body)
    door = _Drawing(request, caller, services, watch)
    return await door.draw(fields, files, kind=TaskKind.IMAGE_TO_IMAGE, family=EDIT)


async def _read_files(services: Services, caller: Caller, body: ParsedBody) -> PictureFiles:
    pictures = body.files.get(IMAGE, ())
    if not pictures:
        raise InvalidRequestError(
            FieldProblem(
                pointer=f"/{IMAGE}",
                code="missing",
                en="send a picture as the file field image of a form",
                zh="请以表单文件字段 image 上传图片",
            )
        )
    return await read_pictures(
        services, caller.account_id, pictures, body.find_file(MASK), field=IMAGE
    )


class _Drawing:
    """One request for pictures."""

    def __init__(
        self, request: Request, caller: Caller, services: Services, watch: JobWatch
    ) -> None:
        self._request = request
        self._caller = caller
        self._services = services
        self._watch = watch

    async def draw(
        self, fields: PictureFields, files: PictureFiles, *, kind: TaskKind, family: str
    ) -> Response:
        """Submit a job and answer with its pictures or its events."""
        services = self._services
        submission = await self._submit(fields, files, kind=kind)
        showing = _showing(fields)
        if not (isinstance(fields, DrawnFields) and fields.stream):
            return await answer_pictures(
                self._request,
                services,
                self._watch,
                caller=self._caller,
                submission=submission,
                showing=showing,
            )
        job = submission.job
        stream = PictureStream(
            self._request, services, caller=self._caller, job=job, showing=showing, family=family
        )
        headers = answer_headers(services, self._caller, job, is_replayed=submission.is_replayed)
        return StreamingResponse(
            stream.events(self._watch), media_type=EVENT_STREAM, headers=headers | STREAM_HEADERS
        )

    async def _submit(
        self, fields: PictureFields, files: PictureFiles, *, kind: TaskKind
    ) -> Submission:
        services = self._services
        hints = read_retry_hints(self._request)
        cancel_after = read_cancel_after(self._request)
        chosen = services.aliases.choose(fields.model, kind)
        spec = services.catalogue.get(chosen.model_id)
        with renaming(OF_PICTURES):
            wanted = image_request(
                fields, chosen=chosen, spec=spec, picture=next(iter(files.sizes), None)
            )
            return await services.threads.run(
                services.jobs.submit,
                self._caller,
                files.name_in(wanted),
                references=files.blob,
                hints=hints,
                cancel_after=cancel_after,
            )


def _showing(fields: PictureFields) -> Showing:
    is_drawn = isinstance(fields, DrawnFields)
    return Showing(
        response_format=fields.response_format,
        quality=level_of(fields.quality if isinstance(fields, DrawnFields) else None),
        has_own_prompt=is_drawn,
    )
