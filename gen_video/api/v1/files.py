"""Finished files: `GET` and `HEAD /files/images/{name}`.

An unguessable name is the capability, as existing clients expect; a setting asks for a key too.
The artifact row decides which bytes a name stands for, so a publishing that a crash cut short
changes nothing here.
"""

import re

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response, StreamingResponse

from gen_video.api.dependencies import ServicesDep, require_caller
from gen_video.api.v1 import PREFIX
from gen_video.generation.models import Artifact
from gen_video.storage.objects import ObjectMissingError
from gen_video.wiring import Services

MAX_RANGES = 4
FOLDER = f"{PREFIX}/files/"
_RANGES = re.compile(r"bytes=[ \t]*([0-9]+-[0-9]*|-[0-9]+)([ \t]*,[ \t]*([0-9]+-[0-9]*|-[0-9]+))*")

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
        200: {"content": {"image/png": {}, "video/mp4": {}}},
        206: {"description": "A part / 部分内容"},
    },
)
async def get_file(
    request: Request,
    services: ServicesDep,
    folder: str,
    name: str,
) -> Response:
    """Send a finished file; `Range`, `If-None-Match` and `HEAD` are understood.

    下载文件：支持 `Range`、`If-None-Match` 与 `HEAD`。
    """
    artifact = await _find(request, services, f"{folder}/{name}")
    headers = _headers(artifact, name)
    if _has_it(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    try:
        path = await services.threads.run(services.objects.local_path, artifact.storage_key)
    except ObjectMissingError:
        # Deleted since it was looked up: say so, if that is why.
        await _find(request, services, artifact.public_name)
        raise
    if path is not None:
        _forget_bad_range(request)
        return _StoredFile(path, media_type=artifact.mime, headers=headers)
    chunks = await services.threads.run(services.objects.read, artifact.storage_key)
    length = {"Content-Length": str(artifact.size_bytes)}
    return StreamingResponse(chunks, media_type=artifact.mime, headers=headers | length)


def _forget_bad_range(request: Request) -> None:
    """Drop a range that is no byte range: RFC 9110 (14.2) has it ignored, not refused."""
    asked = request.headers.get("range")
    if asked is not None and not _is_range(asked):
        headers = [(name, value) for name, value in request.scope["headers"] if name != b"range"]
        request.scope["headers"] = headers


def _is_range(text: str) -> bool:
    if _RANGES.fullmatch(text.strip()) is None:
        return False
    ends = (part.strip().split("-") for part in text.partition("=")[2].split(","))
    return all(not (low and high) or int(low) <= int(high) for low, high in ends)


async def _find(request: Request, services: Services, public_name: str) -> Artifact:
    if services.settings.file_access == "link":
        return await services.threads.run(services.jobs.get_file, public_name)
    caller = await require_caller(request, services)
    return await services.threads.run(services.jobs.get_file_of, caller, public_name)


def _headers(artifact: Artifact, name: str) -> dict[str, str]:
    return {
        "ETag": f'"{artifact.sha256}"',
        "Content-Disposition": f'inline; filename="{name}"',
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        # A deleted picture must not live on in caches: keep it, but ask each time.
        "Cache-Control": "private, no-cache",
    }


def _has_it(request: Request, etag: str) -> bool:
    known = request.headers.get("if-none-match", "")
    tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
    return etag in tags or known.strip() == "*"
