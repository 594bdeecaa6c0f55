"""What goes into an engine and what comes out: plain values that cross a process border.

A task is fully resolved: no default is left to the engine. Pixels travel as raw 8-bit RGB.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraChoice:
    """An adapter by its name in the configured folder, with its strength (0 to 2)."""

    name: str
    scale: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTask:
    """One request for `n` pictures of the same prompt.

    Picture i (from 0) uses seed `seed + i`, so each can be reproduced alone.

    Attributes:
        task_id: Names the run in logs and cancellations; unique per attempt.
        model: Catalogue id.
        width: Pixels, a multiple of what the catalogue entry says.
        height: Likewise.
        reference_image: A PNG that the service itself re-encoded, or None for text-to-image.
        strength: How far to move away from the reference image, 0 exclusive to 1 inclusive.
        more_references: Further pictures, PNG likewise. A model that takes several gets all of
            them; one that takes a single one begins with them inside the mask.
        mask: A PNG of the reference image's size: white is drawn anew, black stays as it is.
        previews: How many pictures of the unfinished work to report, spread over all steps.
        attempt: How often the job was tried, from 1; only the test double looks at it.
    """

    task_id: str
    model: str
    prompt: str
    negative_prompt: str
    width: int
    height: int
    num_inference_steps: int
    guidance_scale: float
    seed: int
    n: int = 1
    reference_image: bytes | None = None
    strength: float = 0.6
    loras: tuple[LoraChoice, ...] = ()
    more_references: tuple[bytes, ...] = ()
    mask: bytes | None = None
    previews: int = 0
    attempt: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoTask:
    """One request for one clip: frames of one prompt, or frames that begin with a picture.

    Attributes:
        task_id: Names the run in logs and cancellations; unique per attempt and scene.
        model: Catalogue id.
        width: Pixels, a multiple of what the catalogue entry says.
        height: Likewise.
        num_frames: A number that the model can make, see `ModelLimits`.
        fps: Frames per second that the clip will be shown at; some models want to know.
        reference_image: A PNG that the service itself re-encoded: the first frame; None for
            text-to-video.
        previews: How many pictures of the unfinished work to report, spread over the steps.
        attempt: How often the job was tried, from 1; only the test double looks at it.
    """

    task_id: str
    model: str
    prompt: str
    negative_prompt: str
    width: int
    height: int
    num_frames: int
    fps: int
    num_inference_steps: int
    guidance_scale: float
    seed: int
    reference_image: bytes | None = None
    previews: int = 0
    attempt: int = 1


Task: TypeAlias = ImageTask | VideoTask


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallPicture:
    """What unfinished work looks like: `rgb` holds height x width x 3 bytes, row by row."""

    width: int
    height: int
    rgb: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StepProgress:
    """How far a task is: `step` of `steps`, counted over all pictures of the task.

    `stage` is one of "loading", "denoising", "decoding". `preview` comes with some steps, if the
    task asks for previews.
    """

    stage: str
    step: int
    steps: int
    preview: SmallPicture | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One finished picture: `rgb` holds height x width x 3 bytes, row by row."""

    index: int
    width: int
    height: int
    seed: int
    rgb: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """Some finished frames of a clip, in order: `first` counts from 0.

    `rgb` holds count x height x width x 3 bytes, frame by frame, row by row.
    """

    first: int
    count: int
    width: int
    height: int
    rgb: bytes


ProgressListener = Callable[[StepProgress], None]


class Engine(Protocol):
    """Makes pictures and clips; one picture task and one video task at a time.

    `generate` yields each picture as soon as it is finished, `film` frames as they are decoded.
    Closing the iterator, or `cancel` from another thread, stops the work within one step; a
    child that does not answer in time is killed. Errors are subclasses of `EngineError`.
    """

    def generate(self, task: ImageTask, *, on_progress: ProgressListener) -> Iterator[Picture]:
        """Run one task; yield its pictures in order."""
        ...

    def film(self, task: VideoTask, *, on_progress: ProgressListener) -> Iterator[Frames]:
        """Run one task; yield its frames in order."""
        ...

    def cancel(self, task_id: str) -> None:
        """Ask the running task to stop; a task that is not running is ignored."""
        ...

    def warm(self, model_id: str) -> None:
        """Start loading a model in the background."""
        ...

    def unload(self, model_id: str) -> None:
        """Start letting go of a model's memory, after the task that runs now."""
        ...

    def resident_models(self) -> tuple[str, ...]:
        """Return the catalogue ids whose weights are in memory now."""
        ...

    def why_not_loaded(self, model_id: str) -> str | None:
        """Return why the last loading in the background failed; None if it did not."""
        ...

    def close(self) -> None:
        """End the engine and everything that it started; safe to call twice."""
        ...
