"""Videos: what is encoded plays everywhere, keeps its colours and carries its parameters."""

import contextlib
import io
import json
import random
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
import psutil
import pytest
from PIL import Image

from gen_video.media.videos import (
    BrokenVideoError,
    VideoEncoder,
    VideoFormat,
    read_video_parameters,
)
from tests.media.clips import (
    ALL_FORMATS,
    ANIMATIONS,
    PARAMETERS,
    VIDEOS,
    decode,
    encode,
    moving,
    verify,
)

CONTAINER_ATOMS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"udta"}


def atoms(data: bytes, path: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
    """Yield every atom of an MP4 file as (path, content), outer ones first."""
    at = 0
    while at < len(data):
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        assert 8 <= size <= len(data) - at
        content = data[at + 8 : at + size]
        yield path + b"/" + name, content
        if name in CONTAINER_ATOMS:
            yield from atoms(content, path + b"/" + name)
        at += size


def number(content: bytes, at: int, size: int = 4) -> int:
    return int.from_bytes(content[at : at + size], "big")


@pytest.mark.parametrize(
    ("video_format", "mime", "extension"),
    [
        (VideoFormat.MP4, "video/mp4", "mp4"),
        (VideoFormat.WEBM, "video/webm", "webm"),
        (VideoFormat.GIF, "image/gif", "gif"),
        (VideoFormat.WEBP, "image/webp", "webp"),
    ],
)
def test_formats_know_their_names(video_format: VideoFormat, mime: str, extension: str) -> None:
    assert (video_format.mime, video_format.extension) == (mime, extension)


@ALL_FORMATS
@pytest.mark.parametrize("fps", [1, 8, 24, 60, 120])
@pytest.mark.parametrize("frames", [1, 2, 100])
def test_every_rate_and_length(video_format: VideoFormat, fps: int, frames: int) -> None:
    data = encode(video_format, frames=frames, fps=fps, width=16, height=16)

    verify(data, video_format, frames=frames, fps=fps, width=16, height=16)


@ALL_FORMATS
@pytest.mark.parametrize(("width", "height"), [(16, 16), (256, 144), (144, 256), (832, 480)])
def test_every_size(video_format: VideoFormat, width: int, height: int) -> None:
    data = encode(video_format, frames=5, width=width, height=height, fps=24)

    verify(data, video_format, frames=5, width=width, height=height, fps=24)
    for shown, made in zip(decode(data), moving(5, width, height), strict=True):
        difference = np.abs(shown.reshape(-1).astype(int) - np.frombuffer(made, np.uint8))
        assert difference.mean() < 10


@ALL_FORMATS
def test_chunks_of_frames_make_no_difference(video_format: VideoFormat) -> None:
    frames = list(moving(9, 32, 32))
    chunked = [b"".join(frames[:4]), frames[4], b"".join(frames[5:])]

    shown = [
        decode(encode(video_format, width=32, height=32, pictures=pictures))
        for pictures in (frames, chunked)
    ]

    assert len(shown[0]) == len(shown[1]) == 9
    # Not to the bit: x264 decides differently now and then at tiny sizes.
    assert np.abs(np.subtract(shown[0], shown[1], dtype=int)).mean() < 3


@ALL_FORMATS
@pytest.mark.parametrize(
    "colour",
    [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (200, 120, 40)],
)
def test_colours_come_back(video_format: VideoFormat, colour: tuple[int, int, int]) -> None:
    pictures = [bytes(colour) * (64 * 48)] * 3

    shown = decode(encode(video_format, pictures=pictures))[-1]

    assert np.abs(shown.astype(int) - colour).max() <= 8


@VIDEOS
@pytest.mark.parametrize(
    ("colour", "luma"),
    [
        ((255, 0, 0), 63),  # 16 + 219 * 0.2126; it would be 82 by BT.601
        ((0, 255, 0), 173),  # 145
        ((0, 0, 255), 32),  # 41
        ((255, 255, 255), 235),
        ((0, 0, 0), 16),
    ],
)
def test_colours_are_of_bt709_and_say_so(
    video_format: VideoFormat, colour: tuple[int, int, int], luma: int
) -> None:
    """Read off the planes, so that a decoder's own guess cannot hide a mismatch."""
    data = encode(video_format, pictures=[bytes(colour) * (64 * 48)] * 2)

    with av.open(io.BytesIO(data), "r") as container:
        context = container.streams.video[0].codec_context
        frame = next(container.decode(video=0))
        assert (context.color_primaries, context.color_trc, context.colorspace) == (1, 1, 1)
        assert (frame.colorspace, frame.color_range, frame.format.name) == (1, 1, "yuv420p")
        assert bytes(frame.planes[0])[0] == pytest.approx(luma, abs=2)


def test_saturated_colours_of_one_picture_stay_apart() -> None:
    """A palette must hold small areas of strong colours too."""
    picture = np.full((48, 64, 3), 128, np.uint8)
    corners = {(0, 0): (255, 0, 0), (0, 1): (0, 255, 0), (1, 0): (0, 0, 255), (1, 1): (255,) * 3}
    for (row, column), colour in corners.items():
        picture[40 * row : 40 * row + 8, 56 * column : 56 * column + 8] = colour

    for video_format in VideoFormat:
        shown = decode(encode(video_format, pictures=[picture.tobytes()] * 2))[-1]
        for (row, column), colour in corners.items():
            assert np.abs(shown[44 * row + 2, 60 * column + 2].astype(int) - colour).max() <= 14


# MP4


def test_an_mp4_begins_with_its_index() -> None:
    names = [path for path, _ in atoms(encode(VideoFormat.MP4)) if path.count(b"/") == 1]

    assert names[0] == b"/ftyp"
    assert names.index(b"/moov") < names.index(b"/mdat")


@pytest.mark.parametrize(("frames", "fps"), [(1, 1), (100, 24), (7, 60)])
def test_an_mp4_is_read_alike_by_hand(frames: int, fps: int) -> None:
    """A second reading that shares no code with the encoder."""
    data = encode(VideoFormat.MP4, frames=frames, fps=fps)

    found = dict(atoms(data))

    media = found[b"/moov/trak/mdia/mdhd"]
    track = found[b"/moov/trak/tkhd"]
    samples = found[b"/moov/trak/mdia/minf/stbl/stsz"]
    description = found[b"/moov/trak/mdia/minf/stbl/stsd"]
    edits = found[b"/moov/trak/edts/elst"]
    colours = description[description.index(b"colrnclx") + 8 :]
    assert Fraction(number(media, 16), number(media, 12)) == Fraction(frames, fps)
    for milliseconds in (number(edits, 8), number(found[b"/moov/mvhd"], 16)):
        assert milliseconds == pytest.approx(1000 * frames / fps, abs=1)
    assert (number(track, 76) >> 16, number(track, 80) >> 16) == (64, 48)
    assert number(samples, 8) == frames
    assert description[12:16] == b"avc1"
    assert [number(colours, at, 2) for at in (0, 2, 4)] == [1, 1, 1]
    chunks = found[b"/moov/trak/mdia/minf/stbl/stco"]
    start = data.index(b"mdat") + 4
    assert all(start <= number(chunks, 8 + 4 * i) < len(data) for i in range(number(chunks, 4)))


@VIDEOS
@pytest.mark.parametrize("fps", [1, 8, 24])
def test_a_player_can_seek_to_every_second_second(video_format: VideoFormat, fps: int) -> None:
    data = encode(video_format, frames=6 * fps + 1, fps=fps, width=32, height=32)

    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.video[0]
        keys = [
            float(packet.pts * (packet.time_base or 0))
            for packet in container.demux(stream)
            if packet.is_keyframe and packet.pts is not None
        ]
    assert keys[0] == 0
    assert max(np.diff(keys)) <= 2.001
    assert keys[-1] >= 4 - 0.001


# Parameters


@ALL_FORMATS
@pytest.mark.parametrize("frames", [1, 8])
def test_a_video_carries_its_parameters(video_format: VideoFormat, frames: int) -> None:
    data = encode(video_format, frames=frames, parameters=PARAMETERS)

    verify(data, video_format, frames=frames)
    assert read_video_parameters(data) == PARAMETERS


@ALL_FORMATS
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"prompt": ""},
        {"": "no name"},
        {"comment": "of the user", "encoder": "x", "title": "标题"},
        {"prompt": "]]> --> <!DOCTYPE x> &lt; \u2028\ufeff"},
        {"prompt": "长" * 5000},
    ],
)
def test_odd_parameters_come_back_as_they_were(
    video_format: VideoFormat, parameters: dict[str, str]
) -> None:
    assert read_video_parameters(encode(video_format, parameters=parameters)) == parameters


