"""Films: the scenes of a request are filmed one after another and joined into one file.

Frames are encoded as they come out of the engine, while it decodes the next ones; what waits is
bounded by the frames of one cross-fade and a few parts on their way.
"""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from gen_video.engines.errors import (
    EngineCancelledError,
    EngineError,
    EngineFailedError,
    EngineInterruptedError,
    ModelUnavailableError,
)
from gen_video.engines.tasks import Engine, Frames, ProgressListener, StepProgress, VideoTask
from gen_video.generation.deliveries import deliver
from gen_video.generation.models import ClaimedJob, Delivery, FileRole, VideoInput
from gen_video.media.joins import SceneJoiner, faded_frames
from gen_video.media.stills import Stills
from gen_video.media.videos import VideoEncoder, VideoFormat, verify_video
from gen_video.storage.objects import ObjectStore

CHANNELS = 3
STILL_MIME, STILL_EXTENSION = "image/jpeg", "jpg"


class SceneFailedError(EngineError):
    """One scene of a storyboard failed, and with it the whole video."""

    code = "scene_failed"
    message_en = "Scene {scene} of {scenes} failed: {reason}"
    message_zh = "第 {scene} 个分镜（共 {scenes} 个）失败：{reason_zh}"

    is_retryable = True

    def __init__(self, cause: EngineError, *, scene: int, scenes: int) -> None:
        super().__init__(
            scene=scene, scenes=scenes, reason=cause.message("en"), reason_zh=cause.message("zh")
        )


class SceneCrashedError(SceneFailedError):
    """The scene may have killed the engine: it counts towards the poison limit."""

    is_crash = True


def split_references(data: bytes, wanted: VideoInput) -> list[bytes | None]:
    """Return the first frame of every scene, None where it has none."""
    sizes = [scene.reference_bytes for scene in wanted.scenes]
    ends = list(itertools.accumulate(sizes))
    return [data[end - size : end] if size else None for size, end in zip(sizes, ends, strict=True)]


def video_task(
    wanted: VideoInput, scene: int, *, task_id: str, reference: bytes | None, attempt: int = 1
) -> VideoTask:
    """Return what the engine is asked for; scene i (from 0) uses seed `seed + i`."""
    return VideoTask(
        task_id=task_id,
        model=wanted.model,
        prompt=wanted.scenes[scene].prompt,
        negative_prompt=wanted.negative_prompt,
        width=wanted.width,
        height=wanted.height,
        num_frames=wanted.scenes[scene].num_frames,
        fps=wanted.fps,
        num_inference_steps=wanted.num_inference_steps,
        guidance_scale=wanted.guidance_scale,
        seed=wanted.seed + scene,
        reference_image=reference,
        previews=previews_of_scene(wanted, scene),
        attempt=attempt,
    )


def previews_of_scene(wanted: VideoInput, scene: int) -> int:
    """Return how many of a film's previews show a scene (from 0): all scenes share them."""
    scenes = len(wanted.scenes)
    return wanted.previews * (scene + 1) // scenes - wanted.previews * scene // scenes


def video_parameters(wanted: VideoInput, *, software: str) -> dict[str, str]:
    """Return what is written into a video's metadata."""
    parameters = {
        "prompt": wanted.prompt,
        "negative_prompt": wanted.negative_prompt,
        "model": wanted.model,
        "seed": str(wanted.seed),
        "num_inference_steps": str(wanted.num_inference_steps),
        "guidance_scale": str(wanted.guidance_scale),
        "width": str(wanted.width),
        "height": str(wanted.height),
        "num_frames": str(wanted.num_frames),
        "fps": str(wanted.fps),
        "software": software,
    }
    if len(wanted.scenes) > 1:
        parameters["scenes"] = "\n".join(scene.prompt for scene in wanted.scenes)
    return parameters


@dataclass(frozen=True, slots=True)
class Film:
    """One finished film in memory: the file, and what knows its stills."""

    data: bytes
    stills: Stills


