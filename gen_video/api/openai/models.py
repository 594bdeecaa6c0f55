"""Models in OpenAI's words: `GET /v1/models`."""

from fastapi import APIRouter, Request

from gen_video.api.dependencies import SECURITY, CallerDep, ServicesDep
from gen_video.api.openai import PREFIX
from gen_video.api.openai.shapes import OpenAiModelListView, OpenAiModelView
from gen_video.api.openai.views import model_view
from gen_video.api.problems import language_of
from gen_video.errors import NotFoundError

router = APIRouter(prefix=f"{PREFIX}/models", tags=["openai"], dependencies=SECURITY)


class ModelNotFoundError(NotFoundError):
    """Neither a model on offer nor a name that one answers to."""

    code = "model_not_found"
    message_en = "There is no such model. GET /v1/models lists what is on offer."
    message_zh = "模型不存在，可通过 GET /v1/models 查看可用模型。"


@router.get("", operation_id="openai_list_models", summary="Models / 可用模型（OpenAI 格式）")
async def list_models(
    request: Request, _caller: CallerDep, services: ServicesDep
) -> OpenAiModelListView:
    """List the models on offer; hosted names that they answer to are not listed.

    列出可用模型，不含托管服务的别名。
    """
    language = language_of(request)
    catalogue = services.catalogue
    data = [model_view(spec, catalogue, language) for spec in catalogue.list_models()]
    return OpenAiModelListView(data=data)


@router.get(
    "/{name}", operation_id="openai_get_model", summary="One model / 查询模型（OpenAI 格式）"
)
async def get_model(
    name: str, request: Request, _caller: CallerDep, services: ServicesDep
) -> OpenAiModelView:
    """Read a model on offer, or which one answers to a hosted name.

    查询模型，或托管服务名称对应的模型。
    """
    model_id = services.aliases.find(name)
    spec = None if model_id is None else services.catalogue.find(model_id)
    if spec is None:
        raise ModelNotFoundError
    return model_view(spec, services.catalogue, language_of(request), name=name)
