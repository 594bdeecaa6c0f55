"""Animations: what GIF and WebP need beside their encoders, palettes and metadata.

Sources: GIF89a specification §18 to §27; RFC 9649 §2.7.
"""

import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame
from PIL import Image

GIF_SAMPLES, GIF_MEANS = 20_000, 1
"""Pixels that a palette is made from, and the rounds of k-means that follow the median cut: 0.3 s.
Blurred by a radius of 1.5, as from afar, a textured clip came back with 37.6 dB, without k-means
32.0 dB; ten times as many pixels took 3 s for 37.8 dB."""
GIF_COLOURS = 255
"""The last of 256 means "as before"."""
GIF_DITHER = 12
"""Amplitude of the ordered dither. It stands still where the picture does: a ball rolling over a
gradient took 0.45 MB, with error diffusion 1.5 MB, without dither 0.34 MB and with bands."""
WEBP_XMP_FLAG = 0x04

_ORDER = np.zeros((1, 1), np.int16)
for _ in range(3):
    _ORDER = np.block([[4 * _ORDER, 4 * _ORDER + 2], [4 * _ORDER + 3, 4 * _ORDER + 1]])
_DITHER = GIF_DITHER * (2 * _ORDER - 63) // 128
"""Bayer's matrix of 8 x 8, around zero."""

Pixels = npt.NDArray[np.uint8]


def choose_palette(frames: list[Pixels]) -> Image.Image:
    """Return the colours of frames that will share a palette."""
    every = max(1, sum(frame.size for frame in frames) // (3 * GIF_SAMPLES)) | 1
    sample = np.concatenate([frame.reshape(-1, 3)[::every] for frame in frames])
    return Image.fromarray(sample[np.newaxis]).quantize(GIF_COLOURS, kmeans=GIF_MEANS)


def paint(pixels: Pixels, palette: Image.Image, *, number: int) -> VideoFrame:
    """Return a frame of a GIF; `number` counts palettes."""
    rows, columns = (side // 8 + 1 for side in pixels.shape[:2])
    shift = np.tile(_DITHER, (rows, columns))[: pixels.shape[0], : pixels.shape[1], np.newaxis]
    dithered = np.clip(pixels + shift, 0, 255).astype(np.uint8)
    places = Image.fromarray(dithered).quantize(palette=palette, dither=Image.Dither.NONE)
    colours = np.frombuffer(bytes(palette.getpalette() or []), np.uint8).reshape(-1, 3)
    argb = np.zeros((256, 4), np.uint8)
    argb[: len(colours), 0], argb[: len(colours), 1:] = 255, colours
    # No palette may come twice: after others, FFmpeg would compare a frame in the first palette
    # with the places of one in another, and leave out what only seems the same.
    argb[-1] = 0, number >> 16 & 255, number >> 8 & 255, number & 255
    pair = (np.asarray(places), argb)
    return VideoFrame.from_ndarray(pair, "pal8")  # type: ignore[arg-type] # as its manual says


def with_comment(data: bytes, text: bytes) -> bytes:
    """Put a comment into a GIF, after the loop count, which some readers want to come first."""
    at = 13 + (3 << (data[10] & 7) + 1)  # past the header and the palette of the first frame
    if data[at : at + 2] == b"\x21\xff":
        at += 19
    parts = [text[start : start + 255] for start in range(0, len(text), 255)]
    blocks = b"".join(bytes([len(part)]) + part for part in parts)
    return data[:at] + b"\x21\xfe" + blocks + b"\0" + data[at:]


def with_xmp(data: bytes, packet: bytes, *, width: int, height: int) -> bytes:
    """Put an XMP packet into a WebP; one of a single picture gets the header that allows it."""
    chunks = data[12:]
    if not chunks.startswith(b"VP8X"):
        sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        chunks = _riff(b"VP8X", bytes(4) + sides) + chunks
    flags = bytes([chunks[8] | WEBP_XMP_FLAG])
    return _riff(b"RIFF", b"WEBP" + chunks[:8] + flags + chunks[9:] + _riff(b"XMP ", packet))


def _riff(name: bytes, content: bytes) -> bytes:
    return name + len(content).to_bytes(4, "little") + content + bytes(len(content) % 2)
