"""First frames of videos: a picture made here, a data URI, a URL, or the file of a form.

Whatever a client names becomes a plain PNG that `media.references` made safe, or a clear error.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from gen_video.accounts.models import Caller
from gen_video.api.v1 import PREFIX
from gen_video.errors import FieldProblem, InvalidRequestError, NotFoundError, ServiceError
from gen_video.generation.errors import FileGoneError
from gen_video.generation.models import Artifact
from gen_video.ids import is_id
from gen_video.media.references import (
    ImageTooLargeError,
    Reference,
    ReferenceLimits,
    sanitize_reference,
)
from gen_video.wiring import Services

FILES = f"{PREFIX}/files/"
ACCEPTED = ("image/png", "image/jpeg", "image/webp", "application/octet-stream")
OWN_MIMES = ACCEPTED[:3]
MEBIBYTE = 2**20
_DATA_URI = re.compile(r"data:(?:image/[a-z0-9.+-]+)?;base64,", re.IGNORECASE)
_URL = re.compile(r"https?://", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstFrame:
    """What a client named as the first frame of a scene: some text, or a file.

    Attributes:
        pointer: The field, for errors.
        is_of_scene: Whether the field is one of several scenes.
        source: A hash of what was named; made once, since a data URI has megabytes.
    """

    pointer: str
    text: str = ""
    file: bytes | None = None
    is_of_scene: bool = False
    source: str = field(init=False)

    def __post_init__(self) -> None:
        """Make the hash."""
        named = self.text.encode("utf-8", "surrogatepass") if self.file is None else self.file
        object.__setattr__(self, "source", hashlib.sha256(named).hexdigest())


async def read_first_frames(
    services: Services,
    caller: Caller,
    frames: Sequence[FirstFrame | None],
    *,
    cover: tuple[int, int],
    own_address: str,
) -> list[Reference | None]:
    """Return the picture of every scene; what several scenes name is read once.

    Args:
        services: Where pictures made here lie.
        caller: Whose pictures may be named.
        frames: One of every scene, None where it has none.
        cover: Size of the video.
        own_address: Of this service, as the client wrote it: its pictures are not fetched.

    Raises:
        InvalidRequestError: One names nothing, or it is no picture of this caller.
        ServiceError: One cannot be fetched or used.
    """
    known: dict[str, Reference] = {}
    for frame in frames:
        if frame is None or frame.source in known:
            continue
        known[frame.source] = await services.errands.run(
            caller.account_id, _read, services, caller, frame, cover=cover, own=own_address
        )
    return [None if frame is None else known[frame.source] for frame in frames]


def _read(
    services: Services, caller: Caller, frame: FirstFrame, *, cover: tuple[int, int], own: str
) -> Reference:
    try:
        return sanitize_reference(_read_bytes(services, caller, frame, own=own), cover=cover)
    except InvalidRequestError:
        raise
    except ServiceError as error:
        is_clients = error.status < HTTPStatus.INTERNAL_SERVER_ERROR
        if not (frame.is_of_scene and is_clients):
            raise
        raise InvalidRequestError(  # of several scenes it must be said which
            FieldProblem(
                pointer=frame.pointer,
                code=error.code,
                en=error.message("en"),
                zh=error.message("zh"),
            )
        ) from error


def _read_bytes(services: Services, caller: Caller, frame: FirstFrame, *, own: str) -> bytes:
    if frame.file is not None:
        return frame.file
    text = frame.text.removeprefix(own)
    match = _DATA_URI.match(text)
    if match is not None:
        return _decode(text[match.end() :], pointer=frame.pointer)
    if _URL.match(text):
        limit = ReferenceLimits().max_bytes
        return services.fetcher.fetch(text, max_bytes=limit, accept=ACCEPTED).data
    return _read_own(services, caller, text, pointer=frame.pointer)


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
        name = text.removeprefix(FILES).partition("?")[0]  # a signed address has a query
        if is_id(name, "job"):
            name = _first_picture(services, caller, name)
        artifact = services.jobs.get_file_of(caller, name)
        _require_picture(artifact, pointer)
        chunks = services.objects.read(artifact.storage_key)
    except (NotFoundError, FileGoneError) as error:  # a foreign one that is gone says no more
        raise _no_picture(pointer) from error
    return b"".join(chunks)


def _require_picture(artifact: Artifact, pointer: str) -> None:
    if artifact.mime not in OWN_MIMES or artifact.num_frames is not None:
        raise _no_picture(pointer)
    limit = ReferenceLimits().max_bytes
    if artifact.size_bytes > limit:
        found = f"{artifact.size_bytes / MEBIBYTE:.1f} MiB"
        raise ImageTooLargeError(found=found, limit=f"{limit / MEBIBYTE:.1f} MiB")


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
