"""Errors on the wire: one body for two kinds of reader.

`application/problem+json` (RFC 9457) with our stable `code` and `errors[]` with JSON pointers,
plus the `error` object that OpenAI's clients read. `detail` is in the reader's language.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import quote

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

from gen_video.errors import FieldProblem, InvalidRequestError, Language, ServiceError
from gen_video.quotas.models import QuotaExceededError

MEDIA_TYPE = "application/problem+json"
UNQUOTED = "/:@!$&'()*+,;="
"""What a path may hold as it is (RFC 3986, 3.3)."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
MAX_ERRORS = 20
RETRIED = (HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS)
TYPE_PREFIX = "https://gen-video.invalid/problems/"
WORDS: dict[int, tuple[str, str, str]] = {
    400: ("bad_request", "The request could not be read.", "无法读取该请求。"),
    404: ("not_found", "There is nothing at this address.", "该地址不存在。"),
    405: ("method_not_allowed", "This address does not take this method.", "该地址不支持此方法。"),
    406: ("not_acceptable", "The asked-for format is not offered.", "不支持所请求的格式。"),
    413: ("body_too_large", "The request body is too large.", "请求体过大。"),
    415: ("unsupported_media_type", "This content type is not taken.", "不支持该内容类型。"),
    500: (
        "internal_error",
        "Something went wrong on our side. Please retry; if it stays, report the request id.",
        "服务内部出错，请重试；若仍失败，请提供 request id 反馈。",
    ),
}

log = structlog.get_logger(__name__)


class MalformedBodyError(ServiceError):
    """The body is no valid JSON object or form."""

    code = "malformed_body"
    status = 400
    message_en = "The request body cannot be read: {reason}"
    message_zh = "无法读取请求体：{reason_zh}"


class UnsupportedBodyError(ServiceError):
    """The body's content type or encoding is not taken."""

    code = "unsupported_media_type"
    status = 415
    message_en = "Send application/json or multipart/form-data, not compressed."
    message_zh = "请使用 application/json 或 multipart/form-data，且不要压缩。"


class BodyTooLargeError(ServiceError):
    """The body has more bytes than allowed."""

    code = "body_too_large"
    status = 413
    message_en = "The request body is larger than {limit} bytes."
    message_zh = "请求体超过 {limit} 字节。"


class BodyTimeoutError(ServiceError):
    """The body did not arrive in time."""

    code = "body_timeout"
    status = 408
    message_en = "The request body did not arrive within {seconds} s."
    message_zh = "请求体未在 {seconds} 秒内到达。"


class BadHeaderError(ServiceError):
    """A request header is malformed."""

    code = "invalid_header"
    status = 422
    message_en = "The header {header} is invalid: {reason}"
    message_zh = "请求头 {header} 无效：{reason_zh}"


class ProblemPages(Protocol):
    """Shows errors to people with a browser; `app.state.problem_pages` where there are pages."""

    def takes(self, request: Request) -> bool:
        """Tell whether an error is for somebody who looks at a page."""

    def language_of(self, request: Request) -> Language:
        """Return what the visitor reads."""

    def show(
        self,
        request: Request,
        *,
        status: int,
        code: str,
        detail: str,
        errors: Sequence[Mapping[str, str]],
        headers: Mapping[str, str],
    ) -> Response:
        """Return the answer to a request that failed."""


def preferred_language(accept_language: str) -> Language:
    """Return the better of our two languages for an Accept-Language header; English by default."""
    best: tuple[float, Language] = (0.0, "en")
    for part in accept_language.split(",")[:20]:
        name, _, parameters = part.strip().partition(";")
        try:
            quality = float(parameters.partition("=")[2]) if parameters.strip() else 1.0
        except ValueError:
            continue
        language: Language | None = None
        if name.lower().startswith("zh"):
            language = "zh"
        elif name.lower().startswith("en"):
            language = "en"
        if language is not None and quality > best[0]:
            best = (quality, language)
    return best[1]


def language_of(request: Request) -> Language:
    """Return the language that a request's sender reads."""
    pages = _find_pages(request)
    if pages is not None:
        return pages.language_of(request)
    return preferred_language(request.headers.get("accept-language", ""))


def problem(
    request: Request,
    *,
    status: int,
    code: str,
    detail: str,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> JSONResponse:
    """Return an error response for programs."""
    body = describe_problem(
        status=status,
        code=code,
        detail=detail,
        instance=quote(request.url.path, UNQUOTED, errors="replace"),
        request_id=getattr(request.state, "request_id", ""),
        errors=errors,
    )
    return JSONResponse(
        body | dict(extra or {}),
        status_code=status,
        headers=dict(headers or {}),
        media_type=MEDIA_TYPE,
    )


def describe_problem(
    *,
    status: int,
    code: str,
    detail: str,
    instance: str,
    request_id: str,
    errors: Sequence[Mapping[str, str]] = (),
) -> dict[str, Any]:
    """Return the body of an error response."""
    param = errors[0]["pointer"].lstrip("/") if errors else None
    return {
        "type": TYPE_PREFIX + code,
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": instance,
        "code": code,
        "request_id": request_id,
        "errors": list(errors),
        "error": {"message": detail, "type": openai_type(status), "param": param, "code": code},
    }


def service_problem(
    request: Request, error: ServiceError, *, extra: Mapping[str, Any] | None = None
) -> Response:
    """Return the response for one of our own errors."""
    language = language_of(request)
    headers: dict[str, str] = {"Content-Language": language}
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="gen_video"'
    if isinstance(error, QuotaExceededError):
        headers |= _quota_headers(error)
    is_repeated = error.status in RETRIED or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    if is_repeated and not error.is_retryable:
        # OpenAI's clients ask again by themselves, unless they are told that it is in vain.
        headers["x-should-retry"] = "false"
    errors = (
        [_field(item, language) for item in error.problems[:MAX_ERRORS]]
        if isinstance(error, InvalidRequestError)
        else []
    )
    return _tell(
        request,
        status=error.status,
        code=error.code,
        detail=error.message(language),
        errors=errors,
        headers=headers,
        extra=extra,
    )


def install(app: FastAPI) -> None:
    """Make every error of an application take this form."""
    app.add_exception_handler(ServiceError, _on_service_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_error)


def internal_problem(request: Request) -> Response:
    """Return the answer to an unexpected exception; it says nothing of the cause."""
    return _worded(request, HTTPStatus.INTERNAL_SERVER_ERROR)


async def _on_service_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, ServiceError):
        raise error
    if isinstance(error, QuotaExceededError):
        tier = getattr(request.state, "tier", "unknown")
        request.app.state.services.metrics.quota_refused(kind=error.kind, tier=tier)
    return service_problem(request, error)


