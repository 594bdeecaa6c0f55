"""Clips by stock diffusers video pipelines.

A clip runs alone with a generator of its own, so that a seed gives the same bits each time. Its
frames leave in chunks: the first are encoded while later ones are decoded or copied.
"""

import functools
import inspect
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from gen_video.engines.catalogue import ModelSpec, TaskKind
from gen_video.engines.diffusers_image import fit_reference
from gen_video.engines.diffusers_models import (
    Pipeline,
    callbacks,
    derive,
    require_numbers,
    supported,
)
from gen_video.engines.diffusers_previews import Previewer, Readout
from gen_video.engines.errors import EngineFailedError, ModelUnavailableError
from gen_video.engines.makes import Supervision
from gen_video.engines.previews import preview_steps
from gen_video.engines.residency import Resident
from gen_video.engines.sizes import cover_box
from gen_video.engines.tasks import Frames, SmallPicture, StepProgress, VideoTask

CHUNK_FRAMES = 8
TILED_ABOVE_PIXELS = 16 * 1024 * 1024
"""Counted over all frames that a decoder holds at once; beyond it needs tens of gigabytes."""
FRAMES_AT_ONCE = {"AutoencoderKLWan": 4, "AutoencoderKL": CHUNK_FRAMES}
"""Decoders that hold few frames at a time; the others hold the whole clip."""
TWINS = (
    ("LTXPipeline", "LTXImageToVideoPipeline"),
    ("LTX2Pipeline", "LTX2ImageToVideoPipeline"),
    ("WanPipeline", "WanImageToVideoPipeline"),
)
"""Pipelines of one set of weights: from text, and from an image."""
SERVE_BOTH_KINDS = frozenset({"LTXConditionPipeline"})
FRAME_AXES = {"StableVideoDiffusionPipeline": 1, "AnimateDiffPipeline": 2}
"""Which axis of the latents counts the frames, where a few of them can be decoded alone."""
DECODE_TIMESTEP, DECODE_NOISE_SCALE = 0.05, 0.025
"""What the makers of LTX-Video recommend for decoders that denoise once more (0.9.1 and up)."""


def video_pipeline(resident: Resident, kind: TaskKind, spec: ModelSpec) -> Pipeline:
    """Return the pipeline that makes this kind of clip, derived from the model's own.

    Raises:
        ModelUnavailableError: The weights make no clips, or none of this kind.
    """
    base = resident.pipelines.get(kind) or next(iter(resident.pipelines.values()))
    if not _takes(base, "num_frames"):
        raise ModelUnavailableError(spec.id, f"{type(base).__name__} makes no videos")
    pipeline = base
    if not _serves(base, kind):
        pipeline = derive(base, _twin_name(base, kind, spec))
    resident.pipelines[kind] = pipeline
    return pipeline


def film_clip(
    pipeline: Pipeline, task: VideoTask, watch: Supervision, *, readout: Readout | None = None
) -> Iterator[Frames]:
    """Make the clip of a task; yield its frames in order, some at a time.

    Args:
        pipeline: Of the kind that the task needs.
        task: What is wanted.
        watch: Told the progress, asked whether to go on.
        readout: Of the model, where previews are wanted.
    """
    _prepare_decoder(pipeline, task)
    _set_guider(pipeline, task)
    due = preview_steps(task.num_inference_steps, task.previews)
    previewer = Previewer(readout, size=(task.width, task.height), due=due)
    reporter = _Reporter(task=task, watch=watch, previewer=previewer)
    try:
        with _watched(pipeline, reporter):
            for frames in _chunks(pipeline, task, reporter):
                yield frames
                watch.check()
    finally:
        # A run that was cancelled leaves its models on the device where they are offloaded.
        pipeline.maybe_free_model_hooks()


@dataclass(slots=True)
class _Reporter:
    """Tells how far a clip is, and stops it when asked."""

    task: VideoTask
    watch: Supervision
    previewer: Previewer
    steps: int = 0
    is_decoding: bool = False

    def on_step_end(
        self, pipeline: Pipeline, step: int, timestep: object, values: dict[str, Any]
    ) -> dict[str, Any]:
        self.watch.check()
        self.steps = int(getattr(pipeline, "num_timesteps", 0) or self.task.num_inference_steps)
        if step + 1 >= self.steps:
            require_numbers(values)
        done = min(step + 1, self.steps)
        preview = self.previewer.see(pipeline, values.get("latents"), timestep, done=done)
        self._report("denoising", done, preview)
        return values

    def before_decoding(self) -> None:
        """Called before every tile, frame or chunk that is decoded."""
        self.watch.check()
        if not self.is_decoding:
            self.is_decoding = True
            self._report("decoding", self.steps)

    def _report(self, stage: str, step: int, preview: SmallPicture | None = None) -> None:
        self.watch.report(StepProgress(stage=stage, step=step, steps=self.steps, preview=preview))


