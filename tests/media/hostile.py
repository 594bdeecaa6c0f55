"""Builds the corpus of hostile and odd image files; nothing in it comes from outside."""

import io
import struct
import zlib

from PIL import Image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def plain(kind: str, size: tuple[int, int] = (64, 48), mode: str = "RGB", **save: object) -> bytes:
    """Return an ordinary picture, red at the top left, blue elsewhere."""
    image = Image.new("RGB", size, "blue")
    image.paste("red", (0, 0, size[0] // 2, size[1] // 2))
    buffer = io.BytesIO()
    image.convert(mode).save(buffer, kind, **save)
    return buffer.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    """Return one PNG chunk with its checksum."""
    body = name + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def png(*chunks: bytes) -> bytes:
    """Return a PNG file of these chunks."""
    return PNG_SIGNATURE + b"".join(chunks)


def ihdr(width: int, height: int, *, depth: int = 8, colour: int = 2, interlace: int = 0) -> bytes:
    """Return the first chunk of a PNG file."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))


def png_of(width: int, height: int, *between: bytes, pixels: bytes | None = None) -> bytes:
    """Return a PNG file; without `pixels` it is black and correct."""
    if pixels is None:
        pixels = zlib.compress(bytes((width * 3 + 1) * height))
    return png(ihdr(width, height), *between, chunk(b"IDAT", pixels), chunk(b"IEND", b""))


def text_bomb(expanded_bytes: int = 100 * 2**20) -> bytes:
    """Return a compressed iTXt chunk that expands a thousandfold."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(2**20)) for _ in range(expanded_bytes // 2**20))
    return chunk(b"iTXt", b"bomb\x00\x01\x00\x00\x00" + packed + packer.flush())


def profile_bomb(expanded_bytes: int = 100 * 2**20) -> bytes:
    """Return a colour profile that expands a thousandfold."""
    return chunk(b"iCCP", b"bomb\x00\x00" + zlib.compress(bytes(expanded_bytes), 9))


def pixel_bomb(width: int, height: int) -> bytes:
    """Return a small PNG file that really holds this many black pixels."""
    packer = zlib.compressobj(9)
    row = bytes(width * 3 + 1)
    packed = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return png(ihdr(width, height), chunk(b"IDAT", packed), chunk(b"IEND", b""))


def animated(kind: str) -> bytes:
    """Return an animation of three frames."""
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "green", "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], duration=100)
    return buffer.getvalue()


def webp_claiming(width: int, height: int) -> bytes:
    """Return a WebP file whose canvas is said to be of this size."""
    inner = plain("WEBP", (16, 16))[12:]
    canvas = b"\x00\x00\x00\x00" + (width - 1).to_bytes(3, "little")
    canvas += (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", len(canvas)) + canvas + inner
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg_claiming(width: int, height: int) -> bytes:
    """Return a JPEG file whose frame is said to be of this size."""
    data = bytearray(plain("JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def slow_jpeg(side: int = 3000, scans: int = 20_000) -> bytes:
    """Return a progressive JPEG whose last scan is repeated: each is decoded over all pixels."""
    data = plain("JPEG", (side, side), progressive=True)
    start = data.rindex(b"\xff\xda")
    return data[:-2] + data[start:-2] * scans + b"\xff\xd9"
