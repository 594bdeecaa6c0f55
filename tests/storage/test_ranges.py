"""Byte ranges: which part of a file a header asks for."""

import pytest

from gen_video.storage.ranges import Part, find_part, is_range

SIZE = 10


@pytest.mark.parametrize(
    ("text", "start", "length"),
    [
        *[("bytes=0-0", 0, 1), ("bytes=0-9", 0, 10), ("bytes=3-", 3, 7), ("bytes=3-99", 3, 7)],
        *[("bytes=-1", 9, 1), ("bytes=-10", 0, 10), ("bytes=-11", 0, 10), ("bytes= 2-3", 2, 2)],
    ],
)
def test_one_range_is_a_part(text: str, start: int, length: int) -> None:
    assert find_part(text, size_bytes=SIZE) == Part(start=start, length=length)


@pytest.mark.parametrize("text", ["bytes=10-", "bytes=10-12", "bytes=-0", f"bytes={'9' * 18}-"])
def test_a_range_behind_the_end_has_nothing(text: str) -> None:
    part = find_part(text, size_bytes=SIZE)

    assert part is not None
    assert part.length == 0


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-2", "bytes=1-2-3"),
        *("lines=0-1", "bytes=0-1,3-4", f"bytes={'9' * 19}-", "bytes=\uff10-1", "bytes=0x0-1"),
        "bytes=+0-1",
    ],
)
def test_all_else_is_the_whole(text: str | None) -> None:
    assert find_part(text, size_bytes=SIZE) is None


def test_an_empty_file_has_no_parts() -> None:
    for text in ("bytes=0-", "bytes=0-0", "bytes=-1"):
        part = find_part(text, size_bytes=0)
        assert part is not None
        assert part.length == 0


@pytest.mark.parametrize("text", ["bytes=0-1, 3-4", "bytes=0-,-5"])
def test_several_ranges_are_ranges(text: str) -> None:
    assert is_range(text)
