"""Loaded models: stock diffusers pipelines from a folder or a hub; safetensors, no foreign code.

One pipeline object is not safe for two threads: the child uses one thread.
"""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import diffusers
import torch
import transformers
from safetensors import SafetensorError

from gen_video.engines.catalogue import ModelSpec, TaskKind
from gen_video.engines.errors import EngineFailedError, ModelUnavailableError
from gen_video.engines.makes import ChildConfig
from gen_video.engines.residency import Residency, Resident
from gen_video.engines.weights import find_folder, inspect_folder

Pipeline: TypeAlias = Any
"""A diffusers pipeline; the families share no typed base worth naming."""
StepCallback: TypeAlias = Callable[[Pipeline, int, object, dict[str, Any]], dict[str, Any]]

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


class Shelf:
    """Loads pipelines onto one device and keeps them while they fit."""

    def __init__(self, config: ChildConfig) -> None:
        self._config = config
        self._device = choose_device(config.device)
        if config.threads:
            torch.set_num_threads(config.threads)
        _quiet_libraries()
        self._residency = Residency(budget_mib=config.memory_mib, device=self._device)

    def get(self, spec: ModelSpec) -> Resident:
        """Return a model, loading it when it is not there.

        Raises:
            ModelUnavailableError: Its weights are missing or refused.
        """
        return self._residency.get(spec.id, lambda: self._load(spec), need_mib=spec.memory_mib)

    def folder_of(self, spec: ModelSpec) -> Path:
        """Return where a model's files lie on this machine."""
        return find_folder(spec, is_offline=self._config.is_hub_offline)

    def drop(self, model_id: str) -> None:
        """Let go of a model; one that is not there is ignored."""
        self._residency.drop(model_id)

    def names(self) -> tuple[str, ...]:
        """Return the ids of the loaded models."""
        return self._residency.names()

    def has_room_for(self, spec: ModelSpec) -> bool:
        """Tell whether a model is there, or can be loaded without another one leaving."""
        return self._residency.has_room_for(spec.id, need_mib=spec.memory_mib)

    def _load(self, spec: ModelSpec) -> Resident:
        folder = find_folder(spec, is_offline=self._config.is_hub_offline)
        known = frozenset(name for name in dir(diffusers.pipelines) if not name.startswith("_"))
        class_name = inspect_folder(spec, folder, known_modules=known)
        if not _is_pipeline(class_name):
            raise ModelUnavailableError(spec.id, f"this diffusers has no {class_name}")
        try:
            pipeline = diffusers.DiffusionPipeline.from_pretrained(
                folder,
                dtype=choose_dtypes(class_name, choose_dtype(spec, self._device)),
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
        return Resident(pipelines={_main_kind(spec): pipeline}, need_mib=spec.memory_mib)


def _main_kind(spec: ModelSpec) -> TaskKind:
    """Return the kind that the weights' own pipeline serves; others are derived from it."""
    if spec.makes_pictures:
        return TaskKind.TEXT_TO_IMAGE
    is_text = TaskKind.TEXT_TO_VIDEO in spec.kinds
    return TaskKind.TEXT_TO_VIDEO if is_text else TaskKind.IMAGE_TO_VIDEO


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


def choose_dtypes(class_name: str, dtype: torch.dtype) -> dict[str, torch.dtype]:
    """Return the precision of a pipeline's parts.

    What Wan's autoencoder makes of a reference image is where its clip begins: the makers compute
    it in float32. See https://github.com/hao-ai-lab/FastVideo/pull/1472.
    """
    dtypes = {"default": dtype}
    if class_name.startswith("Wan"):
        dtypes["vae"] = torch.float32
    return dtypes


def supported(pipeline: Pipeline, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return those arguments that this pipeline takes."""
    parameters = inspect.signature(pipeline.__call__).parameters
    return {name: value for name, value in arguments.items() if name in parameters}


def callbacks(pipeline: Pipeline, on_step_end: StepCallback) -> dict[str, Any]:
    """Return the callback argument that this pipeline takes; older ones know another form."""
    if supported(pipeline, {"callback_on_step_end": on_step_end}):
        return {"callback_on_step_end": on_step_end}

    def on_step(step: int, timestep: object, latents: torch.Tensor) -> None:
        on_step_end(pipeline, step, timestep, {"latents": latents})

    return {"callback": on_step, "callback_steps": 1}


def require_numbers(values: dict[str, Any]) -> None:
    """Refuse latents that are no numbers any more: they would be decoded to plain black."""
    latents = values.get("latents")
    if isinstance(latents, torch.Tensor) and not bool(torch.isfinite(latents).all()):
        raise EngineFailedError("it computed no numbers (NaN); another dtype may help")


def offload_like(base: Pipeline, derived: Pipeline) -> None:
    """Let a derived pipeline move its parts between the devices as its base does."""
    if getattr(base, "_all_hooks", None):
        derived.enable_model_cpu_offload(device=base._offload_device)  # noqa: SLF001 - as the base


def derive(base: Pipeline, class_name: str) -> Pipeline:
    """Build another pipeline of the same parts.

    Not with `from_pipe`: it casts the parts, which are shared, to float32.
    """
    twin = getattr(diffusers, class_name)
    values = {**base.config, **base.components}
    names = inspect.signature(twin.__init__).parameters
    derived = twin(**{name: values[name] for name in names if name in values})
    derived.set_progress_bar_config(disable=True)
    offload_like(base, derived)
    return derived


def _is_pipeline(class_name: str) -> bool:
    found = getattr(diffusers, class_name, None)
    return isinstance(found, type) and issubclass(found, diffusers.DiffusionPipeline)


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
        if device == "cpu" and type(getattr(pipeline, "vae", None)).__name__ == "AutoencoderKL":
            # A fifth faster there: 0.36 s of processor time a picture instead of 0.47 s.
            pipeline.vae.to(memory_format=torch.channels_last)
    elif spec.offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    else:
        pipeline.enable_sequential_cpu_offload(device=device)
