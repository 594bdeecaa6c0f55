"""Videos: raw frames to MP4, WebM, GIF or animated WebP with their generation parameters inside.

Frames are encoded in memory as they come: no more raw ones are held than an encoder looks ahead,
and for GIF those that share a palette. What was encoded can be decoded again before delivery.

Source: ITU-T H.273 (colour codes).
"""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple, Self

import av
import numpy as np
from av.codec.context import ThreadType
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream
from PIL import Image

from gen_video.errors import ServiceError
from gen_video.media.animations import Pixels, choose_palette, paint, with_comment, with_xmp
from gen_video.media.parameters import from_json, from_xmp, to_json, to_xmp

MAX_FPS = 120
KEYFRAME_SECONDS = 2
"""A player that seeks decodes from the keyframe before."""
BT709 = 1
"""What H.273 calls its primaries, its transfer function and its matrix."""
COMMENT = "comment"
"""Holds all parameters as JSON, which readers show; the tags beside it lose their case in WebM."""
GIF_SHORTEST_TICKS = 2
"""Browsers show a GIF frame of one tick for ten, so above 50 frames a second some are left out."""
GIF_WINDOW_BYTES = 128 * 2**20
"""Raw frames that share a palette: 112 of 832x480, more than most clips have."""


class VideoFormat(StrEnum):
    """File formats of videos and animations."""

    MP4 = "mp4"
    WEBM = "webm"
    GIF = "gif"
    WEBP = "webp"

    @property
    def mime(self) -> str:
        """Return the media type."""
        return f"video/{self}" if self in _VIDEOS else f"image/{self}"

    @property
    def extension(self) -> str:
        """Return the file name extension without a dot."""
        return self.value


_VIDEOS = frozenset({VideoFormat.MP4, VideoFormat.WEBM})


