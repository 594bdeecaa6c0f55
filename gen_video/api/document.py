"""The OpenAPI document: our words, and the error body that every operation may answer with."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, Field

from gen_video import __version__
from gen_video.api.v1.fields import body_schemas
from gen_video.api.v1.video_fields import video_schemas

DESCRIPTION = """
Images over HTTP: an API key, a daily quota, a job, a file.

- Send the key as `X-API-Key: …` or `Authorization: Bearer …`.
- Errors are `application/problem+json`; `code` is stable, `detail` follows `Accept-Language`.
- Every answer carries `X-Request-Id`; quote it when you report a problem.

---

通过 HTTP 生成图像：API 密钥、每日配额、任务、文件。

- 在请求头 `X-API-Key` 或 `Authorization: Bearer` 中提供密钥。
- 错误为 `application/problem+json`：`code` 稳定不变，`detail` 的语言由 `Accept-Language` 决定。
- 每个响应都带有 `X-Request-Id`，反馈问题时请附上。

```bash
curl -X POST http://localhost:8000/api/v1/images/generate \\
  -H 'X-API-Key: test-key-123' -H 'Content-Type: application/json' \\
  -d '{"prompt": "一个美丽的风景"}'
```
"""

TAGS = [
    {"name": "images", "description": "Generate pictures / 生成图像"},
    {"name": "videos", "description": "Not in this version / 此版本尚未提供"},
    {"name": "jobs", "description": "Follow, cancel, list, delete / 跟踪、取消、列出、删除任务"},
    {"name": "files", "description": "Finished files / 已生成的文件"},
    {"name": "quota", "description": "What is left today / 今日剩余配额"},
    {"name": "models", "description": "What is on offer / 可用模型与 LoRA"},
    {"name": "health", "description": "Is the service well / 服务状态"},
]

MEDIA_TYPE = "application/problem+json"
ERRORS = {
    "401": "API key missing or not valid / 密钥缺失或无效",
    "404": "No such thing, or not yours / 不存在或不属于您",
    "409": "Not possible in this state / 当前状态下不可行",
    "410": "Deleted or past its retention / 已删除或已过保留期",
    "413": "Too large / 请求体过大",
    "415": "Content type not taken / 不支持的内容类型",
    "422": "Invalid request; `errors` names the fields / 请求无效，详见 `errors`",
    "429": "Quota used up, or too many jobs / 配额用完或任务过多",
    "500": "The generation failed / 生成失败",
    "503": "Unavailable; see `Retry-After` / 暂不可用，见 `Retry-After`",
}
ALWAYS = ("401",)
OF_METHOD = {
    "get": ("404", "422"),
    "post": ("404", "409", "413", "415", "422", "429", "500", "503"),
    "delete": ("404", "409"),
}
OPEN_TAG = "health"


class FieldProblemView(BaseModel):
    """One field that is wrong / 一个有误的字段."""

    pointer: str = Field(examples=["/width"])
    code: str = Field(examples=["not_a_multiple"])
    detail: str


class OpenAiErrorView(BaseModel):
    """The same error as OpenAI's clients read it."""

    message: str
    type: str
    param: str | None
    code: str


class ProblemView(BaseModel):
    """An error, by RFC 9457 / 错误."""

    type: str
    title: str
    status: int
    detail: str = Field(description="For people, in their language / 面向用户的说明")
    instance: str
    code: str = Field(
        description="For programs, stable / 稳定的错误码", examples=["quota_exceeded"]
    )
    request_id: str
    errors: list[FieldProblemView]
    error: OpenAiErrorView


def build_document(app: FastAPI) -> dict[str, Any]:
    """Return an application's OpenAPI document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title="gen_video API",
            version=__version__,
            description=DESCRIPTION,
            tags=TAGS,
            routes=app.routes,
            servers=[{"url": "/"}],
        )
        app.openapi_schema = _describe_errors(document)
    return app.openapi_schema


def _describe_errors(document: dict[str, Any]) -> dict[str, Any]:
    """Add the error answers to every operation, in place of the framework's own."""
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    template = "#/components/schemas/{model}"
    problem = ProblemView.model_json_schema(ref_template=template)
    schemas |= problem.pop("$defs")
    schemas["ProblemView"] = problem
    schemas |= body_schemas() | video_schemas()
    for path in document["paths"].values():
        for method, operation in path.items():
            _describe_operation(operation, method)
    return document


def _describe_operation(operation: dict[str, Any], method: str) -> None:
    answers = operation["responses"]
    answers.pop("422", None)
    if OPEN_TAG in operation.get("tags", ()):
        return
    for status in (*ALWAYS, *OF_METHOD.get(method, ())):
        answers[status] = {
            "description": ERRORS[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemView"}}},
        }