class Studio:
    """Films the scenes of one request and joins them into one file in memory.

    Args:
        engine: Makes the frames.
        wanted: The request.
        on_progress: Told the steps of all scenes together.
        check: Asked before each scene; raises when the whole was called off. The engine forgets
            a cancel that comes when a scene is done.

    Attributes:
        encode_seconds: Spent on encoding and verifying so far.
    """

    def __init__(
        self,
        engine: Engine,
        wanted: VideoInput,
        *,
        on_progress: ProgressListener,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine = engine
        self._wanted = wanted
        self._on_progress = on_progress
        self._check = check
        self._joiner = SceneJoiner(
            frame_bytes=wanted.width * wanted.height * CHANNELS, overlap=wanted.overlap
        )
        counts = [scene.num_frames for scene in wanted.scenes]
        self._stills = Stills(
            width=wanted.width,
            height=wanted.height,
            total=wanted.num_frames,
            faded=faded_frames(counts, wanted.overlap),
        )
        self._places = itertools.count()
        self.encode_seconds = 0.0

    def shoot(
        self,
        *,
        task_id: str,
        references: list[bytes | None],
        parameters: dict[str, str],
        attempt: int = 1,
    ) -> Film:
        """Film, join and encode everything.

        Args:
            task_id: The engine's name for all scenes; a cancel of it stops the one that runs.
            references: The first frame of every scene, or None.
            parameters: Written into the file.
            attempt: How often the job was tried, from 1.

        Raises:
            EngineError: A scene failed; of several scenes, `SceneFailedError` names it.
            BrokenVideoError: The file could not be made, or not be read again.
        """
        wanted = self._wanted
        with VideoEncoder(
            width=wanted.width,
            height=wanted.height,
            fps=wanted.fps,
            video_format=VideoFormat(wanted.output_format),
            parameters=parameters,
        ) as encoder:
            for number, reference in enumerate(references):
                self._check()
                task = video_task(
                    wanted, number, task_id=task_id, reference=reference, attempt=attempt
                )
                for part in self._film_scene(task, number):
                    self._encode(encoder, self._joiner.add(part.rgb))
                self._joiner.end_scene()
            self._encode(encoder, self._joiner.finish())
            data = self._finish(encoder)
        return Film(data, self._stills)

    def _film_scene(self, task: VideoTask, number: int) -> Iterator[Frames]:
        scenes = len(self._wanted.scenes)
        listener = scene_listener(self._on_progress, number, self._wanted)
        count = 0
        try:
            for part in self._engine.film(task, on_progress=listener):
                require_whole(part, task)
                count += part.count
                yield part
            require_frames(count, task.num_frames)
        except (EngineCancelledError, EngineInterruptedError, ModelUnavailableError):
            raise  # no matter of this scene
        except EngineError as error:
            if scenes == 1:
                raise
            kind = SceneCrashedError if error.is_crash else SceneFailedError
            raise kind(error, scene=number + 1, scenes=scenes) from error

    def _encode(self, encoder: VideoEncoder, ready: list[bytes]) -> None:
        started = time.monotonic()
        for frame in ready:
            self._check()
            self._stills.see(next(self._places), frame)
            encoder.add(frame)
        self.encode_seconds += time.monotonic() - started

    def _finish(self, encoder: VideoEncoder) -> bytes:
        started = time.monotonic()
        self._check()
        data = encoder.finish()
        self._check()
        verify_video(
            data,
            width=self._wanted.width,
            height=self._wanted.height,
            frames=self._wanted.num_frames,
            fps=self._wanted.fps,
            video_format=VideoFormat(self._wanted.output_format),
        )
        self.encode_seconds += time.monotonic() - started
        return data


def require_whole(part: Frames, task: VideoTask) -> None:
    """Check that frames have all their pixels.

    Raises:
        EngineFailedError: They have not.
    """
    wanted = part.count * task.width * task.height * CHANNELS
    if not wanted or len(part.rgb) != wanted:
        raise EngineFailedError(f"{part.count} frames have {len(part.rgb)} bytes, not {wanted}")


def require_frames(found: int, wanted: int) -> None:
    """Check that a scene is complete.

    Raises:
        EngineFailedError: It is not.
    """
    if found != wanted:
        raise EngineFailedError(f"it made {found} frames instead of {wanted}")


def scene_listener(
    on_progress: ProgressListener, number: int, wanted: VideoInput
) -> ProgressListener:
    """Return a listener for one scene (from 0) that tells the steps of the whole film."""
    is_last = number == len(wanted.scenes) - 1

    def listen(progress: StepProgress) -> None:
        # A scene that loads or decodes counts 0 or all of its own steps. The stages of the whole
        # only move forward: loading, then denoising, then decoding.
        share = progress.step / progress.steps if progress.steps else 0.0
        step = round((number + share) * wanted.num_inference_steps)
        is_between = (progress.stage == "loading" and number > 0) or (
            progress.stage == "decoding" and not is_last
        )
        stage = "denoising" if is_between else progress.stage
        on_progress(
            StepProgress(stage=stage, step=step, steps=wanted.all_steps, preview=progress.preview)
        )

    return listen


class FilmWork:
    """Films, encodes and stores the video of one attempt.

    Attributes:
        encode_seconds: Spent on encoding and verifying so far.
    """

    def __init__(self, *, engine: Engine, objects: ObjectStore, software: str) -> None:
        self._engine = engine
        self._objects = objects
        self._software = software
        self.encode_seconds = 0.0

    def produce(
        self,
        job: ClaimedJob,
        wanted: VideoInput,
        *,
        task_id: str,
        on_progress: ProgressListener,
        check: Callable[[], None],
    ) -> Iterator[Delivery]:
        """Yield the video and the stills beside it once each is stored."""
        stored = b""
        if job.reference_key is not None:
            stored = b"".join(self._objects.read(job.reference_key))
        studio = Studio(self._engine, wanted, on_progress=on_progress, check=check)
        film = studio.shoot(
            task_id=task_id,
            references=split_references(stored, wanted),
            parameters=video_parameters(wanted, software=self._software) | {"task_id": job.id},
            attempt=job.attempt,
        )
        self.encode_seconds = studio.encode_seconds
        video_format = VideoFormat(wanted.output_format)
        video = deliver(
            self._objects,
            job,
            film.data,
            position=0,
            extension=video_format.extension,
            mime=video_format.mime,
            size=(wanted.width, wanted.height),
            seed=wanted.seed,
        )
        yield replace(video, num_frames=wanted.num_frames, fps=wanted.fps)
        stills = {FileRole.POSTER: film.stills.poster(), FileRole.STRIP: film.stills.strip()}
        for position, (role, (data, width, height)) in enumerate(stills.items(), start=1):
            yield deliver(
                self._objects,
                job,
                data,
                position=position,
                extension=STILL_EXTENSION,
                mime=STILL_MIME,
                size=(width, height),
                seed=wanted.seed,
                role=role,
            )
