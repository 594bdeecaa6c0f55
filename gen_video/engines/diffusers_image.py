"""Pictures by stock diffusers pipelines.

Every picture runs alone with a generator of its own on the CPU, so that a seed gives the same
bits whatever else was asked for with it.
"""

import inspect
import math
from dataclasses import dataclass
from typing import Any

import diffusers
import torch
from PIL import Image

from gen_video.engines.catalogue import ModelSpec, TaskKind
from gen_video.engines.diffusers_masks import LatentMask
from gen_video.engines.diffusers_models import (
    Pipeline,
    callbacks,
    derive,
    offload_like,
    require_numbers,
    supported,
)
from gen_video.engines.diffusers_previews import Previewer, Readout
from gen_video.engines.edits import (
    grow_to_cells,
    join_side_by_side,
    lay_into,
    make_usable,
    paste_back,
    read_mask,
    read_png,
)
from gen_video.engines.errors import ModelUnavailableError
from gen_video.engines.fitting import fit
from gen_video.engines.makes import Supervision
from gen_video.engines.previews import preview_steps
from gen_video.engines.residency import Resident
from gen_video.engines.sizes import choose_sampling_size
from gen_video.engines.tasks import ImageTask, Picture, StepProgress

TILED_ABOVE_PIXELS = 2 * 1024 * 1024
TRUE_CFG_FAMILIES = ("QwenImage",)
STOCK_CHANNELS = {"UNet2DConditionModel": (4, 9), "SD3Transformer2DModel": (16, 33)}
"""Widths of the networks that the stock inpainting pipelines take; others take any."""
INPAINT_TWINS = {"Flux2KleinPipeline": "Flux2KleinInpaintPipeline"}
"""Where diffusers' own table of inpainting pipelines knows none."""


def draw_picture(
    pipeline: Pipeline,
    spec: ModelSpec,
    task: ImageTask,
    index: int,
    watch: Supervision,
    *,
    readout: Readout | None = None,
) -> Picture:
    """Draw the picture at an index of a task.

    Args:
        pipeline: Of the kind that the task needs.
        spec: The model.
        task: What is wanted.
        index: Of the picture, from 0.
        watch: Told the progress, asked whether to go on.
        readout: Of the model, where previews are wanted.
    """
    size = choose_sampling_size((task.width, task.height), spec.native_sizes)
    _prepare_decoder(pipeline, size)
    arguments = call_arguments(pipeline, task, size=size, index=index)
    reporter = _Reporter(
        task=task,
        index=index,
        watch=watch,
        readout=readout,
        size=size,
        keeper=_keeper(pipeline, task, size=size, index=index),
    )
    arguments |= callbacks(pipeline, reporter.on_step_end)
    result = pipeline(**supported(pipeline, arguments))
    watch.check()
    image = fit(result.images[0].convert("RGB"), (task.width, task.height))
    return Picture(
        index=index,
        width=task.width,
        height=task.height,
        seed=task.seed + index,
        rgb=_keep_outside(task, image).tobytes(),
    )


def _keeper(
    pipeline: Pipeline, task: ImageTask, *, size: tuple[int, int], index: int
) -> LatentMask | None:
    """Return what keeps the rest of a masked picture where the pipeline does not do so itself."""
    if task.mask is None or supported(pipeline, {"mask_image": None}):
        return None
    picture = fit_reference(task.reference_image or b"", size)
    return LatentMask(pipeline, picture, _cells(pipeline, task.mask, size), seed=task.seed + index)


def _cells(pipeline: Pipeline, mask: bytes, size: tuple[int, int]) -> Image.Image:
    cell = int(pipeline.vae_scale_factor) * (2 if hasattr(pipeline, "_pack_latents") else 1)
    return grow_to_cells(read_mask(mask, size), cell)


def _keep_outside(task: ImageTask, drawn: Image.Image) -> Image.Image:
    """Return what was drawn, with the reference picture wherever the mask says so."""
    if task.mask is None or task.reference_image is None:
        return drawn
    original = fit_reference(task.reference_image, drawn.size)
    return paste_back(drawn, original, read_mask(task.mask, drawn.size))


def call_arguments(
    pipeline: Pipeline, task: ImageTask, *, size: tuple[int, int], index: int
) -> dict[str, Any]:
    """Return the pipeline's arguments for one picture of a task.

    The prompt is passed as one text, never as a list that the caller keeps: a family of
    pipelines rewrites such lists in place.
    """
    width, height = size
    arguments: dict[str, Any] = {
        "prompt": task.prompt,
        "width": width,
        "height": height,
        "num_inference_steps": task.num_inference_steps,
        "generator": torch.Generator("cpu").manual_seed(task.seed + index),
        "output_type": "pil",
    }
    uses_true_cfg = type(pipeline).__name__.startswith(TRUE_CFG_FAMILIES)
    arguments["true_cfg_scale" if uses_true_cfg else "guidance_scale"] = task.guidance_scale
    negative = task.negative_prompt or (" " if uses_true_cfg else "")
    if negative:
        arguments["negative_prompt"] = negative
    if task.reference_image is not None:
        arguments |= _reference_arguments(pipeline, task, size=size)
        arguments["strength"] = task.strength
        if supported(pipeline, {"strength": None}):
            arguments["num_inference_steps"] = enough_steps(
                task.num_inference_steps, strength=task.strength
            )
    return arguments


