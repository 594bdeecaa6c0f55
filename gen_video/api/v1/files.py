"""Finished files: `GET` and `HEAD /files/images/{name}`.

An unguessable name is the capability, as existing clients expect; a setting asks for the owner's
key too, or for a signed link that expires.
The artifact row decides which bytes a name stands for, so a publishing that a crash cut short
changes nothing here.
"""

from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from typing import Annotated, NamedTuple

import structlog
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import (
    FileResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import ClientDisconnect

from gen_video.api.caching import file_cache_control, has_match
from gen_video.api.dependencies import ServicesDep, find_key, require_caller
from gen_video.api.v1 import PREFIX
from gen_video.clock import utc_now
from gen_video.errors import ServiceError
from gen_video.generation.models import Artifact
from gen_video.storage.objects import DownloadMethod, ObjectMissingError
from gen_video.storage.ranges import find_part, is_range
from gen_video.storage.signatures import LinkExpiredError, LinkInvalidError
from gen_video.wiring import Services

MAX_RANGES = 4
FOLDER = f"{PREFIX}/files/"
CONTENT = {
    mime: {"schema": {"type": "string", "format": "binary", "contentMediaType": mime}}
    for mime in (
        *("image/png", "image/jpeg", "image/webp", "image/gif"),
        *("video/mp4", "video/webm"),
    )
}
NO_SUCH_PART = {"text/plain": {"schema": {"type": "string"}}}

log = structlog.get_logger(__name__)

router = APIRouter(prefix=PREFIX, tags=["files"])


class _StoredFile(FileResponse):
    max_ranges = MAX_RANGES


@router.head("/files/{folder}/{name}", include_in_schema=False)
@router.get(
    "/files/{folder}/{name}",
    response_class=FileResponse,
    operation_id="get_file",
    summary="A finished file / 获取文件",
    responses={
        200: {"content": CONTENT, "description": "The file / 文件"},
        206: {"content": CONTENT, "description": "A part / 部分内容"},
        307: {"description": "It is fetched from the object store / 跳转至对象存储下载"},
        401: {"description": "The operator asks for a key / 管理员要求提供密钥"},
        403: {"description": "The link is invalid or has expired / 链接无效或已过期"},
        410: {},
        416: {"content": NO_SUCH_PART, "description": "There is no such part / 请求的范围不存在"},
        503: {},
    },
    openapi_extra={"security": [{}, {"ApiKey": []}, {"Bearer": []}]},
)
async def get_file(
    request: Request,
    services: ServicesDep,
    folder: Annotated[str, Path(examples=["images"], description="images, videos")],
    name: Annotated[str, Path(examples=["job_4bDk2Qv9sTnW1xYz8aLm3P.png"])],
    *,
    expires: Annotated[str, Query(description="Of a signed link / 签名链接的到期时间")] = "",
    signature: Annotated[str, Query(description="Of a signed link / 签名链接的签名")] = "",
) -> Response:
    """Send a finished file; `Range`, `If-None-Match` and `HEAD` are understood.

    下载文件：支持 `Range`、`If-None-Match` 与 `HEAD`。
    """
    asked = _Asked(f"{folder}/{name}", expires, signature)
    artifact = await _find(request, services, asked)
    cache_control = _cache_control(request, services, asked)
    try:
        return await send_file(request, services, artifact, cache_control=cache_control)
    except ObjectMissingError:
        # Deleted since it was looked up: say so, if that is why.
        await _find(request, services, asked)
        raise


async def send_file(
    request: Request, services: Services, artifact: Artifact, *, cache_control: str
) -> Response:
    """Send a file that the client may have, as far as it has not got it already.

    Raises:
        ObjectMissingError: It was deleted meanwhile.
    """
    name = artifact.public_name.rpartition("/")[2]
    headers = _headers(artifact, name) | {"Cache-Control": cache_control}
    if has_match(request, headers["ETag"]):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return await _deliver(request, services, artifact, headers=headers)


class _Asked(NamedTuple):
    """A file's public name, and the signed link to it, if it is one."""

    name: str
    expires: str
    signature: str


async def _find(request: Request, services: Services, asked: _Asked) -> Artifact:
    access = services.settings.file_access
    if access == "link" or (access == "signed" and _is_let_in(request, services, asked)):
        return await services.threads.run(services.jobs.get_file, asked.name)
    caller = await require_caller(request, services)
    return await services.threads.run(services.jobs.get_file_of, caller, asked.name)


def _is_let_in(request: Request, services: Services, asked: _Asked) -> bool:
    """Tell whether a link lets its holder in; with a key, a link may be wrong or old.

    Nobody has looked yet whether there is such a file: what a wrong link answers says nothing.
    """
    if not (asked.expires or asked.signature):
        return False
    try:
        services.links.require_valid(
            asked.name,
            expires=asked.expires,
            signature=asked.signature,
            now=utc_now().timestamp(),
        )
    except (LinkInvalidError, LinkExpiredError):
        if find_key(request) is None:
            raise
        return False
    return True


async def _deliver(
    request: Request, services: Services, artifact: Artifact, *, headers: dict[str, str]
) -> Response:
    """Send a file from this machine, or from where it is; or tell where that is."""
    if services.settings.file_delivery == "redirect":
        url = await _find_elsewhere(request, services, artifact)
        if url is not None:
            return RedirectResponse(url, headers={"Cache-Control": "no-store"})
    path = await services.threads.run(services.objects.local_path, artifact.storage_key)
    if path is not None:
        _forget_bad_range(request)
        return _StoredFile(path, media_type=artifact.mime, headers=headers)
    return await _send_remote(request, services, artifact, headers=headers)


async def _find_elsewhere(request: Request, services: Services, artifact: Artifact) -> str | None:
    method: DownloadMethod = "HEAD" if request.method == "HEAD" else "GET"
    return await services.threads.run(
        services.objects.download_url,
        artifact.storage_key,
        seconds=services.settings.file_url_seconds,
        method=method,
    )


async def _send_remote(
    request: Request, services: Services, artifact: Artifact, *, headers: dict[str, str]
) -> Response:
    """Pass a file on as it comes from the store.

    A thread is taken for each chunk, not for the whole: a slow client holds none. These are not
    the door's threads, so that a slow store leaves those for everything else.
    """
    size = artifact.size_bytes
    headers = headers | {"Accept-Ranges": "bytes", "Content-Length": str(size)}
    if request.method == "HEAD":
        return Response(media_type=artifact.mime, headers=headers)
    part = find_part(_wanted_range(request, headers["ETag"]), size_bytes=size)
    if part is None:
        chunks = await run_in_threadpool(services.objects.read, artifact.storage_key)
        return StreamingResponse(_pass_on(chunks), media_type=artifact.mime, headers=headers)
    if part.length == 0:
        return PlainTextResponse(
            status_code=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            headers={"Content-Range": f"bytes */{size}"},
        )
    chunks = await run_in_threadpool(
        services.objects.read, artifact.storage_key, start=part.start, length=part.length
    )
    return StreamingResponse(
        _pass_on(chunks),
        status_code=HTTPStatus.PARTIAL_CONTENT,
        media_type=artifact.mime,
        headers=headers
        | {
            "Content-Length": str(part.length),
            "Content-Range": f"bytes {part.start}-{part.start + part.length - 1}/{size}",
        },
    )


async def _pass_on(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield a file's bytes; if the store fails under way, the connection ends before the file."""
    try:
        async for chunk in iterate_in_threadpool(chunks):
            yield chunk
    except ServiceError as error:
        log.warning("file_cut_short", reason=str(error))
        # The answer has begun: all that is left is not to end it as if it were whole.
        raise ClientDisconnect from error


def _wanted_range(request: Request, etag: str) -> str | None:
    """Return the `Range` header, unless it is meant for another version of the file."""
    if request.headers.get("if-range", etag) != etag:
        return None
    return request.headers.get("range")


def _forget_bad_range(request: Request) -> None:
    """Drop a range that is no byte range: RFC 9110 (14.2) has it ignored, not refused."""
    asked = request.headers.get("range")
    if asked is not None and not is_range(asked):
        headers = [(name, value) for name, value in request.scope["headers"] if name != b"range"]
        request.scope["headers"] = headers


def _headers(artifact: Artifact, name: str) -> dict[str, str]:
    return {
        "ETag": f'"{artifact.sha256}"',
        "Content-Disposition": f'inline; filename="{name}"',
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }


def _cache_control(request: Request, services: Services, asked: _Asked) -> str:
    access = services.settings.file_access
    # With a key beside it a link may be wrong or old: then it says nothing of how long.
    is_link = asked.expires.isdecimal() and find_key(request) is None
    seconds_left = int(asked.expires) - utc_now().timestamp() if is_link else None
    if access == "link":
        seconds_left = None
    return file_cache_control(access=access, seconds_left=seconds_left)
