"""First frames of videos: a picture made here, a data URI, a URL, or the file of a form.

Whatever a client names becomes a plain PNG that `media.references` made safe, or a clear error.
"""

import asyncio
import base64
import binascii
import re

from gen_video.accounts.models import Caller
from gen_video.api.v1 import PREFIX
from gen_video.errors import FieldProblem, InvalidRequestError, NotFoundError
from gen_video.generation.errors import FileGoneError
from gen_video.ids import is_id
from gen_video.media.references import Reference, ReferenceLimits, sanitize_reference
from gen_video.wiring import Services

FILES = f"{PREFIX}/files/"
ACCEPTED = ("image/png", "image/jpeg", "image/webp", "application/octet-stream")
_DATA_URI = re.compile(r"data:(?:image/[a-z0-9.+-]+)?;base64,", re.IGNORECASE)
_URL = re.compile(r"https?://", re.IGNORECASE)


async def read_first_frame(
    services: Services, caller: Caller, text: str, *, pointer: str
) -> Reference:
    """Return the picture that a field names.

    Args:
        services: Where pictures made here lie.
        caller: Whose pictures may be named.
        text: What the client wrote.
        pointer: The field, for errors.

    Raises:
        InvalidRequestError: It names nothing, or it is no picture of this caller.
        ServiceError: It cannot be fetched or used.
    """
    match = _DATA_URI.match(text)
    if match is not None:
        data = _decode(text[match.end() :], pointer=pointer)
    elif _URL.match(text):
        limits = ReferenceLimits()
        # A slow server may keep a thread for a while: not one of those that serve everybody.
        fetched = await asyncio.to_thread(
            services.fetcher.fetch, text, max_bytes=limits.max_bytes, accept=ACCEPTED
        )
        data = fetched.data
    else:
        data = await services.threads.run(_read_own, services, caller, text, pointer=pointer)
    return await services.threads.run(sanitize_reference, data)


def _decode(text: str, *, pointer: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequestError(
            FieldProblem(
                pointer=pointer,
                code="invalid_data_uri",
                en="the data URI is not valid base64; encode the file again",
                zh="data URI 不是有效的 base64，请重新编码",
            )
        ) from error


def _read_own(services: Services, caller: Caller, text: str, *, pointer: str) -> bytes:
    """Return the bytes of a picture that the caller made: its address, or its job's id."""
    try:
        name = text.removeprefix(FILES)
        if is_id(name, "job"):
            name = _first_picture(services, caller, name)
        artifact = services.jobs.get_file_of(caller, name)
        chunks = services.objects.read(artifact.storage_key)
    except (NotFoundError, FileGoneError) as error:  # a foreign one that is gone says no more
        raise _no_picture(pointer) from error
    if not artifact.mime.startswith("image/"):
        raise _no_picture(pointer)
    return b"".join(chunks)


def _no_picture(pointer: str) -> InvalidRequestError:
    return InvalidRequestError(
        FieldProblem(
            pointer=pointer,
            code="image_not_found",
            en=(
                "image must be a data URI, an http(s) URL, or the address or job id of a "
                "picture that you made here and that still exists"
            ),
            zh="image 应为 data URI、http(s) 链接，或您在此生成且仍存在的图像的地址或任务 id",
        )
    )


def _first_picture(services: Services, caller: Caller, job_id: str) -> str:
    outputs = services.jobs.get(caller, job_id).outputs
    if not outputs:
        raise NotFoundError
    return outputs[0].public_name
