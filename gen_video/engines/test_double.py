"""The test double: a model that obeys directives in its prompt, so that tests drive any outcome.

`sleep=S` spreads S seconds over the steps; `bytes=B` fills the picture with so much noise that
a PNG of it has about B bytes; `fail=N` fails the first N attempts; `deliver=K` fails after K
pictures or frames; `crash=segv|exit|oom|hang` ends the child that way, in the middle of the
steps. Pictures and clips (a bar moves over a flat colour) are a pure function of prompt, seed,
size, reference pictures and mask; what a mask leaves out stays as it was. Previews are the colour
to be, coming up from grey. Offered only when the operator asks for it.
"""

import hashlib
import os
import random
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image
from typing_extensions import override

from gen_video.engines.catalogue import ModelSpec
from gen_video.engines.edits import paste_back, read_mask, read_png
from gen_video.engines.errors import EngineFailedError, EngineOutOfMemoryError
from gen_video.engines.fitting import fit
from gen_video.engines.makes import ChildConfig, Make, Supervision
from gen_video.engines.previews import preview_steps, small_size
from gen_video.engines.tasks import (
    Frames,
    ImageTask,
    Picture,
    SmallPicture,
    StepProgress,
    Task,
    VideoTask,
)

HANG_SECONDS = 3600.0
SLICE_SECONDS = 0.02
FRAMES_PER_PART = 8
GREY = 128
_DIRECTIVE = re.compile(r"\b(sleep|bytes|fail|deliver|crash)=([0-9a-z.]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Directives:
    """What a prompt asks the double to do."""

    sleep_seconds: float = 0.0
    noise_bytes: int = 0
    failures: int = 0
    deliver: int | None = None
    crash: str | None = None


def parse_directives(prompt: str) -> Directives:
    """Read the directives in a prompt; a later one wins."""
    found = dict(_DIRECTIVE.findall(prompt))
    return Directives(
        sleep_seconds=float(found.get("sleep", 0)),
        noise_bytes=int(found.get("bytes", 0)),
        failures=int(found.get("fail", 0)),
        deliver=int(found["deliver"]) if "deliver" in found else None,
        crash=found.get("crash"),
    )


class TestDouble(Make):
    """Draws flat colour with some noise, after doing what the prompt says."""

    __test__ = False

    def __init__(self, _config: ChildConfig) -> None:
        self._loaded: list[str] = []

    @override
    def load(self, spec: ModelSpec) -> None:
        if spec.id not in self._loaded:
            self._loaded.append(spec.id)

    @override
    def unload(self, model_id: str) -> None:
        if model_id in self._loaded:
            self._loaded.remove(model_id)

    @override
    def resident_models(self) -> tuple[str, ...]:
        return tuple(self._loaded)

    @override
    def has_room_for(self, spec: ModelSpec) -> bool:
        return True

    @override
    def run(self, spec: ModelSpec, task: ImageTask, watch: Supervision) -> Iterator[Picture]:
        self.load(spec)
        wanted = parse_directives(task.prompt)
        total = task.num_inference_steps * task.n
        for index in range(task.n):
            if wanted.deliver is not None and index >= wanted.deliver:
                raise EngineFailedError(f"asked to deliver only {wanted.deliver} pictures")
            for step in range(1, task.num_inference_steps + 1):
                watch.check()
                _sleep(wanted.sleep_seconds / total, watch)
                done = index * task.num_inference_steps + step
                watch.report(_progress(task, index, done, total))
                if done >= total // 2:
                    _misbehave(wanted, task)
            yield _draw(task, index, noise_bytes=wanted.noise_bytes)

    @override
    def film(self, spec: ModelSpec, task: VideoTask, watch: Supervision) -> Iterator[Frames]:
        self.load(spec)
        wanted = parse_directives(task.prompt)
        steps = task.num_inference_steps
        for step in range(1, steps + 1):
            watch.check()
            _sleep(wanted.sleep_seconds / steps, watch)
            watch.report(_progress(task, 0, step, steps))
            if step >= steps // 2:
                _misbehave(wanted, task)
        watch.report(StepProgress(stage="decoding", step=steps, steps=steps))
        ground, bar = _colors(task, 0)
        for first in range(0, task.num_frames, FRAMES_PER_PART):
            watch.check()
            if wanted.deliver is not None and first >= wanted.deliver:
                raise EngineFailedError(f"asked to deliver only {wanted.deliver} frames")
            numbers = range(first, min(first + FRAMES_PER_PART, task.num_frames))
            yield Frames(
                first=first,
                count=len(numbers),
                width=task.width,
                height=task.height,
                rgb=b"".join(_draw_frame(task, number, ground, bar) for number in numbers),
            )


def _sleep(seconds: float, watch: Supervision) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(SLICE_SECONDS, left))
        watch.check()


