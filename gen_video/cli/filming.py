"""Filming without a service: the same limits, engine and file metadata, no account, no database."""

from dataclasses import replace
from pathlib import Path

from gen_video.cli import drawing
from gen_video.cli.progress import progress_bar
from gen_video.engines.catalogue import Catalogue, ModelSpec, TaskKind
from gen_video.generation.films import Studio, video_parameters
from gen_video.generation.models import VideoInput
from gen_video.generation.video_requests import (
    SceneRequest,
    Transition,
    VideoFileFormat,
    VideoRequest,
    resolve_video,
)
from gen_video.ids import new_id
from gen_video.media.pictures import PictureFormat, encode_picture
from gen_video.media.references import Reference, sanitize_reference
from gen_video.settings import Settings

FORMATS = {f".{video_format.value}": video_format for video_format in VideoFileFormat}
TRIAL_FRAMES = 9


def format_of(path: Path) -> VideoFileFormat:
    """Return the format that a file's name says.

    Raises:
        UnknownFormatError: None that we write.
    """
    found = FORMATS.get(path.suffix.lower())
    if found is None:
        raise drawing.UnknownFormatError(name=path.name, suffixes=".mp4, .webm, .gif, .webp")
    return found


def storyboard(
    request: VideoRequest, prompts: list[str], *, image: Path | None, has_fades: bool
) -> tuple[VideoRequest, list[Reference | None]]:
    """Return the request with a scene for every prompt, the first one beginning with the image.

    Raises:
        UnreadableFileError: The image is not there.
    """
    reference = None if image is None else sanitize_reference(drawing.read_bytes(image))
    (plain,) = request.scenes
    scenes = [replace(plain, prompt=prompt) for prompt in prompts]
    if reference is not None:
        scenes[0] = replace(
            scenes[0], image_source=reference.sha256, image_bytes=len(reference.png)
        )
    transition = Transition.CROSSFADE if has_fades else Transition.CUT
    complete = replace(
        request,
        scenes=tuple(scenes),
        is_storyboard=len(scenes) > 1,
        transition=transition.value,
    )
    return complete, [reference, *[None] * (len(scenes) - 1)]


def make(
    request: VideoRequest,
    references: list[Reference | None],
    *,
    settings: Settings,
    catalogue: Catalogue,
) -> tuple[VideoInput, bytes]:
    """Make a video, with a progress bar; return what was asked for and the file.

    Raises:
        InvalidRequestError: Says what is wrong and what would be right.
        VideoUnavailableError: No model makes videos.
    """
    wanted = resolve_video(request, catalogue=catalogue, plan=drawing.own_plan())
    with drawing.open_engine(settings, catalogue) as engine, progress_bar() as move:
        made = Studio(engine, wanted, on_progress=move).shoot(
            task_id=new_id("cli"),
            references=[None if found is None else found.png for found in references],
            parameters=video_parameters(wanted, software=drawing.SOFTWARE),
        )
    return wanted, made.data


def trial_request(spec: ModelSpec) -> tuple[VideoRequest, list[Reference | None]]:
    """Return a short request with which a video model is tried, and its first frame if needed."""
    scene = SceneRequest(
        prompt="一个美丽的风景 a beautiful landscape",
        num_frames=spec.limits.nearest_frames(TRIAL_FRAMES),
    )
    reference = None
    if TaskKind.TEXT_TO_VIDEO not in spec.kinds:
        reference = _plain_picture(spec.defaults.width, spec.defaults.height)
        scene = replace(scene, image_source=reference.sha256, image_bytes=len(reference.png))
    return VideoRequest(scenes=(scene,), model=spec.id, seed=1), [reference]


def _plain_picture(width: int, height: int) -> Reference:
    """Return a sky that fades to the ground."""
    rows = [bytes((90 + 120 * y // height, 150, 230 - 120 * y // height)) for y in range(height)]
    png = encode_picture(
        b"".join(row * width for row in rows),
        width=width,
        height=height,
        picture_format=PictureFormat.PNG,
        parameters={},
    )
    return sanitize_reference(png)
