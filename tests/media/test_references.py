"""References: hostile files end in clear errors and cost the parent nothing; good ones pass."""

import hashlib
import io
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from PIL import Image, PngImagePlugin

from gen_video.errors import ServiceError, ServiceUnavailableError
from gen_video.media import decode_child, references
from gen_video.media.headers import read_header
from gen_video.media.references import (
    ImageTooLargeError,
    InvalidImageError,
    Reference,
    ReferenceLimits,
    UnsupportedImageError,
    sanitize_reference,
)
from tests.media import hostile

TOO_LARGE, INVALID, UNSUPPORTED = ImageTooLargeError, InvalidImageError, UnsupportedImageError
MEBIBYTE = 2**20


def pixels(reference: Reference) -> Image.Image:
    with Image.open(io.BytesIO(reference.png), formats=["PNG"]) as image:
        image.load()
        return image.copy()


def chunk_names(png: bytes) -> list[bytes]:
    names, at = [], 8
    while at < len(png):
        names.append(png[at + 4 : at + 8])
        at += 12 + int.from_bytes(png[at : at + 4], "big")
    return names


def parent_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


# Good files


@pytest.mark.parametrize(
    ("kind", "mode", "save"),
    [
        ("PNG", "RGB", {}),
        ("PNG", "RGBA", {}),
        ("PNG", "LA", {}),
        ("PNG", "L", {}),
        ("PNG", "1", {}),
        ("PNG", "P", {}),
        ("PNG", "P", {"transparency": 0}),
        ("JPEG", "RGB", {"quality": 95}),
        ("JPEG", "RGB", {"progressive": True}),
        ("JPEG", "L", {}),
        ("JPEG", "CMYK", {}),
        ("WEBP", "RGB", {}),
        ("WEBP", "RGBA", {"lossless": True}),
    ],
)
def test_ordinary_pictures_become_plain_png(kind: str, mode: str, save: dict[str, object]) -> None:
    reference = sanitize_reference(hostile.plain(kind, (64, 48), mode, **save))

    assert (reference.width, reference.height) == (64, 48)
    assert reference.sha256 == hashlib.sha256(reference.png).hexdigest()
    assert set(chunk_names(reference.png)) == {b"IHDR", b"IDAT", b"IEND"}
    assert pixels(reference).mode == "RGB"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_colours_are_kept(kind: str) -> None:
    image = pixels(sanitize_reference(hostile.plain(kind)))

    red, blue = image.getpixel((10, 10)), image.getpixel((50, 40))
    assert isinstance(red, tuple)
    assert isinstance(blue, tuple)
    assert (red[0] > 240, red[2] < 15, blue[0] < 15, blue[2] > 240) == (True,) * 4


def test_transparency_becomes_white() -> None:
    image = Image.new("RGBA", (32, 32), (255, 0, 0, 0))
    image.paste((0, 0, 0, 128), (0, 0, 16, 16))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")

    flat = pixels(sanitize_reference(buffer.getvalue()))

    assert flat.getpixel((20, 20)) == (255, 255, 255)
    assert flat.getpixel((5, 5)) == (127, 127, 127)


