"""Animations: GIF and WebP keep their time, their colours and their loop."""

import io
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from gen_video.media import animations, videos
from gen_video.media.videos import (
    VideoEncoder,
    VideoFormat,
    frame_tick,
)
from tests.media.clips import ALL_FORMATS, ANIMATIONS, decode, encode, moving, verify


def delays(data: bytes) -> list[int]:
    """Return how long each frame of an animation is shown, in milliseconds."""
    with Image.open(io.BytesIO(data)) as image:
        found = []
        for place in range(getattr(image, "n_frames", 1)):
            image.seek(place)
            found.append(int(image.info["duration"]))
        return found


@pytest.mark.parametrize("fps", range(1, 121))
@pytest.mark.parametrize("video_format", list(VideoFormat))
def test_frames_begin_when_they_should(video_format: VideoFormat, fps: int) -> None:
    ticks = {VideoFormat.GIF: 100, VideoFormat.WEBP: 1000}.get(video_format, fps)

    begins = [frame_tick(index, fps=fps, video_format=video_format) for index in range(4001)]

    shown = sorted(set(begins))
    late = [abs(Fraction(begin, ticks) - Fraction(i, fps)) for i, begin in enumerate(begins)]
    assert begins[0] == 0
    assert begins == sorted(begins)
    assert max(late) < (Fraction(1, 50) if video_format is VideoFormat.GIF else Fraction(1, fps))
    if video_format is VideoFormat.GIF:
        assert min(np.diff(shown)) >= 2
    if video_format is not VideoFormat.GIF or fps <= 50:
        assert len(shown) == len(begins)


@pytest.mark.parametrize(
    ("fps", "first", "count"),
    [(1, [1000, 1000], 50), (24, [40, 40, 50, 40], 50), (50, [20] * 4, 50), (60, [20] * 4, 41)],
)
def test_a_gif_is_as_long_as_its_video(fps: int, first: list[int], count: int) -> None:
    found = delays(encode(VideoFormat.GIF, frames=50, fps=fps, width=16, height=16))

    assert found[: len(first)] == first
    assert len(found) == count
    assert sum(found) == pytest.approx(50_000 / fps, abs=max(20, 1000 / fps))


@ANIMATIONS
def test_animations_go_on_for_ever(video_format: VideoFormat) -> None:
    with Image.open(io.BytesIO(encode(video_format))) as image:
        assert image.info["loop"] == 0


@ALL_FORMATS
@pytest.mark.parametrize("frames", [1, 2, 30])
def test_a_video_in_which_nothing_moves_passes(video_format: VideoFormat, frames: int) -> None:
    data = encode(video_format, pictures=[bytes([90, 10, 200]) * (64 * 48)] * frames)

    verify(data, video_format, frames=frames)


def test_a_long_gif_has_several_palettes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(videos, "GIF_WINDOW_BYTES", 2 * 64 * 48 * 3)
    red, blue = (bytes(colour) * (64 * 48) for colour in ((250, 0, 0), (0, 0, 250)))
    pictures = [red, red, blue, blue, red, red, blue]

    shown = decode(encode(VideoFormat.GIF, pictures=pictures))

    for frame, made in zip(shown, pictures, strict=True):
        assert np.abs(frame[20, 20].astype(int) - np.frombuffer(made[:3], np.uint8)).max() <= 12


def test_a_scene_that_comes_back_in_a_gif_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its palette would be the first again, and the frame before it has places in another."""
    monkeypatch.setattr(videos, "GIF_WINDOW_BYTES", 64 * 48 * 3)
    monkeypatch.setattr(animations, "_DITHER", np.zeros((8, 8), np.int16))
    halves = np.repeat([[0, 1]], 64 * 24, axis=0).T.reshape(-1)
    colours = np.array([[[250, 0, 0], [0, 250, 0]], [[250, 250, 0], [0, 0, 250]]], np.uint8)
    pictures = [colours[scene][halves].tobytes() for scene in (0, 1, 0, 1, 0)]

    shown = decode(encode(VideoFormat.GIF, pictures=pictures))

    assert [frame.tobytes() for frame in shown] == pictures


def test_a_gif_holds_back_no_more_than_its_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(videos, "GIF_WINDOW_BYTES", 5 * 16 * 16 * 3)

    with VideoEncoder(
        width=16, height=16, fps=8, video_format=VideoFormat.GIF, parameters={}
    ) as encoder:
        for rgb in moving(23, 16, 16):
            encoder.add(rgb)
            assert len(encoder._window) < 5
        verify(encoder.finish(), VideoFormat.GIF, width=16, height=16, frames=23)


@ANIMATIONS
@pytest.mark.parametrize(("width", "height"), [(1, 1), (33, 17), (15, 64)])
def test_animations_may_have_odd_sides(video_format: VideoFormat, width: int, height: int) -> None:
    data = encode(video_format, frames=3, width=width, height=height)

    verify(data, video_format, frames=3, width=width, height=height)