async def _on_http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_allowed_methods(request))
    return _worded(request, error.status_code, headers=headers)


def _allowed_methods(request: Request) -> list[str]:
    """Return every method that an address takes; the framework names those of one route."""
    taken = {
        method
        for method in METHODS
        for route in request.app.router.routes
        if route.matches({**request.scope, "method": method})[0] is Match.FULL
    }
    # HEAD is answered like GET; and what only has files finds itself at no route.
    if "GET" in taken or not taken:
        taken |= {"GET", "HEAD"}
    return sorted(taken)


async def _on_validation_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    return service_problem(request, InvalidRequestError(*field_problems(error.errors())))


def field_problems(errors: Sequence[Mapping[str, Any]]) -> list[FieldProblem]:
    """Translate pydantic's findings; the offending values are not repeated."""
    problems: list[FieldProblem] = []
    for error in errors[:MAX_ERRORS]:
        where = [str(part)[:60] for part in error["loc"] if part != "body"]
        pointer = "/" + "/".join(part.replace("~", "~0").replace("/", "~1") for part in where)
        pointer = pointer.encode("utf-8", "replace").decode()
        name = where[-1] if where else "body"
        name = name.encode("utf-8", "replace").decode()
        kind = str(error["type"])
        text = str(error["msg"]).encode("utf-8", "replace").decode()
        problems.append(
            FieldProblem(
                pointer=pointer,
                code="unknown_field" if kind == "extra_forbidden" else kind,
                en=f"{name}: {text}",
                zh=f"{name}：{_ZH.get(kind, text)}",
            )
        )
    return problems


_ZH = {
    "extra_forbidden": "未知字段，请删除或检查拼写",
    "missing": "缺少必填字段",
    "int_type": "应为整数",
    "int_parsing": "应为整数",
    "int_from_float": "应为整数",
    "float_type": "应为数字",
    "float_parsing": "应为数字",
    "finite_number": "应为有限数字",
    "string_type": "应为字符串",
    "string_too_long": "文本过长",
    "string_unicode": "含有无效的 Unicode 字符",
    "enum": "不是允许的取值",
    "literal_error": "不是允许的取值",
    "greater_than_equal": "数值过小",
    "less_than_equal": "数值过大",
    "dict_type": "应为对象",
    "list_type": "应为数组",
    "model_type": "应为 JSON 对象",
    "model_attributes_type": "应为 JSON 对象",
}


def _tell(
    request: Request,
    *,
    status: int,
    code: str,
    detail: str,
    headers: Mapping[str, str],
    errors: Sequence[Mapping[str, str]] = (),
    extra: Mapping[str, Any] | None = None,
) -> Response:
    pages = _find_pages(request)
    if pages is None:
        return problem(
            request,
            status=status,
            code=code,
            detail=detail,
            errors=errors,
            headers=headers,
            extra=extra,
        )
    return pages.show(
        request, status=status, code=code, detail=detail, errors=errors, headers=headers
    )


def _find_pages(request: Request) -> ProblemPages | None:
    pages: ProblemPages | None = getattr(request.app.state, "problem_pages", None)
    return pages if pages is not None and pages.takes(request) else None


def _worded(request: Request, status: int, *, headers: Mapping[str, str] | None = None) -> Response:
    code, en, zh = WORDS.get(status, ("http_error", HTTPStatus(status).phrase, "请求出错。"))
    language = language_of(request)
    return _tell(
        request,
        status=status,
        code=code,
        detail=zh if language == "zh" else en,
        headers={"Content-Language": language} | dict(headers or {}),
    )


def _field(item: FieldProblem, language: Language) -> dict[str, str]:
    return {"pointer": item.pointer, "code": item.code, "detail": item.message(language)}


def _quota_headers(error: QuotaExceededError) -> dict[str, str]:
    name = f"{error.kind}s"
    return {
        "RateLimit-Policy": f'"{name}-day";q={error.quota.limit};w=86400;qu="{name}"',
        "RateLimit": f'"{name}-day";r={error.quota.remaining};t={error.retry_after_seconds}',
    }


def openai_type(status: int) -> str:
    """Return the kind of error, as OpenAI's clients know it."""
    if status == HTTPStatus.UNAUTHORIZED:
        return "authentication_error"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "rate_limit_error"
    return "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
