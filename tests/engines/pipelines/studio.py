"""A loaded model, a task for it, and what it reported while it drew."""

import io
from functools import cached_property
from pathlib import Path

from PIL import Image

from gen_video.engines.catalogue import ModelSpec, read_specs
from gen_video.engines.diffusers_make import DiffusersMake
from gen_video.engines.errors import EngineCancelledError
from gen_video.engines.makes import ChildConfig, Supervision
from gen_video.engines.tasks import ImageTask, Picture, StepProgress
from tests.house.project import PROJECT

SPECS = {spec.id: spec for spec in read_specs(PROJECT / "models.toml")}
WIDTH, HEIGHT, STEPS = 80, 64, 2


def local_spec(model_id: str, folder: Path) -> ModelSpec:
    """Return a catalogue entry whose weights lie in a folder of ours."""
    return SPECS[model_id].model_copy(update={"hub": "local", "source": str(folder)})


def plain_task(model_id: str) -> ImageTask:
    """Return a request for one small picture, guided and with a negative prompt."""
    return ImageTask(
        task_id="job_1",
        model=model_id,
        prompt="snow mountain, sunrise 雪山日出",
        negative_prompt="fog",
        width=WIDTH,
        height=HEIGHT,
        num_inference_steps=STEPS,
        guidance_scale=4.0,
        seed=20,
    )


def reference_png(*, is_dark: bool = False) -> bytes:
    """Return a reference image of another size than the pictures."""
    image = Image.linear_gradient("L").resize((100, 120)).convert("RGB")
    buffer = io.BytesIO()
    (image.point(lambda value: value // 4) if is_dark else image).save(buffer, "PNG")
    return buffer.getvalue()


class Studio:
    """One model in a make of its own.

    Attributes:
        progress: What the latest run reported.
    """

    def __init__(self, spec: ModelSpec, *, lora_folder: Path | None = None) -> None:
        self.spec = spec
        self.task = plain_task(spec.id)
        self.make = DiffusersMake(
            ChildConfig(
                device="cpu", threads=1, is_hub_offline=True, lora_folder=str(lora_folder or "")
            )
        )
        self.progress: list[StepProgress] = []

    @cached_property
    def plain(self) -> bytes:
        """Return the pixels of the plain task, as they were drawn at first."""
        return self.draw_one()

    def draw(self, task: ImageTask | None = None) -> list[Picture]:
        """Run a task to its end, the plain one if none is given."""
        return self._run(task or self.task, cancel_after=None)

    def draw_one(self, task: ImageTask | None = None) -> bytes:
        """Return the pixels of a task's only picture."""
        (picture,) = self.draw(task)
        return picture.rgb

    def cancel_after(self, steps: int, task: ImageTask | None = None) -> list[Picture]:
        """Run a task that is cancelled once so many steps were reported."""
        return self._run(task or self.task, cancel_after=steps)

    def _run(self, task: ImageTask, *, cancel_after: int | None) -> list[Picture]:
        self.progress = []

        def check() -> None:
            if cancel_after is not None and len(self.progress) >= cancel_after:
                raise EngineCancelledError

        watch = Supervision(report=self.progress.append, check=check)
        return list(self.make.run(self.spec, task, watch))
