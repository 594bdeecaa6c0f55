"""Deliveries: a finished file is stored under its attempt's key, not yet visible to anybody."""

import hashlib

from gen_video.generation.models import ClaimedJob, Delivery, FileRole
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
