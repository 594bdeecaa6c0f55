"""Drawing without a service: the same limits, engine and file metadata, no account, no database."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from gen_video import __version__
from gen_video.accounts.models import DEFAULT_PLANS, Plan
from gen_video.adapters import build_engine
from gen_video.engines.catalogue import Catalogue, ModelSpec, load_catalogue
from gen_video.engines.host import EngineHost
from gen_video.engines.loras import list_adapters
from gen_video.engines.tasks import Picture, StepProgress
from gen_video.errors import ServiceError
from gen_video.generation.models import ImageInput
from gen_video.generation.pictures import References, image_task, picture_parameters
from gen_video.generation.requests import ImageRequest, resolve_image
from gen_video.ids import new_id
from gen_video.media.pictures import PictureFormat, encode_picture
from gen_video.media.references import Reference, sanitize_reference
from gen_video.settings import PROJECT_FOLDER, Settings

FORMATS = {
    ".png": PictureFormat.PNG,
    ".jpg": PictureFormat.JPEG,
    ".jpeg": PictureFormat.JPEG,
    ".webp": PictureFormat.WEBP,
}
HUGE = 10**15
SOFTWARE = f"gen_video {__version__}"


class UnknownFormatError(ServiceError):
    """The file's name says a format that we do not write."""

    code = "unknown_format"
    message_en = "{name}: the name must end in one of {suffixes}"
    message_zh = "{name}：文件名须以下列之一结尾：{suffixes}"


class UnreadableFileError(ServiceError):
    """A file of the user cannot be read or written."""

    code = "file_unusable"
    message_en = "{name}: {reason}"
    message_zh = "{name}：{reason}"


@dataclass(frozen=True, slots=True)
class Drawing:
    """A resolved request with its reference image."""

    wanted: ImageInput
    reference: Reference | None


def own_plan() -> Plan:
    """Return the plan of somebody at their own machine: only the model's limits count."""
    return replace(DEFAULT_PLANS[-1], max_pictures=HUGE, max_work=HUGE, max_video_work=HUGE)


def open_catalogue(settings: Settings, *models: str) -> Catalogue:
    """Return the catalogue with these models on offer as well, enabled or not."""
    return load_catalogue(
        settings.models_file,
        default_image_model=models[0] if models else settings.default_image_model,
        default_video_model="" if models else settings.default_video_model,
        include_test_models=settings.enable_test_model,
        base_folder=PROJECT_FOLDER,
        enabled_models=(*settings.enabled_models, *models),
    )


@contextmanager
def open_engine(settings: Settings, catalogue: Catalogue) -> Iterator[EngineHost]:
    """Give an engine, and end its process afterwards."""
    engine = build_engine(settings, catalogue)
    try:
        yield engine
    finally:
        engine.close()


def prepare(
    request: ImageRequest, *, settings: Settings, catalogue: Catalogue, image: Path | None
) -> Drawing:
    """Fill in the defaults and check the limits.

    Raises:
        InvalidRequestError: Says what is wrong and what would be right.
        UnreadableFileError: The reference image is not there.
    """
    reference = None if image is None else sanitize_reference(read_bytes(image))
    if reference is not None:
        request = replace(request, reference_sha256=reference.sha256)
    adapters = frozenset(adapter.name for adapter in list_adapters(settings.lora_dir))
    wanted = resolve_image(request, catalogue=catalogue, plan=own_plan(), adapters=adapters)
    return Drawing(wanted, reference)


def draw(
    engine: EngineHost, drawing: Drawing, *, on_progress: Callable[[StepProgress], None]
) -> Iterator[Picture]:
    """Yield each picture as soon as it is finished."""
    reference = None if drawing.reference is None else drawing.reference.png
    task = image_task(
        drawing.wanted, task_id=new_id("cli"), references=References(picture=reference)
    )
    return engine.generate(task, on_progress=on_progress)


def save(picture: Picture, wanted: ImageInput, path: Path) -> None:
    """Write a picture whole or not at all, with its parameters inside.

    Raises:
        UnreadableFileError: The folder cannot be written.
    """
    data = encode_picture(
        picture.rgb,
        width=picture.width,
        height=picture.height,
        picture_format=format_of(path),
        parameters=picture_parameters(wanted, picture, software=SOFTWARE),
    )
    write_whole(path, data)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        UnreadableFileError: The folder cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        unfinished.write_bytes(data)
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise UnreadableFileError(name=str(path), reason=error.strerror) from error


def format_of(path: Path) -> PictureFormat:
    """Return the format that a file's name says.

    Raises:
        UnknownFormatError: None that we write.
    """
    found = FORMATS.get(path.suffix.lower())
    if found is None:
        raise UnknownFormatError(name=path.name, suffixes=", ".join(FORMATS))
    return found


def read_bytes(path: Path) -> bytes:
    """Read a file that the user named.

    Raises:
        UnreadableFileError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableFileError(name=str(path), reason=error.strerror) from error


def trial_request(spec: ModelSpec) -> ImageRequest:
    """Return a small request with which a model is tried."""
    return ImageRequest(prompt="一个美丽的风景 a beautiful landscape", model=spec.id, seed=1)
