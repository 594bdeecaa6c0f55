"""Stills: one poster and one strip, whatever the length and the shape of the video."""

import io

import pytest
from PIL import Image

from gen_video.media.joins import faded_frames
from gen_video.media.stills import Still, Stills, poster_place, small_size, strip_places


def grey(value: int, width: int, height: int) -> bytes:
    return bytes([value]) * (width * height * 3)


def look(still: Still) -> Image.Image:
    """Decode a still and check that it says its own size."""
    with Image.open(io.BytesIO(still.jpeg), formats=["JPEG"]) as image:
        image.load()
        assert image.size == (still.width, still.height)
        return image.convert("L")


def watch(total: int, width: int, height: int) -> Stills:
    """Show frames that grow brighter."""
    stills = Stills(width=width, height=height, total=total)
    for index in range(total):
        stills.see(index, grey(255 * index // total, width, height))
    return stills


@pytest.mark.parametrize("total", [1, 2, 3, 9, 10, 11, 81, 4000])
def test_stills_of_any_length(total: int) -> None:
    stills = watch(total, 32, 16)

    poster, strip = look(stills.poster()), look(stills.strip())

    count = min(10, total)
    assert poster.size == (32, 16)
    assert poster.getpixel((5, 5)) == pytest.approx(255 * (total // 3) // total, abs=3)
    assert strip.size == (32 * count, 16)
    seen = [strip.getpixel((32 * place + 16, 8)) for place in range(count)]
    assert seen == pytest.approx([255 * index // total for index in strip_places(total)], abs=4)


@pytest.mark.parametrize(
    ("width", "height", "small"),
    [
        (16, 16, (16, 16)),
        (160, 90, (160, 90)),
        (832, 480, (160, 92)),
        (1280, 720, (160, 90)),
        (480, 832, (160, 277)),
        (4096, 16, (160, 1)),
    ],
)
def test_thumbnails_keep_their_shape(width: int, height: int, small: tuple[int, int]) -> None:
    stills = watch(3, width, height)

    strip = stills.strip()

    assert small_size(width, height) == small
    assert (strip.width, strip.height) == (3 * small[0], small[1])
    assert look(stills.poster()).size == (width, height)


@pytest.mark.parametrize(
    ("total", "places"),
    [
        (1, [0]),
        (2, [0, 1]),
        (10, list(range(10))),
        (20, list(range(1, 20, 2))),
        (4000, list(range(200, 4000, 400))),
    ],
)
def test_the_strip_is_evenly_spaced(total: int, places: list[int]) -> None:
    assert strip_places(total) == places


@pytest.mark.parametrize("total", range(1, 60))
def test_the_strip_never_shows_a_frame_twice_or_one_that_is_not_there(total: int) -> None:
    places = strip_places(total)

    assert places == sorted(set(places))
    assert len(places) == min(10, total)
    assert set(places) <= set(range(total))


@pytest.mark.parametrize(
    ("total", "faded", "place"),
    [
        (1, set(), 0),
        (2, set(), 0),
        (81, set(), 27),
        (81, {27}, 26),
        (81, {25, 26, 27}, 28),
        (1, {0}, 0),
        (3, {0, 1, 2}, 1),
    ],
)
def test_the_poster_is_at_a_third_but_never_faded(total: int, faded: set[int], place: int) -> None:
    assert poster_place(total, faded) == place


def test_the_poster_of_a_film_of_three_scenes_shows_one_of_them() -> None:
    """Scenes of equal length would otherwise meet exactly there."""
    faded = faded_frames([81, 81, 81], 8)
    total = 227
    stills = Stills(width=16, height=16, total=total, faded=faded)

    for index in range(total):
        stills.see(index, grey(200 if index in faded else 20, 16, 16))

    assert total // 3 in faded
    assert look(stills.poster()).getpixel((8, 8)) == pytest.approx(20, abs=3)


def test_colours_survive() -> None:
    stills = Stills(width=64, height=32, total=1)

    stills.see(0, bytes([255, 0, 0]) * (64 * 32))

    for still in (stills.poster(), stills.strip()):
        with Image.open(io.BytesIO(still.jpeg)) as image:
            assert image.convert("RGB").getpixel((20, 20)) == pytest.approx((255, 0, 0), abs=4)


def test_only_the_frames_that_are_needed_are_kept() -> None:
    stills = Stills(width=16, height=16, total=4000)

    for index in range(4000):
        stills.see(index, grey(index % 256, 16, 16))

    assert len(stills._thumbnails) == 10


def test_stills_of_frames_that_never_came_are_refused() -> None:
    stills = Stills(width=16, height=16, total=30)
    stills.see(0, grey(1, 16, 16))

    with pytest.raises(ValueError, match="frame 10, the poster, has not been seen"):
        stills.poster()
    with pytest.raises(ValueError, match="of the strip have not been seen"):
        stills.strip()


@pytest.mark.parametrize("size", [0, 16 * 16 * 3 - 1, 16 * 16 * 3 * 2])
def test_a_frame_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="16x16 pixels"):
        Stills(width=16, height=16, total=1).see(0, bytes(size))


@pytest.mark.parametrize(("width", "height", "total"), [(0, 16, 1), (16, 0, 1), (16, 16, 0)])
def test_a_video_of_nothing_has_no_stills(width: int, height: int, total: int) -> None:
    with pytest.raises(ValueError, match="no stills"):
        Stills(width=width, height=height, total=total)