def test_sixteen_bit_greys_keep_their_brightness() -> None:
    image = Image.new("I;16", (32, 32), 0)
    for row in range(32):
        image.putpixel((3, row), 65535)
        image.putpixel((4, row), 32768)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")

    grey = pixels(sanitize_reference(buffer.getvalue()))

    assert grey.getpixel((0, 0)) == (0, 0, 0)
    assert grey.getpixel((3, 0)) == (255, 255, 255)
    assert grey.getpixel((4, 0)) in {(127, 127, 127), (128, 128, 128)}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    ("orientation", "size", "red_corner"),
    [
        (1, (64, 48), (5, 5)),
        (2, (64, 48), (58, 5)),
        (3, (64, 48), (58, 42)),
        (6, (48, 64), (42, 5)),
        (8, (48, 64), (5, 58)),
    ],
)
def test_pictures_are_turned_upright(
    kind: str, orientation: int, size: tuple[int, int], red_corner: tuple[int, int]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation

    reference = sanitize_reference(hostile.plain(kind, exif=exif.tobytes()))

    assert (reference.width, reference.height) == size
    colour = pixels(reference).getpixel(red_corner)
    assert isinstance(colour, tuple)
    assert colour[0] > 200


def test_broken_exif_data_does_not_cost_the_picture() -> None:
    for junk in (
        b"Exif\x00\x00",
        b"Exif\x00\x00MM\x00*\xff\xff\xff\xff",
        b"Exif\x00\x00" + os.urandom(64),
    ):
        assert sanitize_reference(hostile.plain("JPEG", exif=junk)).width == 64


def test_nothing_of_the_source_but_its_pixels_survives() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "canary")
    exif = Image.Exif()
    exif[0x010F] = "canary"
    sources = [
        hostile.plain("PNG", pnginfo=info, exif=exif.tobytes(), icc_profile=b"canary" * 9),
        hostile.plain("JPEG", exif=exif.tobytes(), comment=b"canary", xmp=b"canary"),
        hostile.plain("WEBP", exif=exif.tobytes(), xmp=b"canary"),
        hostile.plain("PNG") + b"PK\x03\x04 canary <script>canary</script>",
        hostile.plain("JPEG") + b"<?php canary ?>",
    ]

    for source in sources:
        png = sanitize_reference(source).png
        assert b"canary" in source
        assert b"canary" not in png
        assert set(chunk_names(png)) == {b"IHDR", b"IDAT", b"IEND"}


def test_the_same_file_always_gives_the_same_bytes() -> None:
    """A repeated request is recognised by the hash of its reference image."""
    data = hostile.plain("JPEG")

    assert sanitize_reference(data).sha256 == sanitize_reference(data).sha256


def test_a_picture_at_the_limit_passes() -> None:
    reference = sanitize_reference(hostile.pixel_bomb(4096, 4096))

    assert (reference.width, reference.height) == (4096, 4096)


# Hostile files


def cut(data: bytes, part: float) -> bytes:
    return data[: int(len(data) * part)]


