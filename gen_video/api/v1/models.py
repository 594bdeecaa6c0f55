"""What is on offer: `GET /models` and `GET /loras`."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from gen_video.api.caching import cacheable_json
from gen_video.api.dependencies import SECURITY, CallerDep, ServicesDep
from gen_video.api.problems import language_of
from gen_video.api.v1 import PREFIX
from gen_video.api.v1.shapes import LorasView, ModelListView
from gen_video.api.v1.views import loras_view, model_view

router = APIRouter(prefix=PREFIX, tags=["models"], dependencies=SECURITY)


@router.get(
    "/models",
    response_model=ModelListView,
    operation_id="list_models",
    summary="Models on offer / 可用模型",
)
async def list_models(request: Request, _caller: CallerDep, services: ServicesDep) -> Response:
    """List the models with their limits, defaults and licence; `If-None-Match` is understood.

    列出模型及其限制、默认值与许可证；支持 `If-None-Match`。
    """
    figures = await services.threads.run(services.queue_figures)
    language = language_of(request)
    view = ModelListView(
        data=[
            model_view(
                spec,
                catalogue=services.catalogue,
                resident=figures.resident_models,
                language=language,
            )
            for spec in services.catalogue.list_models()
        ]
    )
    return cacheable_json(request, view, is_private=True, vary="Accept-Language")


@router.get("/loras", operation_id="list_loras", summary="LoRA adapters / 可用 LoRA")
async def list_loras(_caller: CallerDep, services: ServicesDep) -> LorasView:
    """List the adapters in the operator's folder.

    列出管理员目录中的 LoRA。
    """
    return loras_view(services.adapters)