class BrokenVideoError(ServiceError):
    """Frames cannot be encoded, or what was encoded cannot be decoded again."""

    code = "generation_failed"
    is_retryable = True
    message_en = "The finished video did not pass verification ({reason}). Please try again."
    message_zh = "生成的视频未通过校验（{reason}），请重试。"

    def __init__(self, reason: str) -> None:
        super().__init__(reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recipe:
    """How a format is made; options are FFmpeg's, ticks its units of time in a second."""

    codec: str
    pixel_format: str
    codec_options: Mapping[str, str] = field(default_factory=dict)
    container_options: Mapping[str, str]
    ticks: int | None = None


_RECIPES = {
    # 81 frames of 1280x720 on two threads: 1.6 s, 1.3 MB and 32.4 dB; superfast 1.2 s, 2.0 MB and
    # 33.3 dB, medium 3.1 s, 1.3 MB and 33.4 dB.
    VideoFormat.MP4: _Recipe(
        codec="libx264",
        pixel_format="yuv420p",
        codec_options={"preset": "veryfast", "crf": "20"},
        container_options={"movflags": "+faststart+use_metadata_tags"},
    ),
    # 48 frames of 832x480: 0.6 s; with cpu-used 4 1.2 s, and a third smaller.
    VideoFormat.WEBM: _Recipe(
        codec="libvpx-vp9",
        pixel_format="yuv420p",
        codec_options={"deadline": "realtime", "cpu-used": "6", "crf": "30", "row-mt": "1"},
        container_options={"cues_to_front": "1"},
    ),
    VideoFormat.GIF: _Recipe(
        codec="gif", pixel_format="pal8", container_options={"loop": "0"}, ticks=100
    ),
    # 48 frames of 832x480: 1.2 s; with level 4 2.2 s, and 5 % smaller.
    VideoFormat.WEBP: _Recipe(
        codec="libwebp_anim",
        pixel_format="bgra",
        codec_options={"quality": "80", "compression_level": "2"},
        container_options={"loop": "0"},
        ticks=1000,
    ),
}


class _Output(NamedTuple):
    """What an encoder holds that must be let go."""

    container: OutputContainer
    stream: VideoStream
    reformatter: VideoReformatter


class VideoEncoder:
    """Encodes frames as they come; a context manager that lets go of everything at its end.

    Args:
        width: Pixels; even for MP4 and WebM, as is the height.
        height: Pixels.
        fps: Frames a second, 1 to 120.
        video_format: The file format.
        parameters: Written into the file's metadata.
        threads: How many threads encode; 0 leaves the choice to the encoder.

    Raises:
        BrokenVideoError: The format cannot hold such a video.
    """

    def __init__(
        self,
        *,
        width: int,
        height: int,
        fps: int,
        video_format: VideoFormat,
        parameters: Mapping[str, str],
        threads: int = 0,
    ) -> None:
        _check_shape(width, height, fps, video_format)
        self._shape = (height, width, 3)
        self._fps = fps
        self._format = video_format
        self._parameters = dict(parameters)
        self._threads = threads
        self._count = 0
        self._last_tick = -1
        self._window: list[tuple[int, Pixels]] = []  # frames of a GIF that wait for a palette
        self._palettes = 0
        self._buffer = io.BytesIO()
        self._output: _Output | None = self._open_output()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close what is open, finished or not; an unfinished file is dropped."""
        self._window.clear()
        output, self._output = self._output, None
        if output is not None:
            with suppress(av.FFmpegError):
                output.container.close()
        self._buffer.close()

    def add(self, rgb: bytes) -> None:
        """Encode one or several whole frames, each of height x width x 3 bytes, row by row.

        Raises:
            BrokenVideoError: A part of a frame, or the encoder fails.
            ValueError: The video is finished or was left.
        """
        self._get_output()
        height, width, _ = self._shape
        if not rgb or len(rgb) % (height * width * 3):
            raise BrokenVideoError(f"{len(rgb)} bytes are not frames of {width}x{height} pixels")
        for pixels in np.frombuffer(rgb, np.uint8).reshape(-1, *self._shape):
            tick = frame_tick(self._count, fps=self._fps, video_format=self._format)
            self._count += 1
            if tick != self._last_tick:
                self._show(pixels, tick)
            self._last_tick = tick

    def finish(self) -> bytes:
        """Return the finished file; nothing can be added after it.

        Raises:
            BrokenVideoError: There are no frames, or the encoder fails.
            ValueError: The video is finished or was left.
        """
        output = self._get_output()
        if not self._count:
            raise BrokenVideoError("no frames")
        self._paint_window()
        self._encode(None)
        with _reported(av.FFmpegError):
            output.container.close()
        self._output = None
        return self._with_parameters(self._buffer.getvalue())

    def _get_output(self) -> _Output:
        if self._output is None:
            raise ValueError("the video is finished or was left")
        return self._output

    def _open_output(self) -> _Output:
        buffer, recipe = self._buffer, _RECIPES[self._format]
        container = av.open(
            buffer,
            "w",
            format=self._format.value,
            container_options=dict(recipe.container_options),
            # The muxer reads what it wrote when it moves the index to the front.
            io_open=lambda *_: io.BytesIO(buffer.getvalue()),
        )
        options = dict(recipe.codec_options)
        stream = container.add_stream(recipe.codec, rate=self._fps, options=options)
        if not isinstance(stream, VideoStream):
            raise TypeError(recipe.codec)
        stream.height, stream.width, _ = self._shape
        stream.pix_fmt = recipe.pixel_format
        stream.bit_rate = 0  # quality decides, not a rate
        context = stream.codec_context
        context.thread_count = self._threads
        context.gop_size = KEYFRAME_SECONDS * self._fps
        context.time_base = Fraction(1, recipe.ticks or self._fps)
        if self._format in _VIDEOS:
            container.metadata.update(_to_tags(self._parameters))
            context.color_primaries = context.color_trc = context.colorspace = BT709
            context.color_range = ColorRange.MPEG
        return _Output(container, stream, VideoReformatter())

    def _show(self, pixels: Pixels, tick: int) -> None:
        if self._format is VideoFormat.GIF:
            self._window.append((tick, pixels.copy()))
            if len(self._window) * pixels.nbytes >= GIF_WINDOW_BYTES:
                self._paint_window()
            return
        frame = self._get_output().reformatter.reformat(
            VideoFrame.from_ndarray(pixels, "rgb24"),
            format=_RECIPES[self._format].pixel_format,
            src_colorspace=Colorspace.ITU709,
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            threads=self._threads,
        )
        self._encode(frame, tick)

    def _paint_window(self) -> None:
        if not self._window:
            return
        palette = choose_palette([pixels for _, pixels in self._window])
        for tick, pixels in self._window:
            self._encode(paint(pixels, palette, number=self._palettes), tick)
        self._palettes += 1
        self._window.clear()

    def _encode(self, frame: VideoFrame | None, tick: int = 0) -> None:
        container, stream, _ = self._get_output()
        if frame is not None:
            frame.pts, frame.time_base = tick, stream.codec_context.time_base
            frame.duration = round(1 / (self._fps * frame.time_base))
        with _reported(av.FFmpegError):
            container.mux(stream.encode(frame))

    def _with_parameters(self, data: bytes) -> bytes:
        match self._format:
            case VideoFormat.GIF:
                return with_comment(data, to_json(self._parameters).encode())
            case VideoFormat.WEBP:
                height, width, _ = self._shape
                return with_xmp(data, to_xmp(self._parameters), width=width, height=height)
            case VideoFormat.MP4 | VideoFormat.WEBM:
                return data  # the container has tags


def frame_tick(index: int, *, fps: int, video_format: VideoFormat) -> int:
    """Return when a frame begins, in the format's units of time.

    Beginnings are rounded, not lengths, so that a long animation keeps its duration. A frame of a
    GIF may begin with the one before it, and is not shown then.
    """
    ticks = _RECIPES[video_format].ticks or fps
    if video_format is VideoFormat.GIF and ticks < GIF_SHORTEST_TICKS * fps:
        return GIF_SHORTEST_TICKS * (index * ticks // (GIF_SHORTEST_TICKS * fps))
    return (2 * index * ticks + fps) // (2 * fps)


def verify_video(
    data: bytes, *, width: int, height: int, frames: int, fps: int, video_format: VideoFormat
) -> None:
    """Decode a whole finished file and check that it is what frames at this rate should give.

    Raises:
        BrokenVideoError: It is not.
    """
    with _reported(Exception):  # decoders raise many kinds for damaged files, and no common one
        watch = _watch_video if video_format in _VIDEOS else _watch_animation
        size, count, seconds = watch(data, video_format)
    if size != (width, height):
        raise BrokenVideoError(f"{size[0]}x{size[1]} pixels, not {width}x{height}")
    shown = len({frame_tick(i, fps=fps, video_format=video_format) for i in range(frames)})
    # A WebP encoder shows a frame longer instead of repeating it; for ever, if there is no other.
    is_merged = video_format is VideoFormat.WEBP and 0 < count < shown
    if count != shown and not is_merged:
        raise BrokenVideoError(f"{count} frames, not {shown}")
    slack = max(Fraction(1, 2 * fps), Fraction(1, 50) if video_format is VideoFormat.GIF else 0)
    is_still = video_format is VideoFormat.WEBP and count == 1
    if abs(seconds - Fraction(frames, fps)) > slack and not is_still:
        raise BrokenVideoError(f"{float(seconds)} seconds, not {frames / fps}")


def read_video_parameters(data: bytes) -> dict[str, str]:
    """Return the generation parameters inside a file that `VideoEncoder` made, else {}.

    Raises:
        BrokenVideoError: It is neither a video nor an animation.
    """
    with _reported(Exception):
        if data.startswith((b"GIF8", b"RIFF")):
            with Image.open(io.BytesIO(data), formats=["GIF", "WEBP"]) as image:
                if image.format == "WEBP":
                    return from_xmp(image.info.get("xmp", b""))
                return from_json(image.info.get(COMMENT, b"").decode("utf-8", "replace"))
        with av.open(io.BytesIO(data), "r") as container:
            tags = {name.lower(): value for name, value in container.metadata.items()}
            return from_json(tags.get(COMMENT, ""))


@contextmanager
def _reported(kind: type[Exception]) -> Iterator[None]:
    try:
        yield
    except BrokenVideoError:
        raise
    except kind as error:
        raise BrokenVideoError(f"{type(error).__name__}: {error}") from error


def _check_shape(width: int, height: int, fps: int, video_format: VideoFormat) -> None:
    if min(width, height) < 1 or not 1 <= fps <= MAX_FPS:
        raise BrokenVideoError(f"{width}x{height} pixels at {fps} frames a second")
    if video_format in _VIDEOS and (width % 2 or height % 2):
        raise BrokenVideoError(f"{width}x{height} pixels: {video_format} needs even sides")


def _watch_video(data: bytes, video_format: VideoFormat) -> tuple[tuple[int, int], int, Fraction]:
    """Return the size, how many frames there are, and the duration in seconds."""
    with av.open(io.BytesIO(data), "r", format=video_format.value) as container:
        stream = container.streams.video[0]
        stream.thread_type = ThreadType.AUTO
        found = (stream.codec_context.name, stream.pix_fmt)
        if found != ("h264" if video_format is VideoFormat.MP4 else "vp9", "yuv420p"):
            raise BrokenVideoError(f"{found[0]} with pixels as {found[1]}")
        frames = 0
        for packet in container.demux(stream):
            if packet.is_corrupt:
                raise BrokenVideoError("a frame is cut short")
            frames += len(packet.decode())
        seconds = Fraction(container.duration or 0, av.time_base)
        return (stream.width, stream.height), frames, seconds


def _watch_animation(
    data: bytes, video_format: VideoFormat
) -> tuple[tuple[int, int], int, Fraction]:
    """Return the size, how many frames there are, and the duration in seconds."""
    if video_format is VideoFormat.GIF and not data.endswith(b";"):
        raise BrokenVideoError("the end is missing")
    milliseconds = 0
    with Image.open(io.BytesIO(data), formats=[video_format.value.upper()]) as image:
        frames = getattr(image, "n_frames", 1)
        for place in range(frames):
            image.seek(place)
            image.load()
            milliseconds += int(image.info.get("duration", 0))
        return image.size, frames, Fraction(milliseconds, 1000)


def _to_tags(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return tags that a container can hold: encodable, without NUL, named."""
    tags = {**parameters, COMMENT: to_json(parameters)}
    return {_plain(name): _plain(value) for name, value in tags.items() if name}


def _plain(text: str) -> str:
    return text.replace("\0", " ").encode("utf-8", "replace").decode()
