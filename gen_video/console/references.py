"""Pictures that somebody starts from: a file of a form, or a picture made here."""

import hashlib

from starlette.datastructures import FormData, UploadFile

from gen_video.accounts.models import Caller
from gen_video.console.cards import PICTURE_MIMES
from gen_video.errors import FieldProblem, InvalidRequestError, NotFoundError
from gen_video.generation.errors import FileGoneError
from gen_video.media.references import Reference, sanitize_reference
from gen_video.wiring import Services


async def read_files(form: FormData, name: str) -> list[bytes]:
    """Return the files of a form's field, in order; empty where none was chosen."""
    parts = form.getlist(name)
    return [await part.read() if isinstance(part, UploadFile) else b"" for part in parts]


async def read_picture(
    services: Services,
    caller: Caller,
    *,
    file: bytes,
    own_name: str,
    pointer: str,
    cover: tuple[int, int] | None = None,
) -> Reference | None:
    """Return a picture that is safe to store, None where nothing was named.

    Args:
        services: Whose threads read it.
        caller: Whose picture it must be.
        file: Of a form; goes before `own_name`.
        own_name: The public name of a picture made here.
        pointer: The field, for errors.
        cover: A size that it is scaled and cut to.

    Raises:
        InvalidRequestError: There is no such picture of this caller.
        ServiceError: It cannot be used.
    """
    if not (file or own_name):
        return None
    return await services.errands.run(
        caller.account_id,
        _read,
        services,
        caller,
        file=file,
        own_name=own_name,
        pointer=pointer,
        cover=cover,
    )


def name_source(file: bytes, own_name: str) -> str | None:
    """Return a hash of what a scene begins with, None where that is nothing."""
    named = file or own_name.encode("utf-8", "surrogatepass")
    return hashlib.sha256(named).hexdigest() if named else None


def find_own(services: Services, caller: Caller, name: str) -> str:
    """Return the public name of a picture that this caller made and still has, else nothing."""
    try:
        artifact = services.jobs.get_file_of(caller, name)
    except (NotFoundError, FileGoneError):
        return ""
    is_picture = artifact.mime in PICTURE_MIMES and artifact.num_frames is None
    return artifact.public_name if is_picture else ""


def _read(
    services: Services,
    caller: Caller,
    *,
    file: bytes,
    own_name: str,
    pointer: str,
    cover: tuple[int, int] | None,
) -> Reference:
    data = file
    if not data:
        if not find_own(services, caller, own_name):
            raise _no_picture(pointer)
        artifact = services.jobs.get_file_of(caller, own_name)
        data = b"".join(services.objects.read(artifact.storage_key))
    return sanitize_reference(data, cover=cover)


def _no_picture(pointer: str) -> InvalidRequestError:
    return InvalidRequestError(
        FieldProblem(
            pointer=pointer,
            code="image_not_found",
            en="that picture is gone: choose another one, or upload a file",
            zh="该图像已不存在，请重新选择或上传文件",
        )
    )
