"""At which size a model samples, and how a reference is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gen_video.engines.sizes import Size, choose_sampling_size, cover_box

NATIVE = ((1024, 1024), (1024, 768), (768, 1024), (1024, 576), (576, 1024))
SIZES = st.tuples(st.integers(1, 5000), st.integers(1, 5000))


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ((512, 512), (1024, 1024)),
        ((640, 480), (1024, 768)),
        ((480, 640), (768, 1024)),
        ((1920, 1080), (1024, 576)),
        ((1000, 300), (1024, 576)),
        ((300, 1000), (576, 1024)),
        ((1024, 1000), (1024, 1024)),
    ],
)
def test_the_nearest_shape_is_chosen(wanted: Size, chosen: Size) -> None:
    assert choose_sampling_size(wanted, NATIVE) == chosen


def test_among_equal_shapes_the_nearest_area_is_chosen() -> None:
    squares = ((256, 256), (512, 512), (1024, 1024))

    assert choose_sampling_size((500, 500), squares) == (512, 512)
    assert choose_sampling_size((2000, 2000), squares) == (1024, 1024)
    assert choose_sampling_size((64, 64), squares) == (256, 256)


def test_without_native_sizes_the_wanted_one_is_sampled() -> None:
    assert choose_sampling_size((640, 360), ()) == (640, 360)


@pytest.mark.parametrize(
    ("source", "target", "box"),
    [
        ((100, 100), (50, 50), (0, 0, 100, 100)),
        ((200, 100), (50, 50), (50, 0, 150, 100)),
        ((100, 200), (50, 50), (0, 50, 100, 150)),
        ((10, 10), (1000, 500), (0, 2, 10, 7)),
        ((1, 1), (1000, 10), (0, 0, 1, 1)),
    ],
)
def test_the_middle_of_a_picture_is_kept(
    source: Size, target: Size, box: tuple[int, int, int, int]
) -> None:
    assert cover_box(source, target) == box


@given(source=SIZES, target=SIZES)
def test_a_box_lies_within_its_picture_and_has_an_area(source: Size, target: Size) -> None:
    left, top, right, bottom = cover_box(source, target)

    assert 0 <= left < right <= source[0]
    assert 0 <= top < bottom <= source[1]


@given(source=SIZES, target=SIZES)
def test_a_box_touches_two_borders(source: Size, target: Size) -> None:
    left, top, right, bottom = cover_box(source, target)

    assert (left, right) == (0, source[0]) or (top, bottom) == (0, source[1])
