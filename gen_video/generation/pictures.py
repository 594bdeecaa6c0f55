"""Pictures: a resolved request becomes an engine task, and what comes out becomes files."""

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass

from gen_video.engines.tasks import Engine, ImageTask, LoraChoice, Picture, ProgressListener
from gen_video.generation.deliveries import deliver
from gen_video.generation.models import (
    ClaimedJob,
    Delivery,
    FileRole,
    ImageInput,
    thumbnail_position,
)
from gen_video.media import thumbnails
from gen_video.media.pictures import QUALITY, PictureFormat, encode_picture, verify_picture
from gen_video.storage.objects import ObjectStore


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """The stored pictures of a job: the one that is edited, further ones, and a mask."""

    picture: bytes | None = None
    more: tuple[bytes, ...] = ()
    mask: bytes | None = None


def split_references(data: bytes, wanted: ImageInput) -> References:
    """Cut what is stored with a job into its pictures and its mask."""
    if not wanted.reference_bytes:
        return References(picture=data or None)
    sizes = [*wanted.reference_bytes, wanted.mask_bytes]
    ends = itertools.accumulate(sizes)
    parts = [data[end - size : end] for end, size in zip(ends, sizes, strict=True)]
    first, *more = parts[:-1]
    return References(picture=first, more=tuple(more), mask=parts[-1] or None)


def image_task(
    wanted: ImageInput, *, task_id: str, references: References | None = None, attempt: int = 1
) -> ImageTask:
    """Return what the engine is asked for."""
    files = references or References()
    return ImageTask(
        task_id=task_id,
        model=wanted.model,
        prompt=wanted.prompt,
        negative_prompt=wanted.negative_prompt,
        width=wanted.width,
        height=wanted.height,
        num_inference_steps=wanted.num_inference_steps,
        guidance_scale=wanted.guidance_scale,
        seed=wanted.seed,
        n=wanted.n,
        reference_image=files.picture,
        more_references=files.more,
        mask=files.mask,
        strength=1.0 if wanted.strength is None else wanted.strength,
        loras=tuple(LoraChoice(name=name) for name in wanted.loras),
        previews=wanted.previews,
        attempt=attempt,
    )


def picture_parameters(wanted: ImageInput, picture: Picture, *, software: str) -> dict[str, str]:
    """Return what is written into a picture's metadata."""
    parameters = {
        "prompt": wanted.prompt,
        "negative_prompt": wanted.negative_prompt,
        "model": wanted.model,
        "seed": str(picture.seed),
        "num_inference_steps": str(wanted.num_inference_steps),
        "guidance_scale": str(wanted.guidance_scale),
        "width": str(picture.width),
        "height": str(picture.height),
        "software": software,
    }
    if wanted.strength is not None:
        parameters["strength"] = str(wanted.strength)
    if wanted.loras:
        parameters["loras"] = ", ".join(wanted.loras)
    return parameters


class PictureWork:
    """Draws, encodes and stores the pictures of one attempt.

    Attributes:
        encode_seconds: Spent on encoding and verifying so far.
    """

    def __init__(self, *, engine: Engine, objects: ObjectStore, software: str) -> None:
        self._engine = engine
        self._objects = objects
        self._software = software
        self.encode_seconds = 0.0

    def produce(
        self, job: ClaimedJob, wanted: ImageInput, *, task_id: str, on_progress: ProgressListener
    ) -> Iterator[Delivery]:
        """Yield each picture once it is stored, and behind a large one its thumbnail."""
        stored = b""
        if job.reference_key is not None:
            stored = b"".join(self._objects.read(job.reference_key))
        references = split_references(stored, wanted)
        task = image_task(wanted, task_id=task_id, references=references, attempt=job.attempt)
        for picture in self._engine.generate(task, on_progress=on_progress):
            yield self._store(job, wanted, picture)
            yield from self._store_thumbnail(job, wanted, picture)

    def _store(self, job: ClaimedJob, wanted: ImageInput, picture: Picture) -> Delivery:
        started = time.monotonic()
        picture_format = PictureFormat(wanted.output_format)
        parameters = picture_parameters(wanted, picture, software=self._software)
        data = encode_picture(
            picture.rgb,
            width=picture.width,
            height=picture.height,
            picture_format=picture_format,
            parameters=parameters | {"task_id": job.id},
            quality=_quality(wanted),
        )
        verify_picture(
            data, width=picture.width, height=picture.height, picture_format=picture_format
        )
        self.encode_seconds += time.monotonic() - started
        return deliver(
            self._objects,
            job,
            data,
            position=picture.index,
            extension=picture_format.extension,
            mime=picture_format.mime,
            size=(picture.width, picture.height),
            seed=picture.seed,
        )

    def _store_thumbnail(
        self, job: ClaimedJob, wanted: ImageInput, picture: Picture
    ) -> Iterator[Delivery]:
        started = time.monotonic()
        small = thumbnails.make_thumbnail(picture.rgb, width=picture.width, height=picture.height)
        self.encode_seconds += time.monotonic() - started
        if small is None:
            return
        yield deliver(
            self._objects,
            job,
            small.data,
            position=thumbnail_position(wanted.n, picture.index),
            extension=thumbnails.EXTENSION,
            mime=thumbnails.MIME,
            size=(small.width, small.height),
            seed=picture.seed,
            role=FileRole.THUMBNAIL,
        )


def _quality(wanted: ImageInput) -> int:
    """Return the quality of the file; at 0 an encoder would take its own default."""
    return QUALITY if wanted.output_compression is None else max(1, wanted.output_compression)