@ALL_FORMATS
@pytest.mark.parametrize("prompt", ["nul\x00 and \x1b[2J", "lone \ud800 surrogate", "\uffff"])
def test_characters_that_files_cannot_hold_do_not_break_them(
    video_format: VideoFormat, prompt: str
) -> None:
    data = encode(video_format, parameters={"prompt": prompt, prompt: "name", "seed": "7"})

    verify(data, video_format)
    assert read_video_parameters(data)["seed"] == "7"


def test_other_tools_find_the_parameters() -> None:
    mp4, webm = (
        av.open(io.BytesIO(encode(video_format, parameters=PARAMETERS)), "r")
        for video_format in (VideoFormat.MP4, VideoFormat.WEBM)
    )
    with mp4, webm:
        assert mp4.metadata["prompt"] == webm.metadata["PROMPT"] == PARAMETERS["prompt"]
        assert json.loads(mp4.metadata["comment"]) == PARAMETERS
        assert json.loads(webm.metadata["COMMENT"]) == PARAMETERS
    with Image.open(io.BytesIO(encode(VideoFormat.GIF, parameters=PARAMETERS))) as image:
        assert json.loads(image.info["comment"]) == PARAMETERS


@ANIMATIONS
def test_files_of_others_have_no_parameters(video_format: VideoFormat) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, video_format.value)

    assert read_video_parameters(buffer.getvalue()) == {}


