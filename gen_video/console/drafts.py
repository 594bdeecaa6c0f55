"""Drafts: what the fields of the playground show, for a model and a person. Pure.

A draft always lies within its model's limits, whatever it was made of.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from gen_video.accounts.models import Plan
from gen_video.engines.catalogue import ModelLimits, ModelSpec
from gen_video.engines.loras import Adapter
from gen_video.generation.checks import nearest_multiple
from gen_video.generation.models import ImageInput, VideoInput
from gen_video.generation.requests import OutputFormat
from gen_video.generation.video_requests import Transition, VideoFileFormat

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureDraft:
    """Fields of the picture tab; `seed` is None for a new one each time.

    `reference` is the public name of a picture made here.
    """

    model: str
    width: int
    height: int
    num_inference_steps: int
    guidance_scale: float
    prompt: str = ""
    negative_prompt: str = ""
    seed: int | None = None
    n: int = 1
    output_format: str = OutputFormat.PNG.value
    strength: float
    character_lora: str = ""
    style_lora: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneDraft:
    """One scene; `image` is the public name of a picture made here."""

    prompt: str = ""
    seconds: float
    image: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoDraft:
    """Fields of the video tab."""

    model: str
    width: int
    height: int
    fps: int
    num_inference_steps: int
    guidance_scale: float
    scenes: tuple[SceneDraft, ...]
    negative_prompt: str = ""
    seed: int | None = None
    transition: str = Transition.CUT.value
    output_format: str = VideoFileFormat.MP4.value


def new_picture(spec: ModelSpec) -> PictureDraft:
    """Return the fields that a model starts with."""
    defaults = spec.defaults
    return PictureDraft(
        model=spec.id,
        width=defaults.width,
        height=defaults.height,
        num_inference_steps=defaults.num_inference_steps,
        guidance_scale=defaults.guidance_scale,
        negative_prompt=defaults.negative_prompt,
        strength=defaults.strength,
    )


def new_video(spec: ModelSpec) -> VideoDraft:
    """Return the fields that a model starts with: one scene of its usual length."""
    defaults = spec.defaults
    return VideoDraft(
        model=spec.id,
        width=defaults.width,
        height=defaults.height,
        fps=defaults.fps,
        num_inference_steps=defaults.num_inference_steps,
        guidance_scale=defaults.guidance_scale,
        negative_prompt=defaults.negative_prompt,
        scenes=(SceneDraft(seconds=usual_seconds(spec)),),
    )


def usual_seconds(spec: ModelSpec) -> float:
    """Return the length of a scene that says nothing."""
    return round(spec.defaults.num_frames / spec.defaults.fps, 2)


def most_seconds(spec: ModelSpec, *, fps: int) -> float:
    """Return the longest scene that a model makes at a rate."""
    return round(spec.limits.nearest_frames(spec.limits.max_frames) / fps, 2)


def picture_like(
    given: ImageInput, spec: ModelSpec, *, adapters: Sequence[Adapter] = ()
) -> PictureDraft:
    """Return the fields that ask for a picture like an earlier one, with its seed."""
    kinds = {adapter.name: adapter.kind for adapter in adapters}
    loras = {kinds[name]: name for name in given.loras if name in kinds}
    return PictureDraft(
        model=spec.id,
        prompt=given.prompt,
        negative_prompt=given.negative_prompt,
        width=given.width,
        height=given.height,
        num_inference_steps=given.num_inference_steps,
        guidance_scale=given.guidance_scale,
        seed=given.seed,
        n=given.n,
        output_format=given.output_format,
        strength=spec.defaults.strength if given.strength is None else given.strength,
        character_lora=loras.get("character", ""),
        style_lora=loras.get("style", ""),
    )


def video_like(given: VideoInput, spec: ModelSpec) -> VideoDraft:
    """Return the fields that ask for a video like an earlier one, with its seed."""
    return VideoDraft(
        model=spec.id,
        width=given.width,
        height=given.height,
        fps=given.fps,
        num_inference_steps=given.num_inference_steps,
        guidance_scale=given.guidance_scale,
        negative_prompt=given.negative_prompt,
        seed=given.seed,
        transition=(Transition.CROSSFADE if given.overlap else Transition.CUT).value,
        output_format=given.output_format,
        scenes=tuple(
            SceneDraft(prompt=scene.prompt, seconds=round(scene.num_frames / given.fps, 2))
            for scene in given.scenes
        ),
    )


def fit_picture(draft: PictureDraft, spec: ModelSpec, *, plan: Plan) -> PictureDraft:
    """Return a draft within the limits of a model and a plan, as near to it as can be."""
    limits = spec.limits
    width, height = _fit_size(draft.width, draft.height, spec)
    return replace(
        draft,
        model=spec.id,
        width=width,
        height=height,
        num_inference_steps=_between(draft.num_inference_steps, limits.min_steps, limits.max_steps),
        guidance_scale=_between(draft.guidance_scale, 0.0, limits.max_guidance_scale),
        n=_between(draft.n, 1, most_pictures(limits, plan)),
        character_lora=draft.character_lora if spec.lora_family else "",
        style_lora=draft.style_lora if spec.lora_family else "",
    )


def fit_video(draft: VideoDraft, spec: ModelSpec) -> VideoDraft:
    """Return a draft within the limits of a model, as near to it as can be."""
    limits = spec.limits
    width, height = _fit_size(draft.width, draft.height, spec)
    fps = _between(draft.fps, limits.min_fps, limits.max_fps)
    longest = most_seconds(spec, fps=fps)
    return replace(
        draft,
        model=spec.id,
        width=width,
        height=height,
        fps=fps,
        num_inference_steps=_between(draft.num_inference_steps, limits.min_steps, limits.max_steps),
        guidance_scale=_between(draft.guidance_scale, 0.0, limits.max_guidance_scale),
        scenes=tuple(
            replace(scene, seconds=_between(scene.seconds, 0.0, longest)) for scene in draft.scenes
        ),
    )


def most_pictures(limits: ModelLimits, plan: Plan) -> int:
    """Return how many pictures one request may ask for."""
    return min(limits.max_n, plan.max_pictures)


def _fit_size(width: int, height: int, spec: ModelSpec) -> tuple[int, int]:
    """Return a size as it is where the model makes it, else one that it likes."""
    limits = spec.limits
    fitted = (
        nearest_multiple(width, limits.multiple_of, low=limits.min_width, high=limits.max_width),
        nearest_multiple(height, limits.multiple_of, low=limits.min_height, high=limits.max_height),
    )
    is_made = fitted == (width, height) and width * height <= limits.max_pixels
    return fitted if is_made else (spec.defaults.width, spec.defaults.height)


def _between(value: Number, low: Number, high: Number) -> Number:
    return min(max(value, low), high)