CORPUS: list[tuple[str, Callable[[], bytes], type[ServiceError]]] = [
    ("empty", lambda: b"", INVALID),
    ("one byte", lambda: b"\x89", UNSUPPORTED),
    ("zeros", lambda: bytes(1000), UNSUPPORTED),
    ("text", lambda: b"not an image at all", UNSUPPORTED),
    ("gif", lambda: hostile.plain("GIF", mode="P"), UNSUPPORTED),
    ("bmp", lambda: hostile.plain("BMP"), UNSUPPORTED),
    ("tiff", lambda: hostile.plain("TIFF"), UNSUPPORTED),
    ("tiff of many frames", lambda: hostile.animated("TIFF"), UNSUPPORTED),
    ("icon", lambda: hostile.plain("ICO"), UNSUPPORTED),
    ("svg", lambda: b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", UNSUPPORTED),
    ("html before png", lambda: b"<script></script>" + hostile.plain("PNG"), UNSUPPORTED),
    ("postscript", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9", UNSUPPORTED),
    ("bytes", lambda: hostile.PNG_SIGNATURE + bytes(21 * MEBIBYTE), TOO_LARGE),
    ("png says 2^31", lambda: hostile.png_of(2**31 - 1, 2**31 - 1, pixels=b"x"), TOO_LARGE),
    ("png says 5000²", lambda: hostile.png_of(5000, 5000, pixels=b"x"), TOO_LARGE),
    ("png is 6000²", lambda: hostile.pixel_bomb(6000, 6000), TOO_LARGE),
    ("png is a line", lambda: hostile.pixel_bomb(100_000, 100), TOO_LARGE),
    ("jpeg says 65535²", lambda: hostile.jpeg_claiming(65535, 65535), TOO_LARGE),
    ("webp says 16383²", lambda: hostile.webp_claiming(16383, 16383), TOO_LARGE),
    ("webp says 2^24", lambda: hostile.webp_claiming(2**24, 2**24), TOO_LARGE),
    ("webp says 4000²", lambda: hostile.webp_claiming(4000, 4000), INVALID),
    ("jpeg says 4000²", lambda: cut(hostile.jpeg_claiming(4000, 4000), 0.5), INVALID),
    ("tiny", lambda: hostile.plain("PNG", (15, 64)), INVALID),
    ("apng", lambda: hostile.animated("PNG"), INVALID),
    ("animated webp", lambda: hostile.animated("WEBP"), INVALID),
    ("png cut", lambda: cut(hostile.plain("PNG"), 0.5), INVALID),
    ("jpeg cut", lambda: cut(hostile.plain("JPEG", (640, 480)), 0.5), INVALID),
    ("webp cut", lambda: cut(hostile.plain("WEBP", (640, 480)), 0.5), INVALID),
    ("png without pixels", lambda: hostile.png_of(64, 64, pixels=b""), INVALID),
    ("png of junk", lambda: hostile.png_of(64, 64, pixels=bytes(range(256))), INVALID),
    ("png of one chunk", lambda: hostile.png(hostile.ihdr(64, 64)), INVALID),
    (
        "png of odd depth",
        lambda: hostile.png(hostile.ihdr(64, 64, depth=77), hostile.chunk(b"IDAT", b"")),
        INVALID,
    ),
    ("text bomb", lambda: hostile.png_of(64, 64, hostile.text_bomb()), INVALID),
    ("many text bombs", lambda: hostile.png_of(64, 64, *[hostile.text_bomb(2**20)] * 500), INVALID),
    ("profile bomb", lambda: hostile.png_of(64, 64, hostile.profile_bomb()), INVALID),
]


@pytest.mark.parametrize(
    ("build", "expected"), [pytest.param(build, kind, id=name) for name, build, kind in CORPUS]
)
def test_hostile_files_end_in_a_clear_error_and_cost_the_parent_nothing(
    build: Callable[[], bytes], expected: type[ServiceError]
) -> None:
    data = build()
    before = parent_bytes()

    with pytest.raises(expected) as caught:
        sanitize_reference(data)

    assert parent_bytes() - before < 24 * MEBIBYTE
    for language in ("en", "zh"):
        assert "{" not in caught.value.message(language)


def test_a_file_that_takes_too_long_is_stopped() -> None:
    data = hostile.slow_jpeg()
    before = children_seconds()

    with pytest.raises(InvalidImageError, match="too much time or memory"):
        sanitize_reference(data)

    assert children_seconds() - before < decode_child.CPU_SECONDS + 1.5


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (UnsupportedImageError(), "unsupported_image_type", 415),
        (ImageTooLargeError(found="1", limit="2"), "image_too_large", 413),
        (InvalidImageError(reason="x", reason_zh="x"), "invalid_image", 422),
    ],
)
def test_errors_have_the_codes_of_the_contract(error: ServiceError, code: str, status: int) -> None:
    assert (error.code, error.status, error.is_retryable) == (code, status, False)


def test_limits_can_be_set() -> None:
    data = hostile.plain("PNG", (200, 100))

    for limits in (
        ReferenceLimits(max_bytes=100),
        ReferenceLimits(max_pixels=19_999),
        ReferenceLimits(max_side=199),
    ):
        with pytest.raises(ImageTooLargeError):
            sanitize_reference(data, limits=limits)
    with pytest.raises(InvalidImageError, match="at least 101 pixels"):
        sanitize_reference(data, limits=ReferenceLimits(min_side=101))
    assert sanitize_reference(data, limits=ReferenceLimits(max_pixels=20_000)).width == 200


# The child


@pytest.fixture
def child_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def replace(text: str) -> None:
        path = tmp_path / "child.py"
        path.write_text(text)
        monkeypatch.setattr(references, "DECODE_CHILD", path)

    return replace


