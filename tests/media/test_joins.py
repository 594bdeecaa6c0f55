"""Joins: a film is exactly its scenes, cut or cross-faded, however they arrive."""

import random

import pytest

from gen_video.media.joins import SceneJoiner, blend, faded_frames, joined_frames

FRAME_BYTES = 6


def scene(value: int, count: int) -> list[bytes]:
    """Return frames that tell their scene and their place."""
    return [bytes([value, place, 0, 255, value, place]) for place in range(count)]


def join(scenes: list[list[bytes]], *, overlap: int, chunk: int = 10**6) -> list[bytes]:
    joiner = SceneJoiner(frame_bytes=FRAME_BYTES, overlap=overlap)
    joined: list[bytes] = []
    for frames in scenes:
        for start in range(0, len(frames), chunk):
            joined += joiner.add(b"".join(frames[start : start + chunk]))
        joiner.end_scene()
    return joined + joiner.finish()


@pytest.mark.parametrize("counts", [[1], [5], [1, 1], [3, 1, 4]])
def test_a_cut_changes_nothing(counts: list[int]) -> None:
    scenes = [scene(number, count) for number, count in enumerate(counts)]

    assert join(scenes, overlap=0) == [frame for frames in scenes for frame in frames]


@pytest.mark.parametrize(
    ("counts", "overlap", "total"),
    [
        ([1], 0, 1),
        ([7], 5, 7),
        ([1, 1], 0, 2),
        ([1, 1], 1, 1),
        ([4, 4], 4, 4),
        ([10, 10], 3, 17),
        ([3, 6, 3], 3, 6),
        ([81, 81, 81, 81], 8, 300),
    ],
)
@pytest.mark.parametrize("chunk", [1, 2, 7, 1000])
def test_the_total_is_known_before(counts: list[int], overlap: int, total: int, chunk: int) -> None:
    scenes = [scene(number, count) for number, count in enumerate(counts)]

    assert joined_frames(counts, overlap) == total
    assert len(join(scenes, overlap=overlap, chunk=chunk)) == total


def test_scenes_fade_into_each_other_evenly() -> None:
    black, white = [bytes(FRAME_BYTES)] * 6, [bytes([255]) * FRAME_BYTES] * 6

    joined = join([black, white], overlap=4)

    assert [frame[0] for frame in joined] == [0, 0, 51, 102, 153, 204, 255, 255]
    assert all(len(set(frame)) == 1 for frame in joined)


def test_the_frames_that_meet_are_the_last_and_the_first() -> None:
    first, second = scene(0, 5), scene(240, 5)

    joined = join([first, second], overlap=2)

    assert joined[:3] == first[:3]
    assert joined[3] == blend(first[3], second[0], step=1, overlap=2)
    assert joined[4] == blend(first[4], second[1], step=2, overlap=2)
    assert joined[5:] == second[2:]


@pytest.mark.parametrize("value", [0, 1, 127, 254, 255])
@pytest.mark.parametrize("overlap", [1, 2, 12, 500])
def test_what_does_not_change_does_not_flicker(value: int, overlap: int) -> None:
    frame = bytes([value]) * FRAME_BYTES

    assert {blend(frame, frame, step=step, overlap=overlap) for step in (1, overlap)} == {frame}


@pytest.mark.parametrize("overlap", [0, 1, 3, 8])
def test_chunks_make_no_difference(overlap: int) -> None:
    chance = random.Random(5)  # noqa: S311 - no secret
    scenes = [[chance.randbytes(FRAME_BYTES) for _ in range(count)] for count in (20, 17, 16, 30)]
    whole = join(scenes, overlap=overlap)

    for chunk in (1, 2, 3, 5, 8, 13):
        assert join(scenes, overlap=overlap, chunk=chunk) == whole


def test_no_more_than_the_overlap_is_held_back() -> None:
    joiner = SceneJoiner(frame_bytes=FRAME_BYTES, overlap=3)
    given, taken = 0, 0

    for number, count in enumerate((10, 8, 9)):
        for frame in scene(number, count):
            taken += 1
            given += len(joiner.add(frame))
            faded = 3 * number  # two frames went in for each of these
            assert taken - given - faded <= 3
        joiner.end_scene()

    assert len(joiner.finish()) == 3


@pytest.mark.parametrize(
    ("counts", "overlap", "message"),
    [
        ([], 0, "no scenes"),
        ([0], 0, "scene 1 has 0 frames, its overlaps need at least 1"),
        ([5, 0], 0, "scene 2 has 0 frames"),
        ([2, 9], 3, "scene 1 has 2 frames, its overlaps need at least 3"),
        ([9, 5, 9], 3, "scene 2 has 5 frames, its overlaps need at least 6"),
        ([9, 2], 3, "scene 2 has 2 frames, its overlaps need at least 3"),
        ([9, 9], -1, "not -1"),
    ],
)
def test_scenes_that_are_too_short_are_told_before(
    counts: list[int], overlap: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        joined_frames(counts, overlap)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([2, 9], "scene 1 has 2 frames, its overlaps need at least 3"),
        ([9, 5, 9], "scene 2 has 5 frames, its overlaps need at least 6"),
        ([9, 2], "scene 2 has 2 frames, its overlaps need at least 3"),
        ([9, 2, 9], "scene 2 has 2 frames, its overlaps need at least 3"),
    ],
)
@pytest.mark.parametrize("chunk", [1, 1000])
def test_scenes_that_turn_out_too_short_are_refused(
    counts: list[int], message: str, chunk: int
) -> None:
    scenes = [scene(number, count) for number, count in enumerate(counts)]

    with pytest.raises(ValueError, match=message):
        join(scenes, overlap=3, chunk=chunk)


def test_the_last_scene_may_be_left_open() -> None:
    joiner = SceneJoiner(frame_bytes=FRAME_BYTES, overlap=2)

    joined = joiner.add(b"".join(scene(1, 4)))

    assert joined + joiner.finish() == scene(1, 4)


def test_nothing_joins_to_nothing() -> None:
    joiner = SceneJoiner(frame_bytes=FRAME_BYTES)

    with pytest.raises(ValueError, match="scene 1 has no frames"):
        joiner.finish()
    with pytest.raises(ValueError, match="scene 1 has no frames"):
        joiner.end_scene()


@pytest.mark.parametrize("size", [0, 1, FRAME_BYTES - 1, FRAME_BYTES + 1])
def test_parts_of_frames_are_refused(size: int) -> None:
    joiner = SceneJoiner(frame_bytes=FRAME_BYTES)

    with pytest.raises(ValueError, match="not whole frames"):
        joiner.add(bytes(size))


@pytest.mark.parametrize(("frame_bytes", "overlap"), [(0, 0), (6, -1)])
def test_joiners_that_make_no_sense_are_refused(frame_bytes: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="not"):
        SceneJoiner(frame_bytes=frame_bytes, overlap=overlap)


@pytest.mark.parametrize(
    ("counts", "overlap", "faded"),
    [
        ([5], 2, set()),
        ([5, 5], 0, set()),
        ([5, 5], 2, {3, 4}),
        ([5, 4, 5], 2, {3, 4, 5, 6}),
        ([10, 10, 10], 1, {9, 18}),
    ],
)
def test_faded_frames_are_those_of_two_scenes(
    counts: list[int], overlap: int, faded: set[int]
) -> None:
    scenes = [[bytes([number * 90]) * FRAME_BYTES] * n for number, n in enumerate(counts)]

    joined = join(scenes, overlap=overlap)

    assert faded_frames(counts, overlap) == faded
    assert {place for place, frame in enumerate(joined) if frame[0] % 90} == faded
