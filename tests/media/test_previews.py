"""Previews as files: small, whatever they show."""

import io
import os

from PIL import Image

from gen_video.media.previews import MAX_BYTES, encode_preview


def test_a_preview_is_a_small_jpeg_of_the_same_size_and_colour() -> None:
    small = encode_preview(bytes((200, 30, 60)) * (256 * 144), width=256, height=144)

    with Image.open(io.BytesIO(small.data)) as image:
        assert (image.format, image.size, small.mime) == ("JPEG", (256, 144), "image/jpeg")
        red, green, blue = image.convert("RGB").getpixel((100, 100))  # type: ignore[misc]  # of RGB
        assert (red > 180, green < 50, blue < 80) == (True, True, True)


def test_even_pure_noise_stays_within_the_bound() -> None:
    small = encode_preview(os.urandom(256 * 256 * 3), width=256, height=256)

    assert len(small.data) <= MAX_BYTES