def _chunks(pipeline: Pipeline, task: VideoTask, reporter: _Reporter) -> Iterator[Frames]:
    axis = FRAME_AXES.get(type(pipeline).__name__)
    arguments = _call_arguments(pipeline, task) | callbacks(pipeline, reporter.on_step_end)
    arguments["output_type"] = "pt" if axis is None else "latent"
    clip = pipeline(**supported(pipeline, arguments)).frames
    if axis is None:
        clip, axis = clip[0], 0
    if clip.shape[axis] != task.num_frames:
        raise EngineFailedError(f"it made {clip.shape[axis]} frames, not {task.num_frames}")
    for first in range(0, task.num_frames, CHUNK_FRAMES):
        reporter.before_decoding()
        part = clip.narrow(axis, first, min(CHUNK_FRAMES, task.num_frames - first))
        pixels = part if axis == 0 else _decode(pipeline, part, frames=part.shape[axis])
        yield _as_frames(pixels, task, first=first)


def _call_arguments(pipeline: Pipeline, task: VideoTask) -> dict[str, Any]:
    """Return the arguments of a task, under every name that some pipeline has for them."""
    arguments: dict[str, Any] = {
        "prompt": task.prompt,
        "width": task.width,
        "height": task.height,
        "num_frames": task.num_frames,
        "num_inference_steps": task.num_inference_steps,
        "guidance_scale": task.guidance_scale,
        "max_guidance_scale": task.guidance_scale,
        "fps": task.fps,
        "frame_rate": task.fps,
        "generator": torch.Generator(_generator_device(pipeline)).manual_seed(task.seed),
        "decode_chunk_size": CHUNK_FRAMES,
    }
    if task.negative_prompt:
        arguments["negative_prompt"] = task.negative_prompt
    if task.reference_image is not None:
        arguments["image"] = fit_reference(task.reference_image, (task.width, task.height))
    if _decoder_denoises(pipeline):
        arguments["decode_timestep"] = DECODE_TIMESTEP
        arguments["decode_noise_scale"] = DECODE_NOISE_SCALE
    return arguments | _ltx2_arguments(pipeline, task)


def _ltx2_arguments(pipeline: Pipeline, task: VideoTask) -> dict[str, Any]:
    """Return what LTX-2 has beside the usual guidance, whose defaults are those of LTX-2.3."""
    if not _takes(pipeline, "spatio_temporal_guidance_blocks"):
        return {}
    arguments: dict[str, Any] = {}
    if not pipeline.transformer.config.get("cross_attn_mod", False):  # LTX-2.0
        arguments |= {"spatio_temporal_guidance_blocks": [29], "use_cross_timestep": False}
    if task.guidance_scale <= 1:  # distilled weights; without this two networks more would run
        arguments |= {"stg_scale": 0.0, "modality_scale": 1.0, "guidance_rescale": 0.0}
        arguments |= {"audio_guidance_scale": 1.0, "audio_stg_scale": 0.0}
        arguments |= {"audio_modality_scale": 1.0, "audio_guidance_rescale": 0.0}
    return arguments


def _decoder_denoises(pipeline: Pipeline) -> bool:
    return bool(pipeline.vae.config.get("timestep_conditioning", False))


def _generator_device(pipeline: Pipeline) -> str:
    """Return where the noise is made: on the CPU, as then every device gives the same.

    One pipeline draws noise on its own device and would refuse a generator of the CPU.
    """
    is_stubborn = type(pipeline).__name__ == "LTXImageToVideoPipeline"
    if is_stubborn and _decoder_denoises(pipeline):
        return str(pipeline._execution_device)  # noqa: SLF001 - the device where it draws
    return "cpu"


