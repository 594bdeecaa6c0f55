"""Headers are read by hand: the same sizes as a decoder sees, and no way to lead astray."""

import random

import pytest

from gen_video.media.headers import DamagedHeaderError, ImageHeader, read_header
from tests.media import hostile


@pytest.mark.parametrize("size", [(1, 1), (64, 48), (33, 257), (5000, 3)])
@pytest.mark.parametrize(
    ("kind", "mode", "save"),
    [
        ("PNG", "RGB", {}),
        ("PNG", "RGBA", {}),
        ("PNG", "P", {}),
        ("PNG", "I;16", {}),
        ("JPEG", "RGB", {}),
        ("JPEG", "L", {"progressive": True}),
        ("JPEG", "CMYK", {"comment": b"\xff\xc0" * 100}),
        ("JPEG", "RGB", {"icc_profile": bytes(200_000)}),
        ("WEBP", "RGB", {}),
        ("WEBP", "RGBA", {"lossless": True}),
        ("WEBP", "RGB", {"xmp": b"<x/>"}),
    ],
)
def test_sizes_are_read(
    size: tuple[int, int], kind: str, mode: str, save: dict[str, object]
) -> None:
    data = hostile.plain(kind, size, "L" if mode == "I;16" else mode, **save)

    assert read_header(data) == ImageHeader(kind=kind, width=size[0], height=size[1])


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_animations_are_noticed(kind: str) -> None:
    header = read_header(hostile.animated(kind))

    assert header is not None
    assert header.is_animated


def test_fill_bytes_before_a_jpeg_marker_are_skipped() -> None:
    data = hostile.plain("JPEG")

    assert read_header(data[:2] + b"\xff" * 7 + data[2:]) == read_header(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a",
        b"BM" + bytes(100),
        b"II*\x00" + bytes(100),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
        b"RIFF\x00\x00\x00\x00WAVE",
        b"\x00\x00\x00\x1cftypavif",
        b"PK\x03\x04",
        b" \x89PNG\r\n\x1a\n",
    ],
)
def test_other_files_are_no_images_of_ours(data: bytes) -> None:
    assert read_header(data) is None


@pytest.mark.parametrize(
    "data",
    [
        hostile.PNG_SIGNATURE,
        hostile.png(hostile.chunk(b"IDAT", b"")),
        hostile.png(hostile.ihdr(4, 4), hostile.chunk(b"IEND", b"")),
        hostile.png_of(0, 4, pixels=b""),
        hostile.png(hostile.chunk(b"IHDR", bytes(12))),
        hostile.png(hostile.ihdr(4, 4), *([hostile.chunk(b"tEXt", b"")] * 20_000)),
        hostile.png(hostile.ihdr(4, 4), b"\xff\xff\xff\xfftEXt"),
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff\xe0\x00\x04ab" + b"xx",
        b"\xff\xd8" + b"\xff\xe1\x00\x02" * 20_000,
        b"\xff\xd8" + b"\xff" * 100_000,
        hostile.jpeg_claiming(0, 10),
        b"RIFF\x00\x00\x00\x00WEBPVP8 " + bytes(20),
        b"RIFF\x00\x00\x00\x00WEBPVP8L" + bytes(20),
        b"RIFF\x00\x00\x00\x00WEBPJUNK" + bytes(20),
    ],
)
def test_headers_that_make_no_sense_are_damaged(data: bytes) -> None:
    with pytest.raises(DamagedHeaderError):
        read_header(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_file_cut_anywhere_in_its_header_is_damaged_or_unknown(kind: str) -> None:
    data = hostile.plain(kind)

    for length in range(25):
        try:
            assert read_header(data[:length]) is None
        except DamagedHeaderError:
            continue


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_random_damage_never_breaks_the_reader(kind: str) -> None:
    data = hostile.plain(kind)
    chance = random.Random(3)  # noqa: S311 - no secret

    for _ in range(2000):
        damaged = bytearray(data)
        for _ in range(4):
            damaged[chance.randrange(min(len(damaged), 80))] = chance.randrange(256)
        try:
            header = read_header(bytes(damaged))
        except DamagedHeaderError:
            continue
        assert header is None or (header.width > 0 and header.height > 0)
