"""Pictures: what is encoded carries its parameters, and can be decoded again."""

import contextlib
import io
import json
import random
import time

import pytest
from PIL import ExifTags, Image, PngImagePlugin

from gen_video.media.parameters import USER_COMMENT
from gen_video.media.pictures import (
    BrokenPictureError,
    PictureFormat,
    encode_picture,
    read_parameters,
    verify_picture,
)

WIDTH, HEIGHT = 64, 48
PARAMETERS = {
    "prompt": '一个美丽的风景，日落 🌄 <b>&"quotes"</b>\nsecond line',
    "negative_prompt": "blurry, low quality",
    "model": "mini",
    "seed": "42",
    "num_inference_steps": "40",
    "guidance_scale": "7.5",
    "width": "64",
    "height": "48",
    "task_id": "job_0123456789abcdefghijAB",
    "software": "gen_video 0.1.0",
}
ALL_FORMATS = pytest.mark.parametrize("picture_format", list(PictureFormat))


def gradient(width: int = WIDTH, height: int = HEIGHT) -> bytes:
    red = Image.linear_gradient("L").resize((width, height))
    return Image.merge("RGB", (red, red.transpose(Image.Transpose.ROTATE_180), red)).tobytes()


def encode(
    picture_format: PictureFormat, parameters: dict[str, str] | None = None, **more: int
) -> bytes:
    return encode_picture(
        gradient(),
        width=WIDTH,
        height=HEIGHT,
        picture_format=picture_format,
        parameters=PARAMETERS if parameters is None else parameters,
        **more,
    )


def verify(data: bytes, picture_format: PictureFormat) -> None:
    verify_picture(data, width=WIDTH, height=HEIGHT, picture_format=picture_format)


@pytest.mark.parametrize(
    ("picture_format", "mime", "extension"),
    [
        (PictureFormat.PNG, "image/png", "png"),
        (PictureFormat.JPEG, "image/jpeg", "jpg"),
        (PictureFormat.WEBP, "image/webp", "webp"),
    ],
)
def test_formats_know_their_names(picture_format: PictureFormat, mime: str, extension: str) -> None:
    assert picture_format.mime == mime
    assert picture_format.extension == extension
    with Image.open(io.BytesIO(encode(picture_format))) as image:
        assert image.get_format_mimetype() == mime


@ALL_FORMATS
def test_a_picture_carries_its_parameters(picture_format: PictureFormat) -> None:
    data = encode(picture_format)

    verify(data, picture_format)
    assert read_parameters(data) == PARAMETERS


def test_png_keeps_every_pixel() -> None:
    with Image.open(io.BytesIO(encode(PictureFormat.PNG))) as image:
        assert image.mode == "RGB"
        assert image.tobytes() == gradient()


@pytest.mark.parametrize("picture_format", [PictureFormat.JPEG, PictureFormat.WEBP])
def test_quality_costs_bytes(picture_format: PictureFormat) -> None:
    sizes = [len(encode(picture_format, {}, quality=quality)) for quality in (20, 100)]

    assert sizes[0] < sizes[1]


def test_other_tools_find_the_customary_text_in_png() -> None:
    with Image.open(io.BytesIO(encode(PictureFormat.PNG))) as image:
        image.load()
        text, ours = image.info["parameters"], image.info["gen_video"]

    assert text == (
        f"{PARAMETERS['prompt']}\n"
        "Negative prompt: blurry, low quality\n"
        "Steps: 40, CFG scale: 7.5, Seed: 42, Size: 64x48, Model: mini,"
        " Version: gen_video 0.1.0, task_id: job_0123456789abcdefghijAB"
    )
    assert json.loads(ours) == PARAMETERS


@pytest.mark.parametrize("picture_format", [PictureFormat.JPEG, PictureFormat.WEBP])
def test_other_tools_find_the_customary_text_in_exif(picture_format: PictureFormat) -> None:
    with Image.open(io.BytesIO(encode(picture_format))) as image:
        comment = image.getexif().get_ifd(ExifTags.IFD.Exif)[USER_COMMENT]

    assert comment.startswith(b"UNICODE\x00")
    assert comment[8:].decode("utf-16-be").startswith("一个美丽的风景，日落 🌄")
    assert "Steps: 40" in comment[8:].decode("utf-16-be")


@ALL_FORMATS
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"prompt": ""},
        {"prompt": "]]> --> <!DOCTYPE x> &lt; \u2028\ufeff"},
        {"model": "a, b: c", "seed": "1"},
        {"prompt": "x" * 20_000},
    ],
)
def test_odd_parameters_come_back_as_they_were(
    picture_format: PictureFormat, parameters: dict[str, str]
) -> None:
    assert read_parameters(encode(picture_format, parameters)) == parameters


