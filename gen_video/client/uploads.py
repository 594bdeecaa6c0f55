"""Pictures on their way to the service: as parts of a form, or inside of JSON."""

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path

from gen_video.client.connection import FormFile
from gen_video.client.errors import ConfigurationError

Picture = bytes | str | Path
"""The bytes of a PNG, JPEG or WebP file, or the path of one."""
SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"RIFF", "image/webp"),
)
UNKNOWN = "application/octet-stream"


def form_files(name: str, pictures: Sequence[Picture]) -> Iterator[FormFile]:
    """Yield pictures as the parts of a form; read now, so that repeating sends the same."""
    for picture in pictures:
        content = read_picture(picture)
        file_name = "picture" if isinstance(picture, bytes) else Path(picture).name
        yield name, (file_name, content, media_type(content))


def data_uri(picture: bytes | Path) -> str:
    """Return a picture as text that fits into JSON."""
    content = read_picture(picture)
    return f"data:{media_type(content)};base64,{base64.b64encode(content).decode()}"


def read_picture(picture: Picture) -> bytes:
    """Return the bytes of a picture.

    Raises:
        ConfigurationError: The file cannot be read.
    """
    if isinstance(picture, bytes):
        return picture
    try:
        return Path(picture).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{picture}: {error.strerror or error}") from error


def media_type(content: bytes) -> str:
    """Return what kind of picture it is, told by its first bytes."""
    for signature, kind in SIGNATURES:
        if content.startswith(signature):
            return kind
    return UNKNOWN