def _set_guider(pipeline: Pipeline, task: VideoTask) -> None:
    """Some families are guided by a part of theirs and not by an argument."""
    guider = getattr(pipeline, "guider", None)
    if guider is not None and "guidance_scale" in guider.config:
        pipeline.guider = guider.new(guidance_scale=task.guidance_scale)


def _prepare_decoder(pipeline: Pipeline, task: VideoTask) -> None:
    """Decode large clips in tiles: an untiled decoder needs tens of gigabytes for them."""
    vae = pipeline.vae
    if not hasattr(vae, "use_tiling"):
        return
    frames = min(FRAMES_AT_ONCE.get(type(vae).__name__, task.num_frames), task.num_frames)
    if task.width * task.height * frames > TILED_ABOVE_PIXELS:
        vae.enable_tiling()
    else:
        vae.disable_tiling()


@contextmanager
def _watched(pipeline: Pipeline, reporter: _Reporter) -> Iterator[None]:
    """Look in before each piece that is decoded, and after each step where no callback does."""
    handles = []
    decoder = getattr(pipeline.vae, "decoder", None)
    if isinstance(decoder, torch.nn.Module):
        handles.append(decoder.register_forward_pre_hook(lambda *_: reporter.before_decoding()))
    has_callback = _takes(pipeline, "callback_on_step_end") or _takes(pipeline, "callback")
    if not has_callback:
        _watch_scheduler(pipeline, reporter)
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        if not has_callback:
            del pipeline.scheduler.step


def _watch_scheduler(pipeline: Pipeline, reporter: _Reporter) -> None:
    """Put a lookout before the scheduler's step; deleting the attribute takes it away."""
    original = pipeline.scheduler.step
    numbers = itertools.count()

    @functools.wraps(original)
    def step(*args: object, **options: object) -> object:
        result = original(*args, **options)
        reporter.on_step_end(pipeline, next(numbers), None, {"latents": result[0]})
        return result

    pipeline.scheduler.step = step


def _decode(pipeline: Pipeline, latents: torch.Tensor, *, frames: int) -> torch.Tensor:
    """Decode some frames alone; shape (frames, 3, height, width), values 0 to 1."""
    parameters = inspect.signature(pipeline.decode_latents).parameters
    arguments = {"num_frames": frames, "decode_chunk_size": frames}
    known = {name: value for name, value in arguments.items() if name in parameters}
    with torch.no_grad():
        decoded = pipeline.decode_latents(latents, **known)
    pixels: torch.Tensor = pipeline.video_processor.postprocess_video(decoded, output_type="pt")[0]
    return pixels


def _as_frames(pixels: torch.Tensor, task: VideoTask, *, first: int) -> Frames:
    require_numbers({"latents": pixels})
    fitted = _fit(pixels.float(), (task.width, task.height))
    rgb = (fitted * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().contiguous()
    return Frames(
        first=first,
        count=len(rgb),
        width=task.width,
        height=task.height,
        rgb=rgb.numpy().tobytes(),
    )


def _fit(pixels: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Cut and scale frames of another size; some families choose their own."""
    height, width = pixels.shape[-2:]
    if (width, height) == size:
        return pixels
    left, top, right, bottom = cover_box((width, height), size)
    return torch.nn.functional.interpolate(
        pixels[..., top:bottom, left:right],
        size=(size[1], size[0]),
        mode="bicubic",
        antialias=True,
    ).clamp(0, 1)


def _serves(pipeline: Pipeline, kind: TaskKind) -> bool:
    is_from_image = kind is TaskKind.IMAGE_TO_VIDEO
    serves_both = type(pipeline).__name__ in SERVE_BOTH_KINDS
    return serves_both or _takes(pipeline, "image") == is_from_image


def _takes(pipeline: Pipeline, name: str) -> bool:
    return bool(supported(pipeline, {name: None}))


def _twin_name(base: Pipeline, kind: TaskKind, spec: ModelSpec) -> str:
    name, is_from_image = type(base).__name__, kind is TaskKind.IMAGE_TO_VIDEO
    is_single = name.startswith("Wan") and not base.config.get("expand_timesteps", False)
    for twin_of_text, twin_of_image in TWINS:
        if name in {twin_of_text, twin_of_image} and not is_single:
            return twin_of_image if is_from_image else twin_of_text
    reason = "begin no video with an image" if is_from_image else "need an image to begin with"
    raise ModelUnavailableError(spec.id, f"its weights {reason}")
