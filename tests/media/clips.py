"""Makes short clips, encodes them, and looks at them as a viewer does."""

import io
from collections.abc import Iterator

import av
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from gen_video.media.videos import (
    VideoEncoder,
    VideoFormat,
    verify_video,
)

PARAMETERS = {
    "prompt": '一个美丽的风景，日落 🌄 <b>&"quotes"</b>\nsecond line',
    "negative_prompt": "blurry, low quality",
    "seed": "42",
    "Seed": "43",
    "num_frames": "81",
    "task_id": "job_0123456789abcdefghijAB",
}
ALL_FORMATS = pytest.mark.parametrize("video_format", list(VideoFormat))
VIDEOS = pytest.mark.parametrize("video_format", [VideoFormat.MP4, VideoFormat.WEBM])
ANIMATIONS = pytest.mark.parametrize("video_format", [VideoFormat.GIF, VideoFormat.WEBP])


def moving(frames: int, width: int, height: int) -> Iterator[bytes]:
    """Yield frames in which everything moves and no two are the same."""
    row, column = np.mgrid[:height, :width]
    for index in range(frames):
        red = np.abs((column + 3 * index) % (2 * width) - width) * 255 // width
        green = np.abs((row + 2 * index) % (2 * height) - height) * 255 // height
        blue = np.full_like(red, 40 + 50 * (index % 4))
        yield np.stack([red, green, blue], axis=-1).astype(np.uint8).tobytes()


def encode(
    video_format: VideoFormat,
    *,
    frames: int = 8,
    width: int = 64,
    height: int = 48,
    fps: int = 8,
    parameters: dict[str, str] | None = None,
    pictures: list[bytes] | None = None,
) -> bytes:
    with VideoEncoder(
        width=width,
        height=height,
        fps=fps,
        video_format=video_format,
        parameters=parameters or {},
        threads=1,
    ) as encoder:
        for rgb in pictures or moving(frames, width, height):
            encoder.add(rgb)
        return encoder.finish()


def verify(data: bytes, video_format: VideoFormat, **other: int) -> None:
    expected = {"width": 64, "height": 48, "frames": 8, "fps": 8} | other
    verify_video(
        data,
        width=expected["width"],
        height=expected["height"],
        frames=expected["frames"],
        fps=expected["fps"],
        video_format=video_format,
    )


def decode(data: bytes) -> list[npt.NDArray[np.uint8]]:
    """Return every frame as a viewer shows it."""
    if data.startswith((b"GIF8", b"RIFF")):
        with Image.open(io.BytesIO(data)) as image:
            shown = []
            for place in range(getattr(image, "n_frames", 1)):
                image.seek(place)
                shown.append(np.asarray(image.convert("RGB")))
            return shown
    with av.open(io.BytesIO(data), "r") as container:
        return [frame.to_ndarray(format="rgb24").astype(np.uint8) for frame in container.decode()]
