"""Archives: whole ZIP files that are made while they are sent, and bounded."""

import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace

import pytest

from gen_video.console import archives
from gen_video.console.archives import (
    ArchiveTooLargeError,
    NothingToPackError,
    list_entries,
    pack,
)
from gen_video.generation.models import Job
from tests.console.jobs import DRAWING, artifact_of, job_of

FILES = {
    "objects/job_1/0": [b"first ", b"picture"],
    "objects/job_1/1": [],
    "objects/job_2/0": [b"2"],
}


def read(storage_key: str) -> Iterator[bytes]:
    yield from FILES[storage_key]


def job_with_files(job_id: str, count: int, **changes: object) -> Job:
    job = job_of(replace(DRAWING, n=count), job_id=job_id)
    files = tuple(artifact_of(job, position=place, **changes) for place in range(count))
    return replace(job, files=files)


def test_an_archive_holds_every_file_as_it_is() -> None:
    entries = list_entries([job_with_files("job_1", 2), job_with_files("job_2", 1)])

    data = b"".join(pack(entries, read))

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "job_1_1.png": b"first picture",
            "job_1_2.png": b"",
            "job_2_1.png": b"2",
        }
        assert archive.infolist()[0].date_time == (2026, 3, 10, 8, 0, 0)


def test_no_more_than_a_chunk_is_held() -> None:
    """A file of many chunks leaves as many, each before the next one is read."""
    asked: list[int] = []

    def read_slowly(_key: str) -> Iterator[bytes]:
        for number in range(50):
            asked.append(number)
            yield bytes(1000)

    parts = pack(list_entries([job_with_files("job_1", 1)]), read_slowly)

    assert len(next(parts)) < 1200
    assert asked == [0]
    assert max(map(len, parts)) < 1200


@pytest.mark.parametrize("state", ["deleted", "expired"])
def test_files_that_are_gone_are_left_out(state: str) -> None:
    gone = job_with_files("job_1", 1, state=state)

    assert [entry.name for entry in list_entries([gone, job_with_files("job_2", 1)])] == [
        "job_2_1.png"
    ]
    with pytest.raises(NothingToPackError):
        list_entries([gone])


def test_more_than_an_archive_may_hold_is_refused_before_anything_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(archives, "MAX_BYTES", 20)

    assert len(list_entries([job_with_files("job_1", 2)])) == 2
    with pytest.raises(ArchiveTooLargeError):
        list_entries([job_with_files("job_1", 3)])
