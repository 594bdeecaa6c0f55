"""Metric files: counters that many processes share through a folder.

Each process writes its own two files, mapped into memory; whoever is asked for `/metrics` adds up
all files. The room of a file is reserved when it is opened and never grows: writing into a mapped
file for which a full disk has no block left would kill the process with SIGBUS.

prometheus_client brings the same, but takes its folder from an environment variable when it is
first imported, and lets files grow. Only its file format and its merging are used here.
"""

import errno
import fcntl
import os
import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from prometheus_client import Metric
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector

FILE_BYTES = 2**20
"""Room for about 4,000 series; a histogram of 14 buckets takes 16 of them."""
ENTRY_OVERHEAD_BYTES = 32
KINDS = ("counter", "histogram")
ENDED = "ended"
"""Stands in a file's name for all processes that have ended."""

NO_RESERVING = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})
_FILE = re.compile(rf"(?:{'|'.join(KINDS)})_(?:[0-9]+|{ENDED})\.db")
_LEFTOVER = re.compile(r"(?:counter|histogram|gauge|summary)_[0-9a-z_]+\.db(?:\.new)?")
_DAMAGE = (RuntimeError, ValueError, struct.error, OSError)


def prepare_metrics_folder(folder: Path) -> None:
    """Start with an empty shared folder; called once, before the processes of a service start.

    Removes metric files only, whatever else lies there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if _LEFTOVER.fullmatch(path.name):
            path.unlink(missing_ok=True)


class MetricFile:
    """The values of one kind of metric of one process. Safe for threads, not for forks.

    Raises:
        OSError: There is no room for it, or the folder cannot be written.
    """

    def __init__(self, folder: Path, *, kind: str, owner: str) -> None:
        path = folder / f"{kind}_{owner}.db"
        folder.mkdir(parents=True, exist_ok=True)
        _reserve(path, FILE_BYTES)
        self._lock = Lock()
        self._values = MmapedDict(str(path))  # type: ignore[no-untyped-call]  # library has no types
        self._known = {key for key, _, _ in self._values.read_all_values()}  # type: ignore[no-untyped-call]  # library has no types
        self._room_bytes = FILE_BYTES - sum(_entry_bytes(key) for key in self._known)

    def add(self, key: str, amount: float) -> None:
        """Add to a value; a new one for which there is no room is not kept."""
        with self._lock:
            if key in self._known or self._take_room(key):
                value, _ = self._values.read_value(key)  # type: ignore[no-untyped-call]  # library has no types
                self._values.write_value(key, value + amount, 0.0)  # type: ignore[no-untyped-call]  # library has no types

    def _take_room(self, key: str) -> bool:
        needed = _entry_bytes(key)
        if needed > self._room_bytes:
            return False
        self._room_bytes -= needed
        self._known.add(key)
        return True


def file_value_class(folder: Path, *, owner: int) -> type:
    """Return a class of metric values in the files of one process, as the library expects it.

    Raises:
        OSError: There is no room for the files, or the folder cannot be written.
    """
    files = {kind: MetricFile(folder, kind=kind, owner=str(owner)) for kind in KINDS}

    class FileValue:
        """A value of a metric; made by the library for each series."""

        def __init__(self, kind: str, *series: Any, **_more: object) -> None:  # noqa: ANN401 - handed on to the library as it comes
            self._file = files[kind]
            self._key = mmap_key(*series)
            self.inc(0.0)

        def inc(self, amount: float) -> None:
            """Add to the value."""
            self._file.add(self._key, amount)

    return FileValue


def mark_process_dead(folder: Path, pid: int) -> None:
    """Add the counts of a process that has ended to those of all ended ones; drop its files.

    Counters must never fall, so the counts stay; yet a process that is restarted again and again
    leaves no more than two files. Does nothing while the disk has no room for it.
    """
    if not folder.is_dir():
        return
    with _locked(folder, fcntl.LOCK_EX):
        for kind in KINDS:
            source = folder / f"{kind}_{pid}.db"
            if source.exists():
                _fold(source, into=folder / f"{kind}_{ENDED}.db")


def read_folder(folder: Path) -> Iterable[Metric]:
    """Return the sum of all processes; a file that a crash has damaged is left out."""
    if not folder.is_dir():
        return []
    with _locked(folder, fcntl.LOCK_SH):
        paths = sorted(path for path in folder.iterdir() if _FILE.fullmatch(path.name))
        try:
            return _merge(paths)
        except _DAMAGE:
            return _merge([path for path in paths if _read(path) is not None])


def _fold(source: Path, *, into: Path) -> None:
    counts: dict[str, float] = {}
    for path in (into, source):
        for key, value in (_read(path) or {}).items():
            counts[key] = counts.get(key, 0.0) + value
    fresh = into.with_name(f"{into.name}.new")
    try:
        _write(fresh, counts)
        fresh.replace(into)
    except OSError:
        fresh.unlink(missing_ok=True)
    else:
        source.unlink()


def _write(path: Path, counts: dict[str, float]) -> None:
    path.unlink(missing_ok=True)
    _reserve(path, FILE_BYTES + sum(_entry_bytes(key) for key in counts))
    values = MmapedDict(str(path))  # type: ignore[no-untyped-call]  # library has no types
    for key, value in counts.items():
        values.write_value(key, value, 0.0)  # type: ignore[no-untyped-call]  # library has no types
    values.close()  # type: ignore[no-untyped-call]  # library has no types


def _read(path: Path) -> dict[str, float] | None:
    """Return what a file holds; None if it is damaged or missing."""
    try:
        _merge([path])
        entries = MmapedDict.read_all_values_from_file(str(path))  # type: ignore[no-untyped-call]  # library has no types
        return {key: value for key, value, _, _ in entries}
    except _DAMAGE:
        return None


def _merge(paths: Sequence[Path]) -> list[Metric]:
    return list(MultiProcessCollector.merge([str(path) for path in paths]))  # type: ignore[no-untyped-call]  # library has no types


def _reserve(path: Path, size_bytes: int) -> None:
    """Make a file at least this long, with real blocks behind it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    is_new = os.fstat(descriptor).st_size == 0
    try:
        _allocate(descriptor, size_bytes)
    except OSError:
        if is_new:
            path.unlink()
        raise
    finally:
        os.close(descriptor)


def _allocate(descriptor: int, size_bytes: int) -> None:
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, size_bytes)
            return
    except OSError as error:
        if error.errno not in NO_RESERVING:
            raise
    length = os.fstat(descriptor).st_size
    os.pwrite(descriptor, bytes(max(0, size_bytes - length)), length)


def _entry_bytes(key: str) -> int:
    return len(key.encode()) + ENTRY_OVERHEAD_BYTES


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    """Keep readers from seeing an ended process twice, or not at all, while it is folded."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)
