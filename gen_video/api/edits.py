"""Edits: the pictures and the mask of a request, made safe and ready for a job.

Every door that takes them hands the raw files over. What comes back names them in a request by
their hashes, and has the bytes that are stored with the job.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus

from gen_video.errors import FieldProblem, InvalidRequestError, ServiceError
from gen_video.generation.requests import ImageRequest
from gen_video.media.masks import Mask, sanitize_mask
from gen_video.media.references import Reference, sanitize_reference
from gen_video.wiring import Services

MAX_PICTURES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFiles:
    """Pictures and a mask that are safe to store.

    Attributes:
        blob: What is stored: the pictures in order, then the mask; None without any.
        reference_sha256: Of the first picture, the one that is edited.
        more_sha256: Of the others.
        reference_bytes: How long each picture is; empty for a single one without a mask.
        mask_sha256: Of the mask.
        mask_bytes: How long the mask is; 0 without one.
        sizes: Width and height of each picture.
    """

    blob: bytes | None = None
    reference_sha256: str | None = None
    more_sha256: tuple[str, ...] = ()
    reference_bytes: tuple[int, ...] = ()
    mask_sha256: str | None = None
    mask_bytes: int = 0
    sizes: tuple[tuple[int, int], ...] = ()

    def name_in(self, request: ImageRequest) -> ImageRequest:
        """Return the request with these files named in it; `blob` goes along as `references`."""
        return replace(
            request,
            reference_sha256=self.reference_sha256,
            more_sha256=self.more_sha256,
            reference_bytes=self.reference_bytes,
            mask_sha256=self.mask_sha256,
            mask_bytes=self.mask_bytes,
        )


async def read_pictures(
    services: Services,
    account_id: str,
    files: Sequence[bytes],
    mask: bytes | None = None,
    *,
    field: str = "reference_image",
) -> PictureFiles:
    """Make the files of a request safe, off the event loop.

    Args:
        services: Whose threads do it.
        account_id: Whose files they are: nobody's many files keep all threads busy.
        files: PNG, JPEG or WebP; the first one is edited.
        mask: Likewise, of the first picture's size: what is transparent, or white where nothing
            is, is drawn anew.
        field: What the pictures are called where they came from, for errors.

    Raises:
        InvalidRequestError: A mask without a picture, too many pictures, or a mask that does not
            fit the first one.
        ServiceError: A file cannot be used.
    """
    _check_count(files, mask, field=field)
    if not files:
        return PictureFiles()
    if len(files) == 1 and mask is None:
        return await services.threads.run(_prepare_one, files[0])
    return await services.errands.run(account_id, _prepare, files, mask, field)


def _check_count(files: Sequence[bytes], mask: bytes | None, *, field: str) -> None:
    if mask is not None and not files:
        raise InvalidRequestError(
            FieldProblem(
                pointer="/mask",
                code="needs_reference_image",
                en=f"a mask belongs to a picture; send the picture as {field}",
                zh=f"mask 需要与图片一起使用，请通过 {field} 上传图片",
            )
        )
    if len(files) > MAX_PICTURES:
        raise InvalidRequestError(
            FieldProblem(
                pointer=f"/{field}",
                code="too_many_pictures",
                en=f"at most {MAX_PICTURES} pictures can be sent, not {len(files)}",
                zh=f"最多上传 {MAX_PICTURES} 张图片，收到 {len(files)} 张",
            )
        )


def _prepare_one(data: bytes) -> PictureFiles:
    return _join([sanitize_reference(data)], None)


def _prepare(files: Sequence[bytes], mask: bytes | None, field: str) -> PictureFiles:
    pictures = []
    for number, data in enumerate(files):
        with _named(f"/{field}" if len(files) == 1 else f"/{field}/{number}"):
            pictures.append(sanitize_reference(data))
    plain = None
    if mask is not None:
        with _named("/mask"):
            plain = sanitize_mask(mask, size=_size(pictures[0]))
    return _join(pictures, plain)


@contextmanager
def _named(pointer: str) -> Iterator[None]:
    """Say of several files which one cannot be used."""
    try:
        yield
    except InvalidRequestError:
        raise
    except ServiceError as error:
        if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise
        raise InvalidRequestError(
            FieldProblem(
                pointer=pointer,
                code=error.code,
                en=error.message("en"),
                zh=error.message("zh"),
            )
        ) from error


def _join(pictures: Sequence[Reference], mask: Mask | None) -> PictureFiles:
    first, *more = pictures
    parts = [picture.png for picture in pictures]
    is_single = not more and mask is None
    return PictureFiles(
        blob=b"".join(parts if mask is None else [*parts, mask.png]),
        reference_sha256=first.sha256,
        more_sha256=tuple(picture.sha256 for picture in more),
        reference_bytes=() if is_single else tuple(len(part) for part in parts),
        mask_sha256=None if mask is None else mask.sha256,
        mask_bytes=0 if mask is None else len(mask.png),
        sizes=tuple(_size(picture) for picture in pictures),
    )


def _size(picture: Reference) -> tuple[int, int]:
    return picture.width, picture.height
