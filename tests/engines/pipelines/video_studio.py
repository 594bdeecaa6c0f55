"""A loaded video model, a task for it, and what it reported while it worked."""

from collections.abc import Generator
from dataclasses import replace
from functools import cached_property
from typing import TypedDict

from typing_extensions import Unpack

from gen_video.engines.catalogue import ModelSpec, TaskKind
from gen_video.engines.diffusers_make import DiffusersMake
from gen_video.engines.errors import EngineCancelledError
from gen_video.engines.makes import ChildConfig, Supervision
from gen_video.engines.tasks import Frames, StepProgress, VideoTask
from tests.engines.pipelines.families import Pipeline
from tests.engines.pipelines.studio import reference_png

WIDTH, HEIGHT, STEPS = 96, 64, 2
MORE_THAN_A_CHUNK = 10


class Changes(TypedDict, total=False):
    """What a test may change in the plain task."""

    prompt: str
    negative_prompt: str
    width: int
    height: int
    num_frames: int
    fps: int
    num_inference_steps: int
    guidance_scale: float
    seed: int
    reference_image: bytes | None
    previews: int


def plain_task(spec: ModelSpec, kind: TaskKind) -> VideoTask:
    """Return a request for one short clip, guided and with a negative prompt."""
    return VideoTask(
        task_id="job_1",
        model=spec.id,
        prompt='snow mountain, "sunrise" 雪山日出',
        negative_prompt="fog",
        width=WIDTH,
        height=HEIGHT,
        num_frames=spec.limits.nearest_frames(MORE_THAN_A_CHUNK),
        fps=8,
        num_inference_steps=STEPS,
        guidance_scale=4.0,
        seed=20,
        reference_image=reference_png() if kind is TaskKind.IMAGE_TO_VIDEO else None,
    )


class FilmStudio:
    """One video model in a make of its own.

    Attributes:
        progress: What the latest run reported.
    """

    def __init__(self, spec: ModelSpec, kind: TaskKind) -> None:
        self.spec = spec
        self.kind = kind
        self.task = plain_task(spec, kind)
        self.make = DiffusersMake(ChildConfig(device="cpu", threads=1, is_hub_offline=True))
        self.progress: list[StepProgress] = []

    @cached_property
    def plain(self) -> bytes:
        """Return the pixels of the plain task, as they were made at first."""
        return self.film_all()

    @property
    def pipeline(self) -> Pipeline:
        """Return the pipeline that serves this kind; it was used before."""
        return self.make._shelf.get(self.spec).pipelines[self.kind]

    def film(
        self, *, cancel_after: int | None = None, **changes: Unpack[Changes]
    ) -> Generator[Frames, None, None]:
        """Run the plain task, changed, cancelled once so many reports were made."""
        self.progress = []

        def check() -> None:
            if cancel_after is not None and len(self.progress) >= cancel_after:
                raise EngineCancelledError

        watch = Supervision(report=self.progress.append, check=check)
        yield from self.make.film(self.spec, replace(self.task, **changes), watch)

    def film_all(self, *, cancel_after: int | None = None, **changes: Unpack[Changes]) -> bytes:
        """Return the pixels of a whole clip."""
        frames = self.film(cancel_after=cancel_after, **changes)
        return b"".join(part.rgb for part in frames)