@ALL_FORMATS
@pytest.mark.parametrize("prompt", ["nul\x00 and \x1b[2J", "lone \ud800 surrogate", "\uffff"])
def test_characters_that_files_cannot_hold_do_not_break_them(
    picture_format: PictureFormat, prompt: str
) -> None:
    data = encode(picture_format, {"prompt": prompt, "seed": "7"})

    verify(data, picture_format)
    assert read_parameters(data)["seed"] == "7"


@ALL_FORMATS
def test_endless_parameters_are_shortened_where_the_format_has_no_room(
    picture_format: PictureFormat,
) -> None:
    parameters = {"prompt": "风" * 100_000, "negative_prompt": "景" * 100_000, "seed": "7"}

    data = encode(picture_format, parameters)

    verify(data, picture_format)
    found = read_parameters(data)
    assert found["seed"] == "7"
    assert found["prompt"].startswith("风" * 1000)
    if picture_format is PictureFormat.PNG:
        assert found == parameters


@ALL_FORMATS
def test_files_of_others_have_no_parameters(picture_format: PictureFormat) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, picture_format.value)

    assert read_parameters(buffer.getvalue()) == {}


@pytest.mark.parametrize(
    "packet", [b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>", b"<broken", b"\xff", b"<x/>"]
)
def test_hostile_metadata_is_not_believed(packet: bytes) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", xmp=packet)

    assert read_parameters(buffer.getvalue()) == {}


@pytest.mark.parametrize("text", ["[1]", "{", "null", '{"a": 1}'])
def test_strange_json_is_not_believed(text: str) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("gen_video", text)
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG", pnginfo=info)

    assert read_parameters(buffer.getvalue()) == {}


@pytest.mark.parametrize(
    ("size", "width", "height"),
    [(WIDTH * HEIGHT * 3 - 1, WIDTH, HEIGHT), (0, WIDTH, HEIGHT), (0, 0, 0), (12, -2, -2)],
)
@ALL_FORMATS
def test_the_wrong_number_of_pixels_is_refused(
    picture_format: PictureFormat, size: int, width: int, height: int
) -> None:
    with pytest.raises(BrokenPictureError, match="pixels"):
        encode_picture(
            bytes(size), width=width, height=height, picture_format=picture_format, parameters={}
        )


def test_a_size_that_the_format_cannot_hold_is_refused() -> None:
    with pytest.raises(BrokenPictureError):
        encode_picture(
            bytes(20_000 * 3),
            width=20_000,
            height=1,
            picture_format=PictureFormat.WEBP,
            parameters={},
        )


@ALL_FORMATS
def test_a_truncated_file_does_not_pass(picture_format: PictureFormat) -> None:
    data = encode(picture_format)

    for length in {0, 1, 20, len(data) // 2, len(data) - len(data) // 10}:
        with pytest.raises(BrokenPictureError):
            verify(data[:length], picture_format)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@ALL_FORMATS
def test_a_damaged_file_passes_or_is_refused_but_never_breaks_the_check(
    picture_format: PictureFormat,
) -> None:
    data = encode(picture_format)
    chance = random.Random(7)  # noqa: S311 - no secret

    for _ in range(150):
        damaged = bytearray(data)
        for _ in range(5):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        with contextlib.suppress(BrokenPictureError):
            verify(bytes(damaged), picture_format)


def test_a_broken_picture_is_worth_another_attempt() -> None:
    error = BrokenPictureError("cut")

    assert (error.code, error.is_retryable) == ("generation_failed", True)
    assert "cut" in error.message("zh")


def test_another_size_or_format_does_not_pass() -> None:
    data = encode(PictureFormat.PNG)

    with pytest.raises(BrokenPictureError, match="64x48 pixels, not 64x64"):
        verify_picture(data, width=64, height=64, picture_format=PictureFormat.PNG)
    with pytest.raises(BrokenPictureError):
        verify(data, PictureFormat.JPEG)


def test_encoding_a_large_png_is_fast() -> None:
    """About 55 ms on a free core; the bound leaves room for a busy machine."""
    noise = Image.effect_noise((1024, 1024), 8).convert("RGB").tobytes()
    seconds = []

    for _ in range(3):
        started = time.process_time()
        encode_picture(
            noise, width=1024, height=1024, picture_format=PictureFormat.PNG, parameters=PARAMETERS
        )
        seconds.append(time.process_time() - started)

    assert min(seconds) < 0.25  # seconds of processor time