@pytest.mark.parametrize("data", [b"", b"junk" * 99, b"GIF89a", b"RIFF\0\0\0\0WEBP", bytes(999)])
def test_what_is_no_video_has_no_parameters(data: bytes) -> None:
    with pytest.raises(BrokenVideoError):
        read_video_parameters(data)


# What is refused


@pytest.mark.parametrize("size", [0, 1, 64 * 48 * 3 - 1, 64 * 48 * 3 + 1])
@ALL_FORMATS
def test_parts_of_frames_are_refused(video_format: VideoFormat, size: int) -> None:
    with pytest.raises(BrokenVideoError, match="not frames of 64x48 pixels"):
        encode(video_format, pictures=[bytes(size)])


@pytest.mark.parametrize(
    ("video_format", "width", "height", "fps"),
    [
        (VideoFormat.MP4, 63, 48, 8),
        (VideoFormat.WEBM, 64, 47, 8),
        (VideoFormat.MP4, 0, 48, 8),
        (VideoFormat.GIF, 16, -2, 8),
        (VideoFormat.WEBP, 16, 16, 0),
        (VideoFormat.MP4, 16, 16, 121),
        (VideoFormat.WEBP, 20_000, 2, 8),
        (VideoFormat.GIF, 70_000, 2, 8),
    ],
)
def test_a_shape_that_the_format_cannot_hold_is_refused(
    video_format: VideoFormat, width: int, height: int, fps: int
) -> None:
    with pytest.raises(BrokenVideoError):
        encode(
            video_format,
            width=width,
            height=height,
            fps=fps,
            pictures=[bytes(max(1, width * height * 3))] * 2,
        )


@ALL_FORMATS
def test_a_video_without_frames_is_refused(video_format: VideoFormat) -> None:
    with (
        VideoEncoder(
            width=16, height=16, fps=8, video_format=video_format, parameters={}
        ) as encoder,
        pytest.raises(BrokenVideoError, match="no frames"),
    ):
        encoder.finish()