def _misbehave(wanted: Directives, task: Task) -> None:
    if task.attempt <= wanted.failures:
        raise EngineFailedError(f"asked to fail {wanted.failures} times")
    match wanted.crash:
        case "segv":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "exit":
            os._exit(3)
        case "oom":
            raise EngineOutOfMemoryError
        case "hang":
            time.sleep(HANG_SECONDS)
        case _:
            return


def _progress(task: Task, index: int, step: int, steps: int) -> StepProgress:
    preview = None
    if step in preview_steps(steps, task.previews):
        width, height = small_size(task.width, task.height)
        color, _ = _colors(task, index)
        grey = [GREY + (value - GREY) * step // steps for value in color]
        preview = SmallPicture(width=width, height=height, rgb=bytes(grey) * (width * height))
    return StepProgress(stage="denoising", step=step, steps=steps, preview=preview)


def _draw(task: ImageTask, index: int, *, noise_bytes: int) -> Picture:
    digest = _digest(task, index)
    pixels = task.width * task.height
    noise = random.Random(digest).randbytes(min(noise_bytes, pixels * 3))  # noqa: S311 - not a secret
    flat = digest[:3] * (pixels - len(noise) // 3)
    rgb = (noise + flat)[: pixels * 3].ljust(pixels * 3, b"\0")
    return Picture(
        index=index,
        width=task.width,
        height=task.height,
        seed=task.seed + index,
        rgb=_keep_outside(task, rgb),
    )


def _keep_outside(task: ImageTask, rgb: bytes) -> bytes:
    """Return what was drawn, with the reference picture wherever the mask says so."""
    if task.mask is None or task.reference_image is None:
        return rgb
    size = (task.width, task.height)
    original = fit(read_png(task.reference_image), size)
    drawn = Image.frombytes("RGB", size, rgb)
    return paste_back(drawn, original, read_mask(task.mask, size)).tobytes()


def _digest(task: Task, index: int) -> bytes:
    key = f"{task.prompt}|{task.negative_prompt}|{task.seed + index}|{task.width}x{task.height}"
    if task.reference_image is not None:
        key += hashlib.sha256(task.reference_image).hexdigest()
    if isinstance(task, ImageTask):
        files = [*task.more_references, *([] if task.mask is None else [task.mask])]
        key += "".join(hashlib.sha256(file).hexdigest() for file in files)
    return hashlib.sha256(key.encode()).digest()


def _colors(task: Task, index: int) -> tuple[bytes, bytes]:
    color = _digest(task, index)[:3]
    return color, bytes(255 - value for value in color)


def _draw_frame(task: VideoTask, number: int, ground: bytes, bar: bytes) -> bytes:
    """Draw a bar, an eighth of the width, that crosses the picture during the clip."""
    thickness = max(1, task.width // 8)
    left = (task.width - thickness) * number // max(1, task.num_frames - 1)
    row = ground * left + bar * thickness + ground * (task.width - thickness - left)
    return row * task.height
