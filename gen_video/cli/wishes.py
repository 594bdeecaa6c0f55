"""What `gen-video generate` was asked for, before anything heavy is loaded."""

from dataclasses import dataclass
from pathlib import Path

VIDEO_SUFFIXES = frozenset({".mp4", ".webm", ".gif"})
"""File names that can only mean a video."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The options of the command; None is the model's default."""

    prompt: str
    output: Path | None
    is_video: bool
    scenes: tuple[str, ...]
    has_fades: bool
    duration: float | None
    frames: int | None
    fps: int | None
    negative_prompt: str | None
    width: int | None
    height: int | None
    steps: int | None
    guidance: float | None
    seed: int | None
    count: int
    model: str | None
    image: Path | None
    strength: float | None


def is_video_name(path: Path) -> bool:
    """Tell whether a file's name says that it is a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def file_name(output: Path, *, position: int, count: int) -> Path:
    """Return where the picture at a position (from 0) of `count` goes."""
    if count == 1:
        return output
    return output.with_name(f"{output.stem}-{position + 1}{output.suffix}")