@ALL_FORMATS
def test_a_truncated_file_does_not_pass(video_format: VideoFormat) -> None:
    data = encode(video_format, parameters=PARAMETERS)

    for length in {0, 1, 20, len(data) // 2, len(data) - len(data) // 10, len(data) - 1}:
        with pytest.raises(BrokenVideoError):
            verify(data[:length], video_format)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"width": 48}, "64x48 pixels, not 48x48"),
        ({"height": 64}, "64x48 pixels, not 64x64"),
        ({"frames": 7}, "8 frames, not 7|seconds"),
        ({"frames": 9}, "8 frames, not 9|seconds"),
        ({"fps": 4}, "seconds, not 2.0"),
        ({"fps": 24}, "seconds, not 0.3"),
    ],
)
@ALL_FORMATS
def test_another_size_length_or_rate_does_not_pass(
    video_format: VideoFormat, other: dict[str, int], message: str
) -> None:
    with pytest.raises(BrokenVideoError, match=message):
        verify(encode(video_format), video_format, **other)


@pytest.mark.parametrize("claimed", list(VideoFormat))
@ALL_FORMATS
def test_another_format_does_not_pass(video_format: VideoFormat, claimed: VideoFormat) -> None:
    expected = (
        contextlib.nullcontext() if claimed is video_format else pytest.raises(BrokenVideoError)
    )
    with expected:
        verify(encode(video_format), claimed)


@pytest.mark.parametrize(
    ("codec", "pixels"), [("libx264", "yuv444p"), ("mpeg4", "yuv420p"), ("libvpx-vp9", "yuv420p")]
)
def test_an_mp4_that_browsers_cannot_play_does_not_pass(codec: str, pixels: str) -> None:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream(codec, rate=8)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        for _ in range(8):
            container.mux(stream.encode(av.VideoFrame(64, 48, pixels)))
        container.mux(stream.encode(None))

    with pytest.raises(BrokenVideoError, match=pixels):
        verify(buffer.getvalue(), VideoFormat.MP4)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@ALL_FORMATS
def test_a_damaged_file_passes_or_is_refused_but_never_breaks_the_check(
    video_format: VideoFormat,
) -> None:
    data = encode(video_format)
    chance = random.Random(7)  # noqa: S311 - no secret

    for _ in range(60):
        damaged = bytearray(data)
        for _ in range(5):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        with contextlib.suppress(BrokenVideoError):
            verify(bytes(damaged), video_format)


def test_a_broken_video_is_worth_another_attempt() -> None:
    error = BrokenVideoError("cut")

    assert (error.code, error.is_retryable) == ("generation_failed", True)
    assert "cut" in error.message("en")
    assert "cut" in error.message("zh")


# The end


@ALL_FORMATS
@pytest.mark.parametrize("frames", [0, 1, 30])
def test_a_video_that_is_left_lets_go_of_everything(video_format: VideoFormat, frames: int) -> None:
    before = psutil.Process().num_threads()
    encoder = VideoEncoder(
        width=256, height=144, fps=8, video_format=video_format, parameters={}, threads=4
    )

    with contextlib.suppress(KeyError), encoder:
        for rgb in moving(frames, 256, 144):
            encoder.add(rgb)
        raise KeyError

    assert encoder._buffer.closed
    assert not encoder._window
    with pytest.raises(ValueError, match="finished or was left"):
        encoder.add(bytes(256 * 144 * 3))
    with pytest.raises(ValueError, match="finished or was left"):
        encoder.finish()
    del encoder
    assert psutil.Process().num_threads() == before


@ALL_FORMATS
def test_nothing_can_be_added_to_a_finished_video(video_format: VideoFormat) -> None:
    with VideoEncoder(
        width=16, height=16, fps=8, video_format=video_format, parameters={}
    ) as encoder:
        encoder.add(bytes(16 * 16 * 3))
        data = encoder.finish()
        with pytest.raises(ValueError, match="finished"):
            encoder.add(bytes(16 * 16 * 3))
        with pytest.raises(ValueError, match="finished"):
            encoder.finish()

    verify(data, video_format, width=16, height=16, frames=1)
