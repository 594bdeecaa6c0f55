"""The errors of the OpenAPI document: which operation answers with which, and what they look like.

The examples are made by the errors themselves, so that they say what the service says.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field

from gen_video.accounts.errors import InvalidKeyError, TooManyJobsError
from gen_video.api.document_headers import FIRST_ERROR, header_references
from gen_video.api.problems import (
    MEDIA_TYPE,
    WORDS,
    BodyTimeoutError,
    BodyTooLargeError,
    MalformedBodyError,
    UnsupportedBodyError,
    describe_problem,
)
from gen_video.errors import FieldProblem, InvalidRequestError, Language, ServiceError
from gen_video.generation.errors import (
    FileGoneError,
    JobFinishedError,
    JobNotFoundError,
    QueueFullError,
)
from gen_video.generation.runner import DeadlinePassedError
from gen_video.generation.video_requests import VideoUnavailableError
from gen_video.quotas.models import KindQuota, QuotaExceededError
from gen_video.storage.objects import StorageFullError
from gen_video.storage.signatures import LinkExpiredError

SCHEMAS = "#/components/schemas/"
ANSWERS = "#/components/responses/"
REQUEST_ID = "req_5f2d8c1be0947a36d1f0c2ab"
MIDNIGHT = datetime(2026, 12, 1, 16, tzinfo=UTC)

NAMES = {
    400: ("Malformed", "The body cannot be read / 无法读取请求体"),
    401: ("Unauthorized", "API key missing or not valid / 密钥缺失或无效"),
    403: ("Forbidden", "Not allowed / 不允许"),
    404: ("NotFound", "No such thing, or not yours / 不存在或不属于您"),
    408: ("TooSlow", "The body did not arrive in time / 请求体未及时到达"),
    409: ("Conflict", "Not possible in this state / 当前状态下不可行"),
    410: ("Gone", "Deleted or past its retention / 已删除或已过保留期"),
    413: ("TooLarge", "Too large / 请求体过大"),
    415: ("UnsupportedType", "Content type not taken / 不支持的内容类型"),
    422: ("Invalid", "Invalid; `errors` names the fields / 请求无效，详见 `errors`"),
    429: ("TooMany", "Quota used up, or too much at once / 配额用完或请求过多"),
    500: ("Failed", "It failed on our side / 服务内部出错或生成失败"),
    501: ("NotOffered", "This server does not offer it / 此服务未提供该功能"),
    503: ("Unavailable", "Unavailable; see `Retry-After` / 暂不可用，见 `Retry-After`"),
    504: ("DeadlineMissed", "It was not done before its deadline / 未能在期限前完成"),
    507: ("StorageFull", "No room for the result / 存储空间不足"),
}
"""The names of the document's error answers, and what they mean."""

WITH_KEY = (401, 429, 500, 503)
WITH_PLACE = (404,)
WITH_PARAMETERS = (422,)
WITH_BODY = (400, 408, 413, 415, 422)
CURSOR = "after"
"""The parameter of lists that names the last one of the page before."""
FRAMEWORK_SCHEMA = "HTTPValidationError"
"""The body of the errors that the framework would answer with, were it asked."""


class FieldProblemView(BaseModel):
    """One field that is wrong / 一个有误的字段."""

    pointer: str = Field(
        description="JSON pointer into the body / 指向请求体的 JSON Pointer", examples=["/width"]
    )
    code: str = Field(examples=["not_a_multiple"])
    detail: str


class OpenAiErrorView(BaseModel):
    """The same error as OpenAI's clients read it / 供 OpenAI 客户端读取的同一错误."""

    message: str
    type: str
    param: str | None
    code: str


class ProblemView(BaseModel):
    """An error, by RFC 9457 / 错误."""

    type: str = Field(json_schema_extra={"format": "uri-reference"})
    title: str
    status: int
    detail: str = Field(description="For people, in their language / 面向用户的说明")
    instance: str = Field(json_schema_extra={"format": "uri-reference"})
    code: str = Field(
        description="For programs, stable / 稳定的错误码", examples=["quota_exceeded"]
    )
    request_id: str = Field(description="Quote it in reports / 反馈问题时请附上")
    errors: list[FieldProblemView]
    error: OpenAiErrorView


def error_schemas() -> dict[str, Any]:
    """Return the schemas of errors, by name."""
    problem = ProblemView.model_json_schema(ref_template=f"{SCHEMAS}{{model}}")
    inner: dict[str, Any] = problem.pop("$defs")
    return inner | {"ProblemView": problem}


def error_answers() -> dict[str, Any]:
    """Return the error answers that operations refer to, by name."""
    return {name: error_answer(status) for status, (name, _) in NAMES.items()}


