"""From an answer to the error that it stands for."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpx

from gen_video.client import errors

QUOTA_EXCEEDED = "quota_exceeded"
REFUSED_FROM = 400
SERVER_FROM = 500
BY_STATUS: dict[int, type[errors.ApiError]] = {
    400: errors.ValidationError,
    401: errors.AuthenticationError,
    402: errors.InsufficientBalanceError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    409: errors.ConflictError,
    410: errors.NotFoundError,
    413: errors.ValidationError,
    415: errors.ValidationError,
    422: errors.ValidationError,
    429: errors.RateLimitedError,
}


def read_refusal(response: httpx.Response, body: bytes) -> errors.ApiError:
    """Return the error that an answer stands for; also of a proxy that answers for the service."""
    status = response.status_code
    values = _read_object(body)
    code = _text(values.get("code")) or f"http_{status}"
    detail = _text(values.get("detail")) or f"the service answered {status} {_phrase(status)}"
    return _choose(status, code)(
        status=status,
        code=code,
        detail=detail,
        request_id=_text(values.get("request_id")) or response.headers.get("x-request-id", ""),
        errors=_read_fields(values.get("errors")),
        retry_after_seconds=read_retry_after(response.headers, now=datetime.now(UTC)),  # noqa: TID251 - the client stands alone
        body=values,
    )


def read_retry_after(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Return the seconds of a `Retry-After` header, a number or a date; None without one."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def _choose(status: int, code: str) -> type[errors.ApiError]:
    if code == QUOTA_EXCEEDED:
        return errors.QuotaExceededError
    if status >= SERVER_FROM:
        return errors.ServerError
    return BY_STATUS.get(status, errors.ApiError)


def _read_object(body: bytes) -> dict[str, Any]:
    try:
        values = json.loads(body)
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def _read_fields(given: object) -> tuple[errors.FieldError, ...]:
    if not isinstance(given, list):
        return ()
    return tuple(
        errors.FieldError(
            pointer=_text(item.get("pointer")),
            code=_text(item.get("code")),
            detail=_text(item.get("detail")),
        )
        for item in given
        if isinstance(item, dict)
    )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
