"""Files of the person who is signed in: pictures and videos in pages, and as downloads.

The address that the API gives out may need a key, which a browser does not have.
"""

from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response, StreamingResponse
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import ClientDisconnect

from gen_video.console.visits import ServicesDep, SessionDep
from gen_video.errors import ServiceError
from gen_video.generation.models import Artifact
from gen_video.storage.ranges import Part, find_part
from gen_video.wiring import Services

FOLDER = "/console/files"
MAX_RANGES = 4
KEPT_SECONDS = 60
"""A file that was deleted elsewhere is shown no longer than that."""
TOO_FAR = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE

log = structlog.get_logger(__name__)
router = APIRouter()


class _StoredFile(FileResponse):
    max_ranges = MAX_RANGES


def file_path(artifact: Artifact) -> str:
    """Return the address of a file in the console."""
    return f"{FOLDER}/{artifact.public_name}"


@router.get(FOLDER + "/{folder}/{name}")
async def show_file(
    request: Request, visit: SessionDep, services: ServicesDep, folder: str, name: str
) -> Response:
    """Send a file; `?download` has the browser save it."""
    artifact = await services.threads.run(
        services.jobs.get_file_of, visit.caller, f"{folder}/{name}"
    )
    way = "attachment" if "download" in request.query_params else "inline"
    headers = {
        "ETag": f'"{artifact.sha256}"',
        "Cache-Control": f"private, max-age={KEPT_SECONDS}",
        "Content-Disposition": f'{way}; filename="{name}"',
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    path = await services.threads.run(services.objects.local_path, artifact.storage_key)
    if path is not None:
        return _StoredFile(path, media_type=artifact.mime, headers=headers)
    return await _pass_on(request, services, artifact, headers=headers)


async def _pass_on(
    request: Request, services: Services, artifact: Artifact, *, headers: dict[str, str]
) -> Response:
    """Send a file, or the part that a player asks for, as it comes from another machine."""
    size = artifact.size_bytes
    part = find_part(request.headers.get("range"), size_bytes=size)
    if part is not None and part.length == 0:
        return Response(status_code=TOO_FAR, headers={"Content-Range": f"bytes */{size}"})
    chunks = await _open(services, artifact, part)
    status = HTTPStatus.OK
    more = {"Accept-Ranges": "bytes", "Content-Length": str(size)}
    if part is not None:
        status, last = HTTPStatus.PARTIAL_CONTENT, part.start + part.length - 1
        more |= {
            "Content-Length": str(part.length),
            "Content-Range": f"bytes {part.start}-{last}/{size}",
        }
    return StreamingResponse(
        send_chunks(chunks), status_code=status, media_type=artifact.mime, headers=headers | more
    )


async def _open(services: Services, artifact: Artifact, part: Part | None) -> Iterator[bytes]:
    read = services.objects.read
    if part is None:
        return await run_in_threadpool(read, artifact.storage_key)
    return await run_in_threadpool(read, artifact.storage_key, start=part.start, length=part.length)


async def send_chunks(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield bytes that are made on a thread; a failure under way breaks the connection off."""
    try:
        async for chunk in iterate_in_threadpool(chunks):
            yield chunk
    except ServiceError as error:
        log.warning("file_cut_short", reason=str(error))
        # The answer has begun: all that is left is not to end it as if it were whole.
        raise ClientDisconnect from error
