"""Parcels: a task as one frame and back; its pictures travel behind one another as payload."""

import itertools
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from gen_video.engines.frames import Frame
from gen_video.engines.tasks import ImageTask, LoraChoice, Task, VideoTask


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A task on its way: the kind of its frame, the fields of the header, the payload."""

    kind: str
    fields: dict[str, Any]
    payload: bytes


def pack_task(task: Task) -> Parcel:
    """Return what is sent for a task."""
    fields = asdict(task)
    pictures = [fields.pop("reference_image")]
    if isinstance(task, VideoTask):
        return Parcel(kind="film", fields={"task": fields}, payload=pictures[0] or b"")
    pictures += [fields.pop("mask"), *fields.pop("more_references")]
    parts = [picture or b"" for picture in pictures]
    sizes = [len(part) for part in parts]
    return Parcel(kind="generate", fields={"task": fields, "sizes": sizes}, payload=b"".join(parts))


def unpack_image_task(frame: Frame) -> ImageTask:
    """Turn a `generate` frame back into a task."""
    fields = dict(frame.header["task"])
    fields["loras"] = tuple(LoraChoice(**choice) for choice in fields.get("loras", ()))
    reference, mask, *more = _cut(frame)
    return ImageTask(
        **fields, reference_image=reference or None, mask=mask or None, more_references=tuple(more)
    )


def unpack_video_task(frame: Frame) -> VideoTask:
    """Turn a `film` frame back into a task."""
    return VideoTask(**frame.header["task"], reference_image=frame.payload or None)


def _cut(frame: Frame) -> Iterator[bytes]:
    sizes = [int(size) for size in frame.header["sizes"]]
    for end, size in zip(itertools.accumulate(sizes), sizes, strict=True):
        yield frame.payload[end - size : end]
