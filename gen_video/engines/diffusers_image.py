"""Pictures by stock diffusers pipelines, from a folder or a hub; safetensors, no foreign code.

One pipeline object is not safe for two threads: the child uses one thread. Every picture runs
alone with a generator of its own on the CPU, so that a seed gives the same bits whatever else
was asked for with it.
"""

import inspect
import io
import math
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import diffusers
import torch
import transformers
from PIL import Image
from safetensors import SafetensorError
from typing_extensions import override

from gen_video.engines.catalogue import ModelSpec, TaskKind
from gen_video.engines.diffusers_loras import use_adapters
from gen_video.engines.errors import EngineFailedError, ModelUnavailableError
from gen_video.engines.makes import ChildConfig, Make, Supervision
from gen_video.engines.residency import Residency, Resident
from gen_video.engines.sizes import choose_sampling_size, cover_box
from gen_video.engines.tasks import ImageTask, Picture, StepProgress
from gen_video.engines.weights import find_folder, inspect_folder

Pipeline: TypeAlias = Any
"""A diffusers pipeline; the families share no typed base worth naming."""
StepCallback: TypeAlias = Callable[[Pipeline, int, object, dict[str, Any]], dict[str, Any]]

TILED_ABOVE_PIXELS = 2 * 1024 * 1024
TRUE_CFG_FAMILIES = ("QwenImage",)
LOAD_ERRORS = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    RuntimeError,
    SafetensorError,
)
"""What damaged or incomplete weights make the libraries raise."""
DTYPES = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}


class DiffusersMake(Make):
    """Loads and runs pipelines on one device."""

    def __init__(self, config: ChildConfig) -> None:
        self._config = config
        self._device = choose_device(config.device)
        if config.threads:
            torch.set_num_threads(config.threads)
        _quiet_libraries()
        self._residency = Residency(budget_mib=config.memory_mib, device=self._device)

    @override
    def load(self, spec: ModelSpec) -> None:
        self._resident(spec)

    @override
    def resident_models(self) -> tuple[str, ...]:
        return self._residency.names()

    @override
    def run(self, spec: ModelSpec, task: ImageTask, watch: Supervision) -> Iterator[Picture]:
        resident = self._resident(spec)
        has_reference = task.reference_image is not None
        kind = TaskKind.IMAGE_TO_IMAGE if has_reference else TaskKind.TEXT_TO_IMAGE
        pipeline = _pipeline_for(resident, kind, spec)
        watch.check()
        with use_adapters(pipeline, task.loras, folder=self._config.lora_path):
            for index in range(task.n):
                yield self._draw(pipeline, spec, task, index, watch)

    def _draw(
        self, pipeline: Pipeline, spec: ModelSpec, task: ImageTask, index: int, watch: Supervision
    ) -> Picture:
        size = choose_sampling_size((task.width, task.height), spec.native_sizes)
        _prepare_decoder(pipeline, size)
        arguments = call_arguments(pipeline, task, size=size, index=index)
        arguments |= _callbacks(pipeline, _step_callback(task, index, watch))
        result = pipeline(**supported(pipeline, arguments))
        watch.check()
        image = result.images[0].convert("RGB")
        wanted = (task.width, task.height)
        if image.size != wanted:
            box = cover_box(image.size, wanted)
            image = image.resize(wanted, Image.Resampling.LANCZOS, box=box)
        return Picture(
            index=index,
            width=task.width,
            height=task.height,
            seed=task.seed + index,
            rgb=image.tobytes(),
        )

    def _resident(self, spec: ModelSpec) -> Resident:
        return self._residency.get(spec.id, lambda: self._load(spec), need_mib=spec.memory_mib)

    def _load(self, spec: ModelSpec) -> Resident:
        folder = find_folder(spec, is_offline=self._config.is_hub_offline)
        known = frozenset(name for name in dir(diffusers.pipelines) if not name.startswith("_"))
        class_name = inspect_folder(spec, folder, known_modules=known)
        if not _is_pipeline(class_name):
            raise ModelUnavailableError(spec.id, f"this diffusers has no {class_name}")
        try:
            pipeline = diffusers.DiffusionPipeline.from_pretrained(
                folder,
                dtype=choose_dtype(spec, self._device),
                use_safetensors=True,
                variant=spec.variant,
                local_files_only=True,
            )
        except LOAD_ERRORS as error:
            if "out of memory" in str(error).lower():
                raise
            words = str(error).replace(f"{folder}/", "").replace(str(folder), folder.name)
            raise ModelUnavailableError(spec.id, (words.splitlines() or ["?"])[0][:300]) from error
        _set_scheduler(pipeline, spec)
        _place(pipeline, spec, self._device)
        return Resident(pipelines={TaskKind.TEXT_TO_IMAGE: pipeline}, need_mib=spec.memory_mib)


