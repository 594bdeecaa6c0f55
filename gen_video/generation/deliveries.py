"""Deliveries: a finished file is stored under its attempt's key, not yet visible to anybody."""

import hashlib
from collections.abc import Sequence

from gen_video.generation.models import ClaimedJob, Delivery, FileRole, VideoInput
from gen_video.storage.objects import ObjectStore, object_key


def deliver(
    objects: ObjectStore,
    job: ClaimedJob,
    data: bytes,
    *,
    position: int,
    extension: str,
    mime: str,
    size: tuple[int, int],
    seed: int,
    role: FileRole = FileRole.OUTPUT,
) -> Delivery:
    """Store a file of an attempt; `position` counts the job's files from 0.

    Raises:
        StorageFullError: There is no room.
        StorageUnavailableError: The store cannot be written.
    """
    key = object_key(job.id, fence=job.fence, index=position + 1, extension=extension)
    objects.put(key, data)
    return Delivery(
        position=position,
        storage_key=key,
        extension=extension,
        mime=mime,
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        width=size[0],
        height=size[1],
        seed=seed,
        role=role,
    )


def public_names(job: ClaimedJob, deliveries: Sequence[Delivery]) -> tuple[str, ...]:
    """Return the addresses of a job's files.

    `images/{job}.png`, or `images/{job}_1.png` … for several; their thumbnails are numbered on.
    `videos/{job}.mp4`, and beside it `videos/{job}_poster.jpg` and `videos/{job}_strip.jpg`.
    """
    if isinstance(job.input, VideoInput):
        return tuple(f"videos/{job.id}{_still_suffix(delivery)}" for delivery in deliveries)
    is_single = job.input.n == 1
    return tuple(
        f"images/{job.id}{_number(delivery, is_single=is_single)}.{delivery.extension}"
        for delivery in deliveries
    )


def _number(delivery: Delivery, *, is_single: bool) -> str:
    is_plain = is_single and delivery.role is FileRole.OUTPUT
    return "" if is_plain else f"_{delivery.position + 1}"


def _still_suffix(delivery: Delivery) -> str:
    mark = "" if delivery.role is FileRole.OUTPUT else f"_{delivery.role}"
    return f"{mark}.{delivery.extension}"
