"""Pictures by stock diffusers pipelines.

Every picture runs alone with a generator of its own on the CPU, so that a seed gives the same
bits whatever else was asked for with it.
"""

import inspect
import io
import math
from typing import Any

import diffusers
import torch
from PIL import Image

from gen_video.engines.catalogue import ModelSpec, TaskKind
from gen_video.engines.diffusers_models import (
    Pipeline,
    StepCallback,
    callbacks,
    offload_like,
    require_numbers,
    supported,
)
from gen_video.engines.errors import ModelUnavailableError
from gen_video.engines.fitting import fit
from gen_video.engines.makes import Supervision
from gen_video.engines.residency import Resident
from gen_video.engines.sizes import choose_sampling_size
from gen_video.engines.tasks import ImageTask, Picture, StepProgress

TILED_ABOVE_PIXELS = 2 * 1024 * 1024
TRUE_CFG_FAMILIES = ("QwenImage",)


def draw_picture(
    pipeline: Pipeline, spec: ModelSpec, task: ImageTask, index: int, watch: Supervision
) -> Picture:
    """Draw the picture at an index of a task."""
    size = choose_sampling_size((task.width, task.height), spec.native_sizes)
    _prepare_decoder(pipeline, size)
    arguments = call_arguments(pipeline, task, size=size, index=index)
    arguments |= callbacks(pipeline, _step_callback(task, index, watch))
    result = pipeline(**supported(pipeline, arguments))
    watch.check()
    image = fit(result.images[0].convert("RGB"), (task.width, task.height))
    return Picture(
        index=index,
        width=task.width,
        height=task.height,
        seed=task.seed + index,
        rgb=image.tobytes(),
    )


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
        arguments["image"] = fit_reference(task.reference_image, size)
        arguments["strength"] = task.strength
        if supported(pipeline, {"strength": None}):
            arguments["num_inference_steps"] = enough_steps(
                task.num_inference_steps, strength=task.strength
            )
    return arguments


def enough_steps(steps: int, *, strength: float) -> int:
    """Return so many steps that at least one is run: a pipeline runs `int(steps x strength)`."""
    least = math.ceil(1 / strength)
    while int(least * strength) < 1:  # the division was rounded
        least += 1
    return max(steps, least)


def fit_reference(png: bytes, size: tuple[int, int]) -> Image.Image:
    """Return the reference image cut and scaled to exactly this size."""
    with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        return fit(image.convert("RGB"), size)


def picture_pipeline(resident: Resident, kind: TaskKind, spec: ModelSpec) -> Pipeline:
    """Return the pipeline that makes this kind of picture, derived from the model's own."""
    if kind not in resident.pipelines:
        base = resident.pipelines[TaskKind.TEXT_TO_IMAGE]
        parameters = inspect.signature(base.__call__).parameters
        if "image" in parameters and "strength" not in parameters:
            resident.pipelines[kind] = base  # one pipeline that edits as well as draws
        else:
            try:
                resident.pipelines[kind] = diffusers.AutoPipelineForImage2Image.from_pipe(base)
            except ValueError as error:
                raise ModelUnavailableError(
                    spec.id, "its family has no image-to-image pipeline"
                ) from error
            resident.pipelines[kind].set_progress_bar_config(disable=True)
            offload_like(base, resident.pipelines[kind])
    return resident.pipelines[kind]


def _step_callback(task: ImageTask, index: int, watch: Supervision) -> StepCallback:
    def on_step_end(
        pipeline: Pipeline, step: int, _timestep: object, values: dict[str, Any]
    ) -> dict[str, Any]:
        watch.check()
        steps = int(getattr(pipeline, "num_timesteps", 0) or task.num_inference_steps)
        if step + 1 >= steps:
            require_numbers(values)
        done = index * steps + min(step + 1, steps)
        watch.report(StepProgress(stage="denoising", step=done, steps=steps * task.n))
        return values

    return on_step_end


def _prepare_decoder(pipeline: Pipeline, size: tuple[int, int]) -> None:
    """Decode large pictures in tiles: an untiled decoder needs gigabytes for them."""
    vae = getattr(pipeline, "vae", None)
    if vae is None or not hasattr(vae, "use_tiling"):
        return
    if size[0] * size[1] > TILED_ABOVE_PIXELS:
        vae.enable_tiling()
    else:
        vae.disable_tiling()
