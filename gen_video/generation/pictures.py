"""Pictures: a resolved request becomes an engine task, and what comes out becomes files."""

import time
from collections.abc import Iterator

from gen_video.engines.tasks import Engine, ImageTask, LoraChoice, Picture, ProgressListener
from gen_video.generation.deliveries import deliver
from gen_video.generation.models import ClaimedJob, Delivery, ImageInput
from gen_video.media.pictures import PictureFormat, encode_picture, verify_picture
from gen_video.storage.objects import ObjectStore


def image_task(
    wanted: ImageInput, *, task_id: str, reference: bytes | None, attempt: int = 1
) -> ImageTask:
    """Return what the engine is asked for."""
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
        reference_image=reference,
        strength=1.0 if wanted.strength is None else wanted.strength,
        loras=tuple(LoraChoice(name=name) for name in wanted.loras),
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
        """Yield each picture once it is stored."""
        reference = None
        if job.reference_key is not None:
            reference = b"".join(self._objects.read(job.reference_key))
        task = image_task(wanted, task_id=task_id, reference=reference, attempt=job.attempt)
        for picture in self._engine.generate(task, on_progress=on_progress):
            yield self._store(job, wanted, picture)

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
