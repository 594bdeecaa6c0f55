"""The OpenAPI document: our words, and what the framework cannot know of our operations."""

import json
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from gen_video import __version__
from gen_video.api.deprecations import DEPRECATIONS
from gen_video.api.document_errors import add_errors, error_answers, error_schemas
from gen_video.api.document_headers import add_headers, header_schemas, parameter_schemas
from gen_video.api.examples import answer_examples
from gen_video.api.openai.examples import openai_event_schemas, openai_examples
from gen_video.api.openai.request_bodies import openai_schemas
from gen_video.api.v1.event_shapes import event_schemas
from gen_video.api.v1.fields import body_schemas
from gen_video.api.v1.video_fields import video_schemas
from gen_video.api.v1.webhook_examples import webhook_examples
from gen_video.api.v1.webhook_shapes import webhook_schemas

DESCRIPTION = """
Pictures and videos over HTTP: an API key, a daily quota, a job, a file.

- Send the key as `X-API-Key: …` or `Authorization: Bearer …`.
- Errors are `application/problem+json`; `code` is stable, `detail` follows `Accept-Language`.
- Every answer carries `X-Request-Id`; quote it when you report a problem.
- New fields, values and addresses may appear at any time; clients ignore what they do not know.

---

通过 HTTP 生成图像与视频：API 密钥、每日配额、任务、文件。

- 在请求头 `X-API-Key` 或 `Authorization: Bearer` 中提供密钥。
- 错误为 `application/problem+json`：`code` 稳定不变，`detail` 的语言由 `Accept-Language` 决定。
- 每个响应都带有 `X-Request-Id`，反馈问题时请附上。
- 可能随时增加新的字段、取值与接口；客户端应忽略不认识的内容。

```bash
curl -X POST http://localhost:8000/api/v1/images/generate \\
  -H 'X-API-Key: test-key-123' -H 'Content-Type: application/json' \\
  -d '{"prompt": "一个美丽的风景"}'
```
"""
SUMMARY = "Self-hosted image and video generation / 自托管的图像与视频生成服务"
CONTACT = {"name": "Whoever runs this service / 本服务的管理员"}
LICENCE = {"name": "Apache License 2.0", "identifier": "Apache-2.0"}
SERVERS = [{"url": "/", "description": "This service / 本服务"}]

TAGS = [
    {"name": "images", "description": "Generate pictures / 生成图像"},
    {"name": "videos", "description": "Generate videos / 生成视频"},
    {"name": "jobs", "description": "Follow, cancel, list, delete / 跟踪、取消、列出、删除任务"},
    {"name": "files", "description": "Finished files / 已生成的文件"},
    {"name": "webhooks", "description": "Be told when a job ends / 任务结束时通知您"},
    {"name": "openai", "description": "For clients of OpenAI / 供 OpenAI 客户端使用"},
    {"name": "quota", "description": "What is left today / 今日剩余配额"},
    {"name": "models", "description": "What is on offer / 可用模型与 LoRA"},
    {"name": "health", "description": "Is the service well / 服务状态"},
]

FORM, JSON = "multipart/form-data", "application/json"
PICTURES = "image/png, image/jpeg, image/webp"
FRAMEWORK_SUCCESS, SUCCESS = "Successful Response", "Success / 成功"
FRAMEWORK_SCHEMAS = ("HTTPValidationError", "ValidationError")


def build_document(app: FastAPI) -> dict[str, Any]:
    """Return an application's OpenAPI document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title="gen_video API",
            version=__version__,
            summary=SUMMARY,
            description=DESCRIPTION,
            contact=CONTACT,
            license_info=LICENCE,
            tags=TAGS,
            routes=app.routes,
            servers=SERVERS,
        )
        app.openapi_schema = _complete(document)
    return app.openapi_schema


def _complete(document: dict[str, Any]) -> dict[str, Any]:
    """Add what the framework cannot know, in place of what it guessed."""
    _add_components(document["components"])
    examples = answer_examples() | openai_examples() | webhook_examples()
    for path, operation in _list_operations(document):
        if path in DEPRECATIONS:
            operation["deprecated"] = True
        _add_examples(operation, examples.get(operation["operationId"], {}))
        add_headers(operation)
        add_errors(operation)
        _describe_files(operation, document["components"]["schemas"])
    for schema in document["components"]["schemas"].values():
        _drop_null_defaults(schema)
    return document


def _add_components(components: dict[str, Any]) -> None:
    schemas = components["schemas"]
    for name in FRAMEWORK_SCHEMAS:
        schemas.pop(name, None)
    for schema in schemas.values():
        # Answers grow: a client that refuses unknown fields would break at the next one.
        if schema.get("additionalProperties") is False:
            del schema["additionalProperties"]
    schemas |= error_schemas() | event_schemas() | body_schemas() | video_schemas()
    schemas |= openai_schemas() | openai_event_schemas() | webhook_schemas()
    components["headers"] = header_schemas()
    components["parameters"] = parameter_schemas()
    components["responses"] = error_answers()


def _list_operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        for operation in operations.values():
            yield path, operation


def _add_examples(operation: dict[str, Any], examples: dict[str, Any]) -> None:
    for answer in operation["responses"].values():
        if answer["description"] == FRAMEWORK_SUCCESS:
            answer["description"] = SUCCESS
    for status, example in examples.items():
        for kind, content in operation["responses"][status]["content"].items():
            if kind == JSON:
                content.setdefault("example", example)


def _describe_files(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Say what the files of a form may be."""
    form = operation.get("requestBody", {}).get("content", {}).get(FORM)
    if form is None or "encoding" in form:
        return
    properties = schemas[form["schema"]["$ref"].rpartition("/")[2]]["properties"]
    files = [name for name, entry in properties.items() if '"binary"' in json.dumps(entry)]
    if files:
        form["encoding"] = {name: {"contentType": PICTURES} for name in files}


def _drop_null_defaults(schema: dict[str, Any]) -> None:
    """Leave out that what may be left out is nothing then: generators take it for a value."""
    for entry in schema.get("properties", {}).values():
        if entry.get("default", ...) is None:
            del entry["default"]