def _quiet_libraries() -> None:
    """Keep progress bars and advice for interactive users out of the service's log."""
    for library in (diffusers.utils.logging, transformers.utils.logging):
        library.disable_progress_bar()
        library.set_verbosity_error()


def choose_device(wanted: str) -> str:
    """Return the torch device for a setting; `auto` takes the best that is there."""
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def choose_dtype(spec: ModelSpec, device: str) -> torch.dtype:
    """Return the precision for a model: as declared, else what suits the device."""
    if spec.dtype != "auto":
        return DTYPES[spec.dtype]
    if not device.startswith("cuda"):
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


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


def supported(pipeline: Pipeline, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return those arguments that this pipeline takes."""
    parameters = inspect.signature(pipeline.__call__).parameters
    return {name: value for name, value in arguments.items() if name in parameters}


def fit_reference(png: bytes, size: tuple[int, int]) -> Image.Image:
    """Return the reference image cut and scaled to exactly this size."""
    with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
        return image.convert("RGB").resize(
            size, Image.Resampling.LANCZOS, box=cover_box(image.size, size)
        )


def _pipeline_for(resident: Resident, kind: TaskKind, spec: ModelSpec) -> Pipeline:
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
    return resident.pipelines[kind]


def _is_pipeline(class_name: str) -> bool:
    found = getattr(diffusers, class_name, None)
    return isinstance(found, type) and issubclass(found, diffusers.DiffusionPipeline)


def _callbacks(pipeline: Pipeline, on_step_end: StepCallback) -> dict[str, Any]:
    """Return the callback argument that this pipeline takes; older ones know another form."""
    if supported(pipeline, {"callback_on_step_end": on_step_end}):
        return {"callback_on_step_end": on_step_end}

    def on_step(step: int, timestep: object, latents: torch.Tensor) -> None:
        on_step_end(pipeline, step, timestep, {"latents": latents})

    return {"callback": on_step, "callback_steps": 1}


def _step_callback(task: ImageTask, index: int, watch: Supervision) -> StepCallback:
    def on_step_end(
        pipeline: Pipeline, step: int, _timestep: object, values: dict[str, Any]
    ) -> dict[str, Any]:
        watch.check()
        steps = int(getattr(pipeline, "num_timesteps", 0) or task.num_inference_steps)
        if step + 1 >= steps:
            _require_numbers(values)
        done = index * steps + min(step + 1, steps)
        watch.report(StepProgress(stage="denoising", step=done, steps=steps * task.n))
        return values

    return on_step_end


def _require_numbers(values: dict[str, Any]) -> None:
    """Refuse latents that are no numbers any more: they would be decoded to plain black."""
    latents = values.get("latents")
    if isinstance(latents, torch.Tensor) and not bool(torch.isfinite(latents).all()):
        raise EngineFailedError("it computed no numbers (NaN); another dtype may help")


def _prepare_decoder(pipeline: Pipeline, size: tuple[int, int]) -> None:
    """Decode large pictures in tiles: an untiled decoder needs gigabytes for them."""
    vae = getattr(pipeline, "vae", None)
    if vae is None or not hasattr(vae, "enable_tiling"):
        return
    if size[0] * size[1] > TILED_ABOVE_PIXELS:
        vae.enable_tiling()
    else:
        vae.disable_tiling()


def _set_scheduler(pipeline: Pipeline, spec: ModelSpec) -> None:
    if spec.scheduler is None:
        return
    scheduler = getattr(diffusers, spec.scheduler, None)
    if scheduler is None:
        raise ModelUnavailableError(spec.id, f"there is no scheduler {spec.scheduler}")
    pipeline.scheduler = scheduler.from_config(pipeline.scheduler.config, **spec.scheduler_config)


def _place(pipeline: Pipeline, spec: ModelSpec, device: str) -> None:
    pipeline.set_progress_bar_config(disable=True)
    if device == "cpu" or spec.offload == "none":
        pipeline.to(device)
    elif spec.offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    else:
        pipeline.enable_sequential_cpu_offload(device=device)
