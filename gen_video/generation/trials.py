"""Trials: a small task with which an operator tries a model on a worker, for nobody's quota."""

import time
from dataclasses import dataclass

from gen_video.engines.catalogue import ModelSpec, TaskKind
from gen_video.engines.tasks import Engine, ImageTask, VideoTask
from gen_video.ids import new_id
from gen_video.media.pictures import PictureFormat, encode_picture

PROMPT = "一个美丽的风景 a beautiful landscape"
TRIAL_FRAMES = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a model made, and in which time, loading included."""

    seconds: float
    width: int
    height: int
    frames: int


def try_model(engine: Engine, spec: ModelSpec) -> Trial:
    """Let a model make one picture, or a short clip, of its default size.

    Raises:
        EngineError: It cannot.
    """
    started = time.monotonic()
    frames = _draw(engine, spec) if spec.makes_pictures else _film(engine, spec)
    return Trial(
        seconds=time.monotonic() - started,
        width=spec.defaults.width,
        height=spec.defaults.height,
        frames=frames,
    )


def _draw(engine: Engine, spec: ModelSpec) -> int:
    task = ImageTask(
        task_id=new_id("try"),
        model=spec.id,
        prompt=PROMPT,
        negative_prompt=spec.defaults.negative_prompt,
        width=spec.defaults.width,
        height=spec.defaults.height,
        num_inference_steps=spec.defaults.num_inference_steps,
        guidance_scale=spec.defaults.guidance_scale,
        seed=1,
    )
    return sum(1 for _ in engine.generate(task, on_progress=lambda _: None))


def _film(engine: Engine, spec: ModelSpec) -> int:
    needs_picture = TaskKind.TEXT_TO_VIDEO not in spec.kinds
    task = VideoTask(
        task_id=new_id("try"),
        model=spec.id,
        prompt=PROMPT,
        negative_prompt=spec.defaults.negative_prompt,
        width=spec.defaults.width,
        height=spec.defaults.height,
        num_frames=spec.limits.nearest_frames(TRIAL_FRAMES),
        fps=spec.defaults.fps,
        num_inference_steps=spec.defaults.num_inference_steps,
        guidance_scale=spec.defaults.guidance_scale,
        seed=1,
        reference_image=_sky(spec) if needs_picture else None,
    )
    return sum(part.count for part in engine.film(task, on_progress=lambda _: None))


def _sky(spec: ModelSpec) -> bytes:
    """Return a picture that fades from the sky to the ground, for a model that begins with one."""
    width, height = spec.defaults.width, spec.defaults.height
    rows = [bytes((90 + 120 * y // height, 150, 230 - 120 * y // height)) for y in range(height)]
    return encode_picture(
        b"".join(row * width for row in rows),
        width=width,
        height=height,
        picture_format=PictureFormat.PNG,
        parameters={},
    )
