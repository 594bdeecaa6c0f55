"""Clips from a timeline: a small film drawn as one picture.

Some models draw, with a stock picture pipeline, the first cosines over time of a clip's latents,
stacked as channels. Any number of frames can be read from those; the stock decoder draws each.
A file in the model's folder says how many cosines there are and how much each was enlarged.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gen_video.engines.catalogue import ModelSpec
from gen_video.engines.diffusers_models import Pipeline, callbacks, require_numbers, supported
from gen_video.engines.diffusers_previews import Previewer, Readout
from gen_video.engines.errors import ModelUnavailableError
from gen_video.engines.fitting import fit
from gen_video.engines.makes import Supervision
from gen_video.engines.previews import preview_steps
from gen_video.engines.sizes import choose_sampling_size
from gen_video.engines.tasks import Frames, StepProgress, VideoTask

FRAMES_AT_ONCE = 2


class Timeline(BaseModel):
    """How a model's channels become frames.

    Attributes:
        components: Cosines, the constant one included.
        channels: Of the latents of one frame.
        scales: How much each cosine was enlarged for training.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    components: int = Field(ge=1, le=64)
    channels: int = Field(ge=1, le=256)
    scales: tuple[float, ...]


def read_timeline(spec: ModelSpec, folder: Path) -> Timeline:
    """Read a model's timeline.

    Raises:
        ModelUnavailableError: It is missing or wrong.
    """
    try:
        timeline = Timeline.model_validate_json((folder / spec.timeline).read_bytes())
    except (OSError, ValidationError) as error:
        raise ModelUnavailableError(spec.id, f"{spec.timeline} is missing or damaged") from error
    if len(timeline.scales) != timeline.components or not all(timeline.scales):
        raise ModelUnavailableError(spec.id, f"{spec.timeline} does not fit itself")
    return timeline


def unfold(latents: torch.Tensor, timeline: Timeline, numbers: range, total: int) -> torch.Tensor:
    """Return the latents of some frames.

    Args:
        latents: As the model draws them, shape (components * channels, rows, columns).
        timeline: How they are stacked.
        numbers: The frames, from 0.
        total: Frames of the whole clip.

    Returns:
        Shape (len(numbers), channels, rows, columns).
    """
    parts = latents.reshape(timeline.components, timeline.channels, *latents.shape[1:])
    rows = [
        [
            (1.0 if k == 0 else math.sqrt(2) * math.cos(math.pi * k * (number + 0.5) / total))
            / scale
            for k, scale in enumerate(timeline.scales)
        ]
        for number in numbers
    ]
    values = torch.tensor(rows, dtype=latents.dtype, device=latents.device)
    return torch.einsum("nk,kchw->nchw", values, parts)


@dataclass(frozen=True, slots=True)
class _Reporter:
    task: VideoTask
    watch: Supervision
    timeline: Timeline
    previewer: Previewer

    def on_step_end(
        self, pipeline: Pipeline, step: int, timestep: object, values: dict[str, object]
    ) -> dict[str, object]:
        self.watch.check()
        steps = self.task.num_inference_steps
        if step + 1 >= steps:
            require_numbers(values)
        done = min(step + 1, steps)
        middle = self._middle_frame(values.get("latents"))
        preview = self.previewer.see(pipeline, middle, timestep, done=done)
        self.watch.report(StepProgress(stage="denoising", step=done, steps=steps, preview=preview))
        return values

    def _middle_frame(self, latents: object) -> object:
        if not (self.task.previews and isinstance(latents, torch.Tensor)):
            return None
        middle = self.task.num_frames // 2
        return unfold(latents[0], self.timeline, range(middle, middle + 1), self.task.num_frames)


def film_timeline(
    pipeline: Pipeline,
    spec: ModelSpec,
    task: VideoTask,
    watch: Supervision,
    *,
    timeline: Timeline,
    readout: Readout | None = None,
) -> Iterator[Frames]:
    """Make the clip of a task; yield its frames in order, some at a time."""
    width, height = choose_sampling_size((task.width, task.height), spec.native_sizes)
    due = preview_steps(task.num_inference_steps, task.previews)
    previewer = Previewer(readout, size=(width, height), due=due)
    reporter = _Reporter(task, watch, timeline, previewer)
    arguments = {
        "prompt": task.prompt,
        "negative_prompt": task.negative_prompt or None,
        "width": width,
        "height": height,
        "num_inference_steps": task.num_inference_steps,
        "guidance_scale": task.guidance_scale,
        "generator": torch.Generator("cpu").manual_seed(task.seed),
        "output_type": "latent",
    } | callbacks(pipeline, reporter.on_step_end)
    latents = pipeline(**supported(pipeline, arguments)).images[0]
    steps = task.num_inference_steps
    watch.report(StepProgress(stage="decoding", step=steps, steps=steps))
    for first in range(0, task.num_frames, FRAMES_AT_ONCE):
        watch.check()
        numbers = range(first, min(first + FRAMES_AT_ONCE, task.num_frames))
        part = unfold(latents, timeline, numbers, task.num_frames)
        rgb = b"".join(_decode(pipeline, part, (task.width, task.height)))
        yield Frames(first=first, count=len(numbers), width=task.width, height=task.height, rgb=rgb)


def _decode(pipeline: Pipeline, latents: torch.Tensor, wanted: tuple[int, int]) -> Iterator[bytes]:
    with torch.no_grad():
        drawn = pipeline.vae.decode(latents / pipeline.vae.config.scaling_factor).sample
    pixels = ((drawn.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    for frame in pixels.permute(0, 2, 3, 1).cpu().numpy():
        yield fit(Image.fromarray(frame), wanted).tobytes()
