"""Archives: the files of several jobs as one ZIP, made while it is sent.

Pictures and videos are packed already, so they are stored as they are. Never more than a chunk of
one file is in memory; how much an archive may hold is known before its first byte.
"""

import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import RawIOBase

from typing_extensions import override

from gen_video.errors import ServiceError
from gen_video.generation.models import Artifact, Job

MAX_JOBS = 200
MAX_BYTES = 2 * 2**30
GIBIBYTE = 2**30
FIRST_YEAR = 1980
"""ZIP knows no earlier one."""
ReadFile = Callable[[str], Iterator[bytes]]


class NothingToPackError(ServiceError):
    """None of the chosen jobs has a file."""

    code = "nothing_to_download"
    status = 422
    message_en = "None of these has a file to download. Choose finished pictures or videos."
    message_zh = "所选任务没有可下载的文件，请选择已完成的图像或视频。"


class ArchiveTooLargeError(ServiceError):
    """The chosen files are more than one archive may hold."""

    code = "archive_too_large"
    status = 422
    message_en = (
        "These files are {found} GiB together; at most {limit} GiB go into one archive. "
        "Choose fewer."
    )
    message_zh = "所选文件共 {found} GiB，单个压缩包最多 {limit} GiB，请减少选择。"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveEntry:
    """A file of an archive: its name there, and where it lies."""

    name: str
    storage_key: str
    made_at: datetime


def list_entries(jobs: Sequence[Job]) -> tuple[ArchiveEntry, ...]:
    """Return the files that were asked for and are still there.

    Raises:
        NothingToPackError: There is none.
        ArchiveTooLargeError: There are too many bytes.
    """
    files = [file for job in jobs for file in job.outputs if file.state == "live"]
    if not files:
        raise NothingToPackError
    size_bytes = sum(file.size_bytes for file in files)
    if size_bytes > MAX_BYTES:
        raise ArchiveTooLargeError(
            found=f"{size_bytes / GIBIBYTE:.1f}", limit=f"{MAX_BYTES / GIBIBYTE:g}"
        )
    return tuple(_entry(file) for file in files)


def pack(entries: Sequence[ArchiveEntry], read: ReadFile) -> Iterator[bytes]:
    """Yield a ZIP archive of some files.

    Args:
        entries: In order, each name once.
        read: Yields the bytes of a stored file.

    Raises:
        ServiceError: A file cannot be read; what was yielded is no whole archive.
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for entry in entries:
            with archive.open(_header(entry), "w", force_zip64=True) as file:
                for chunk in read(entry.storage_key):
                    file.write(chunk)
                    yield sink.take()
        # The directory at the end is written when the archive is closed.
    yield sink.take()


def _entry(file: Artifact) -> ArchiveEntry:
    return ArchiveEntry(
        name=file.public_name.rpartition("/")[2],
        storage_key=file.storage_key,
        made_at=file.created_at,
    )


def _header(entry: ArchiveEntry) -> zipfile.ZipInfo:
    moment = entry.made_at
    year = max(FIRST_YEAR, moment.year)
    stamp = (year, moment.month, moment.day, moment.hour, moment.minute, moment.second)
    return zipfile.ZipInfo(entry.name, date_time=stamp)


class _Sink(RawIOBase):
    """Takes what is written until somebody fetches it; cannot go back."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    @override
    def writable(self) -> bool:
        return True

    @override
    def write(self, data: bytes, /) -> int:  # type: ignore[override] # all that zipfile writes
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        """Return what was written since the last time."""
        found = b"".join(self._parts)
        self._parts.clear()
        return found