def error_answer(status: int, description: str | None = None) -> dict[str, Any]:
    """Return an error answer.

    Args:
        status: Of the answer; one of `NAMES`.
        description: In place of the general one.
    """
    headers = ["X-Request-Id", *_HEADERS.get(status, ())]
    return {
        "description": description or NAMES[status][1],
        "headers": header_references(*headers),
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": f"{SCHEMAS}ProblemView"},
                "examples": dict(_examples(status)),
            }
        },
    }


def add_errors(operation: dict[str, Any]) -> None:
    """Add to an operation the errors that follow from what it takes.

    Errors that a route declares itself keep their own words.
    """
    answers = operation["responses"]
    if FRAMEWORK_SCHEMA in json.dumps(answers.get("422", {})):
        del answers["422"]
    for status in sorted({*_expected(operation), *_declared(operation)}):
        own = answers.pop(str(status), None)
        if own is None or _is_bare(status, own):
            answers[str(status)] = {"$ref": f"{ANSWERS}{NAMES[status][0]}"}
        else:
            answers[str(status)] = own if "content" in own else _filled(status, own)


def _expected(operation: dict[str, Any]) -> Iterator[int]:
    if operation.get("security"):
        yield from WITH_KEY
    parameters = operation.get("parameters", ())
    places = {parameter.get("in", "header") for parameter in parameters}
    if "path" in places or any(parameter.get("name") == CURSOR for parameter in parameters):
        yield from WITH_PLACE
    if places & {"query", "header"}:
        yield from WITH_PARAMETERS
    if "requestBody" in operation:
        yield from WITH_BODY


def _declared(operation: dict[str, Any]) -> Iterator[int]:
    for status in operation["responses"]:
        if status.isdecimal() and int(status) >= FIRST_ERROR and int(status) in NAMES:
            yield int(status)


def _is_bare(status: int, own: dict[str, Any]) -> bool:
    """Tell whether a route names a status and nothing else."""
    return "content" not in own and own["description"] == HTTPStatus(status).phrase


def _filled(status: int, own: dict[str, Any]) -> dict[str, Any]:
    answer = error_answer(status, own.get("description"))
    return answer | {"headers": answer["headers"] | own.get("headers", {})}


_HEADERS = {
    401: ("WWW-Authenticate",),
    429: ("Retry-After", "RateLimit", "RateLimit-Policy", "X-Should-Retry"),
    503: ("Retry-After",),
}


def _examples(status: int) -> Iterator[tuple[str, dict[str, Any]]]:
    for error in _errors(status):
        for language, title in (("zh", "中文"), ("en", "English")):
            yield (
                f"{error.code} {title}",
                {
                    "summary": f"{error.code} ({title})",
                    "value": _example(error, "zh" if language == "zh" else "en"),
                },
            )


def _example(error: ServiceError, language: Language) -> dict[str, Any]:
    fields = error.problems if isinstance(error, InvalidRequestError) else ()
    return describe_problem(
        status=error.status,
        code=error.code,
        detail=error.message(language),
        instance="/api/v1/…",
        request_id=REQUEST_ID,
        errors=[
            {"pointer": field.pointer, "code": field.code, "detail": field.message(language)}
            for field in fields
        ],
    )


class _UnexpectedError(ServiceError):
    code, message_en, message_zh = WORDS[HTTPStatus.INTERNAL_SERVER_ERROR]


def _errors(status: int) -> tuple[ServiceError, ...]:
    found = tuple(error for error in _samples() if error.status == status)
    if not found:
        raise LookupError(status)
    return found


def _samples() -> Iterator[ServiceError]:
    yield MalformedBodyError(
        reason="invalid JSON at line 1, column 12", reason_zh="第 1 行第 12 列不是有效的 JSON"
    )
    yield InvalidKeyError()
    yield LinkExpiredError()
    yield JobNotFoundError()
    yield BodyTimeoutError(seconds=60)
    yield JobFinishedError(state="succeeded")
    yield FileGoneError()
    yield BodyTooLargeError(limit=1_048_576)
    yield UnsupportedBodyError()
    yield InvalidRequestError(
        FieldProblem(
            pointer="/width",
            code="not_a_multiple",
            en="width must be a multiple of 8",
            zh="width 应为 8 的倍数",
        )
    )
    yield QuotaExceededError(
        kind="image",
        quota=KindQuota(limit=10, used=10, reserved=0),
        units=1,
        resets_at=MIDNIGHT,
        seconds=3600,
    )
    yield TooManyJobsError(limit=20)
    yield _UnexpectedError()
    yield VideoUnavailableError()
    yield QueueFullError()
    yield DeadlinePassedError()
    yield StorageFullError("no space left")