def test_a_child_that_never_answers_is_killed(
    child_script: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    child_script("import time; time.sleep(60)")
    monkeypatch.setattr(references, "DECODE_SECONDS", 0.3)

    with pytest.raises(InvalidImageError, match="too much time"):
        sanitize_reference(hostile.plain("PNG"))


def test_a_child_that_was_taken_over_cannot_flood_its_parent(
    child_script: Callable[[str], None],
) -> None:
    child_script(
        "import sys\nsys.stdin.buffer.read()\nwhile True: sys.stdout.buffer.write(bytes(2**20))"
    )
    before = parent_bytes()

    with pytest.raises(InvalidImageError):
        sanitize_reference(hostile.plain("PNG"), limits=ReferenceLimits(max_pixels=64 * 48))

    assert parent_bytes() - before < 24 * MEBIBYTE


def test_a_child_that_answers_nonsense_is_not_believed(
    child_script: Callable[[str], None],
) -> None:
    child_script("import sys; sys.stdin.buffer.read(); print('<svg>')")

    with pytest.raises(InvalidImageError):
        sanitize_reference(hostile.plain("PNG"))


def test_a_child_that_does_not_start_is_our_fault(
    child_script: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    child_script("import no_such_module")
    with pytest.raises(ServiceUnavailableError):
        sanitize_reference(hostile.plain("PNG", (2000, 2000), compress_level=0))

    monkeypatch.setattr("sys.executable", "/no/such/python")
    with pytest.raises(ServiceUnavailableError):
        sanitize_reference(hostile.plain("PNG"))


def test_the_child_sees_no_environment(
    child_script: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GEN_VIDEO_SECRET_KEY", "canary")
    child_script(f"import os; open({str(tmp_path / 'seen')!r}, 'w').write(repr(dict(os.environ)))")

    with pytest.raises(InvalidImageError):
        sanitize_reference(hostile.plain("PNG"))

    assert "canary" not in (tmp_path / "seen").read_text()


def test_both_sides_agree_on_the_exit_codes() -> None:
    assert references.UNDECODABLE == decode_child.UNDECODABLE
    assert references.TOO_HEAVY == decode_child.TOO_HEAVY


def test_children_wait_for_each_other(child_script: Callable[[str], None], tmp_path: Path) -> None:
    """Eight at once would take eight gibibytes."""
    child_script(
        "import os, pathlib, sys, time\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "mine = folder / f'{os.getpid()}.running'\n"
        "mine.touch()\n"
        "time.sleep(0.1)\n"
        "count = len(list(folder.glob('*.running')))\n"
        "(folder / f'{os.getpid()}.seen').write_text(str(count))\n"
        "mine.unlink()\n"
        "sys.exit(65)\n"
    )

    def send(_number: int) -> None:
        with pytest.raises(InvalidImageError):
            sanitize_reference(hostile.plain("PNG"))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(send, range(6)))

    seen = [int(path.read_text()) for path in tmp_path.glob("*.seen")]
    assert len(seen) == 6
    assert max(seen) <= references.DECODERS


def traces() -> tuple[int, int, int]:
    """Return how many descriptors, threads and children this process has."""
    descriptors = len(list(Path("/dev/fd").iterdir()))
    return descriptors, threading.active_count(), len(psutil.Process().children())


def test_nothing_is_left_open_or_running() -> None:
    before = traces()

    for data in (hostile.plain("PNG"), cut(hostile.plain("JPEG"), 0.6), b"junk"):
        try:
            sanitize_reference(data)
        except ServiceError:
            continue

    assert traces() == before


def test_the_parent_has_no_decoder_in_it() -> None:
    script = "import sys, gen_video.media.references; sys.exit('PIL' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_results_have_a_header_that_we_read_ourselves() -> None:
    assert read_header(sanitize_reference(hostile.plain("WEBP")).png) is not None
