"""The form of the playground's video tab: a storyboard becomes a request. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from gen_video.console.fields import FormFields
from gen_video.console.picture_form import PREVIEWS
from gen_video.generation.video_requests import (
    SceneRequest,
    Transition,
    VideoFileFormat,
    VideoRequest,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstFrameSource:
    """What a scene begins with: a file of the form, or a picture made here."""

    file: bytes = b""
    own_name: str = ""

    def __bool__(self) -> bool:
        return bool(self.file or self.own_name)


def list_sources(fields: FormFields, files: Sequence[bytes]) -> tuple[FirstFrameSource, ...]:
    """Return what each scene begins with, in the order of the scenes."""
    names = fields.texts("scene_own_image")
    scenes = range(len(fields.texts("scene_prompt")))
    pairs = zip_longest(scenes, files, names)
    return tuple(
        FirstFrameSource(file=file or b"", own_name="" if file else name or "")
        for number, file, name in pairs
        if number is not None
    )


def read_video_form(fields: FormFields, *, sources: Sequence[str | None]) -> VideoRequest:
    """Return the request that a form asks for.

    Args:
        fields: Of every scene, and of the whole.
        sources: A hash of what each scene begins with, None where that is nothing.

    Raises:
        InvalidRequestError: A field is no number where it must be one.
    """
    prompts, durations = fields.texts("scene_prompt"), fields.texts("scene_duration")
    scenes = tuple(
        SceneRequest(
            prompt=prompt or None,
            duration=fields.parse(duration, pointer=f"/scenes/{number}/duration"),
            image_source=source or None,
        )
        for number, (prompt, duration, source) in enumerate(
            zip_longest(prompts, durations[: len(prompts)], sources, fillvalue="")
        )
    )
    request = VideoRequest(
        scenes=scenes,
        is_storyboard=len(scenes) > 1,
        prompt=None if len(scenes) > 1 else next((scene.prompt for scene in scenes), None),
        negative_prompt=fields.text("negative_prompt"),
        width=fields.whole("width"),
        height=fields.whole("height"),
        fps=fields.whole("fps"),
        num_inference_steps=fields.whole("num_inference_steps"),
        guidance_scale=fields.number("guidance_scale"),
        seed=fields.whole("seed"),
        model=fields.text("model"),
        output_format=fields.choice("output_format", list(VideoFileFormat)),
        transition=fields.choice("transition", list(Transition)),
        previews=PREVIEWS,
    )
    fields.check()
    return request
