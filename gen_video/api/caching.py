"""HTTP caching (RFC 9110, 13; RFC 9111): tags of answers, and answers that need not be sent again.

An answer that may be compressed has a weak tag: its bytes depend on `Accept-Encoding`.
"""

import hashlib
from http import HTTPStatus
from os import PathLike, stat_result

from fastapi import Request
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from starlette.types import Scope
from typing_extensions import override

REVALIDATE = "no-cache"
"""Keep it, and ask each time whether it is still good."""
MAX_FILE_SECONDS = 50
"""A deleted file may be seen for a minute at most; ten seconds are for slow answers and clocks."""


def has_match(request: Request, etag: str) -> bool:
    """Tell whether the client has this version already (RFC 9110, 13.1.2: weak comparison)."""
    known = request.headers.get("if-none-match", "")
    tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
    return etag.removeprefix("W/") in tags or known.strip() == "*"


def cacheable_json(
    request: Request, content: object, *, is_private: bool, vary: str | None = None
) -> Response:
    """Return JSON with a tag, or 304 without a body when the client has it.

    Args:
        request: What is answered.
        content: A view, or what `json` can write.
        is_private: Whether only the asking client may keep it.
        vary: Request headers that the content depends on.
    """
    value = content.model_dump(mode="json") if isinstance(content, BaseModel) else content
    answer = JSONResponse(value)
    etag = f'W/"{hashlib.sha256(answer.body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": REVALIDATE}
    if is_private:
        headers["Cache-Control"] = f"private, {REVALIDATE}"
    if vary is not None:
        headers["Vary"] = vary
    if has_match(request, etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    answer.headers.update(headers)
    return answer


def file_cache_control(*, access: str, seconds_left: float | None = None) -> str:
    """Return how long whom a finished file may be kept by, without asking again.

    Files never change, but they are deleted: a copy lives for less than a minute, then its tag is
    compared. What needs a key is for the asking client alone, and compared every time.

    Args:
        access: `link`, `key` or `signed`, as the setting says.
        seconds_left: Until a signed link expires; None when a key let the client in.
    """
    if access == "key" or (access == "signed" and seconds_left is None):
        return f"private, {REVALIDATE}"
    seconds = MAX_FILE_SECONDS if seconds_left is None else min(MAX_FILE_SECONDS, seconds_left)
    return f"public, max-age={max(0, int(seconds))}, must-revalidate"


class TaggedFiles(StaticFiles):
    """Files of this version, kept by browsers and compared by their tag each time."""

    @override
    def file_response(
        self,
        full_path: str | PathLike[str],
        stat_result: stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        answer = super().file_response(full_path, stat_result, scope, status_code)
        answer.headers["Cache-Control"] = REVALIDATE
        return answer