def _reference_arguments(
    pipeline: Pipeline, task: ImageTask, *, size: tuple[int, int]
) -> dict[str, Any]:
    """Return the pictures and the mask as the pipeline takes them.

    Without a mask there are several pictures only for a pipeline that looks at all of them. With
    one, further pictures are looked at where the pipeline can, else they are what the masked
    part begins with.
    """
    picture = fit_reference(task.reference_image or b"", size)
    others = [make_usable(read_png(png)) for png in task.more_references]
    if task.mask is None:
        return {"image": [picture, *others] if others else picture}
    arguments: dict[str, Any] = {"mask_image": _cells(pipeline, task.mask, size)}
    if others and supported(pipeline, {"image_reference": None}):
        return arguments | {"image": picture, "image_reference": join_side_by_side(others)}
    return arguments | {"image": lay_into(picture, read_mask(task.mask, size), others)}


def enough_steps(steps: int, *, strength: float) -> int:
    """Return so many steps that at least one is run: a pipeline runs `int(steps x strength)`."""
    least = math.ceil(1 / strength)
    while int(least * strength) < 1:  # the division was rounded
        least += 1
    return max(steps, least)


def fit_reference(png: bytes, size: tuple[int, int]) -> Image.Image:
    """Return the reference image cut and scaled to exactly this size."""
    return fit(read_png(png), size)


def kind_of(task: ImageTask) -> TaskKind:
    """Return what a task asks a model for."""
    if task.reference_image is None:
        return TaskKind.TEXT_TO_IMAGE
    return TaskKind.IMAGE_TO_IMAGE if task.mask is None else TaskKind.INPAINT


def picture_pipeline(resident: Resident, kind: TaskKind, spec: ModelSpec) -> Pipeline:
    """Return the pipeline that makes this kind of picture, derived from the model's own.

    Raises:
        ModelUnavailableError: The weights' family has none.
    """
    if kind not in resident.pipelines:
        base = resident.pipelines[TaskKind.TEXT_TO_IMAGE]
        try:
            resident.pipelines[kind] = _derive(base, kind)
        except ValueError as error:
            raise ModelUnavailableError(
                spec.id, f"its family has no {kind.value} pipeline"
            ) from error
    return resident.pipelines[kind]


def _derive(base: Pipeline, kind: TaskKind) -> Pipeline:
    twin = INPAINT_TWINS.get(type(base).__name__)
    if kind is TaskKind.INPAINT and twin is not None:
        return derive(base, twin)
    parameters = inspect.signature(base.__call__).parameters
    if kind is TaskKind.IMAGE_TO_IMAGE and "image" in parameters and "strength" not in parameters:
        return base  # one pipeline that edits as well as draws
    is_inpaint = kind is TaskKind.INPAINT and _knows_masks(base)
    auto = (
        diffusers.AutoPipelineForInpainting if is_inpaint else diffusers.AutoPipelineForImage2Image
    )
    derived = auto.from_pipe(base)
    derived.set_progress_bar_config(disable=True)
    offload_like(base, derived)
    return derived


def _knows_masks(base: Pipeline) -> bool:
    """Tell whether the family's inpainting pipeline takes these weights; see `diffusers_masks`."""
    network: Pipeline = getattr(base, "unet", None) or getattr(base, "transformer", None)
    stock = STOCK_CHANNELS.get(type(network).__name__)
    return stock is None or network.config.in_channels in stock


@dataclass(kw_only=True)
class _Reporter:
    """Tells how far a picture is and what it looks like, and stops it when asked."""

    task: ImageTask
    index: int
    watch: Supervision
    readout: Readout | None
    size: tuple[int, int]
    keeper: LatentMask | None = None
    previewer: Previewer | None = None

    def on_step_end(
        self, pipeline: Pipeline, step: int, timestep: object, values: dict[str, Any]
    ) -> dict[str, Any]:
        self.watch.check()
        steps = int(getattr(pipeline, "num_timesteps", 0) or self.task.num_inference_steps)
        if step + 1 >= steps:
            require_numbers(values)
        if self.keeper is not None:
            values["latents"] = self.keeper.blend(pipeline, values["latents"], timestep)
        done, total = self.index * steps + min(step + 1, steps), steps * self.task.n
        if self.previewer is None:  # how many steps there are is known by now
            due = preview_steps(total, self.task.previews)
            self.previewer = Previewer(self.readout, size=self.size, due=due)
        preview = self.previewer.see(pipeline, values.get("latents"), timestep, done=done)
        self.watch.report(StepProgress(stage="denoising", step=done, steps=total, preview=preview))
        return values


def _prepare_decoder(pipeline: Pipeline, size: tuple[int, int]) -> None:
    """Decode large pictures in tiles: an untiled decoder needs gigabytes for them."""
    vae = getattr(pipeline, "vae", None)
    if vae is None or not hasattr(vae, "use_tiling"):
        return
    if size[0] * size[1] > TILED_ABOVE_PIXELS:
        vae.enable_tiling()
    else:
        vae.disable_tiling()
