"""Files in a folder: atomic, durable writes, and links as public names.

Layout under the root: `objects/…` holds the bytes, `images/` and `videos/` hold hard links with
the names that people know. Whatever a crash interrupts leaves at most a file whose name begins
with `.tmp-`, which no reader looks at and the sweeper removes.
"""

import errno
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from typing_extensions import override

from gen_video.storage.folders import (
    find_regular,
    open_folder,
    open_regular,
    remove,
    stat_regular,
    write_all,
    write_new,
)
from gen_video.storage.objects import (
    CHUNK_BYTES,
    DownloadMethod,
    ObjectExistsError,
    ObjectMissingError,
    ObjectStat,
    ObjectStore,
    StorageFullError,
    StorageUnavailableError,
    is_key,
    require_key,
    require_name,
    require_prefix,
)

TEMPORARY_PREFIX = ".tmp-"
PUT_TRIES = 5
PROBE = b"probe"
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
NO_LINKS = frozenset({errno.EPERM, errno.EXDEV, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS})
NOT_REAL = frozenset({errno.ELOOP, errno.ENOTDIR})


class LocalObjectStore(ObjectStore):
    """An object store in one folder of this machine.

    Args:
        root: Made at the first write. Every process of the service uses the same one.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    @override
    def put(self, key: str, data: bytes) -> None:
        folder_name, name = _split(require_key(key))
        with _translated():
            for tries_left in reversed(range(PUT_TRIES)):
                try:
                    with open_folder(self._root, folder_name, is_making=True) as folder:
                        _put_new(folder, name, data)
                except FileNotFoundError:
                    # A delete took the empty folder away between our making and our using it.
                    if not tries_left:
                        raise
                else:
                    return

    @override
    def stat(self, key: str) -> ObjectStat:
        folder_name, name = _split(require_key(key))
        with _translated(), open_folder(self._root, folder_name) as folder:
            return _object_stat(key, stat_regular(folder, name))

    @override
    def read(self, key: str, *, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        if start < 0 or (length is not None and length < 0):
            raise ValueError("a range has no negative bounds")
        folder_name, name = _split(require_key(key))
        with _translated(), open_folder(self._root, folder_name) as folder:
            return _Chunks(open_regular(folder, name), start=start, length=length)

    @override
    def local_path(self, key: str) -> Path | None:
        self.stat(key)
        return self._root / key

    @override
    def download_url(self, key: str, *, seconds: int, method: DownloadMethod = "GET") -> str | None:
        require_key(key)
        return None

    @override
    def delete(self, key: str) -> None:
        folder_name, name = _split(require_key(key))
        job_folder, fence = _split(folder_name)
        shelf, job = _split(job_folder)
        with _translated(is_missing_fine=True):
            with open_folder(self._root, folder_name) as folder:
                remove(folder, name)
            with open_folder(self._root, job_folder) as folder:
                _remove_if_empty(folder, fence)
            with open_folder(self._root, shelf) as folder:
                _remove_if_empty(folder, job)

    @override
    def list_keys(self, prefix: str = "objects/") -> Iterator[ObjectStat]:
        for folder_name, names, folder in self._walk("objects", prefix=require_prefix(prefix)):
            for name in names:
                key = f"{folder_name}/{name}"
                if key.startswith(prefix) and is_key(key):
                    status = find_regular(folder, name)
                    if status is not None:
                        yield _object_stat(key, status)

    @override
    def publish(self, key: str, name: str) -> None:
        source_folder, source_name = _split(require_key(key))
        shelf, public = _split(require_name(name))
        with (
            _translated(),
            open_folder(self._root, source_folder) as source,
            open_folder(self._root, shelf, is_making=True) as target,
            _temporary(target) as temporary,
        ):
            _link_or_copy(source, source_name, target, temporary)
            os.rename(temporary, public, src_dir_fd=target, dst_dir_fd=target)
            os.fsync(target)

    @override
    def is_published(self, name: str) -> bool:
        shelf, public = _split(require_name(name))
        status = None
        with _translated(is_missing_fine=True), open_folder(self._root, shelf) as folder:
            status = find_regular(folder, public)
        return status is not None

    @override
    def unpublish(self, name: str) -> None:
        shelf, public = _split(require_name(name))
        with _translated(is_missing_fine=True), open_folder(self._root, shelf) as folder:
            remove(folder, public)

    @override
    def remove_stale_temporaries(self, *, older_than_seconds: float) -> int:
        limit = time.time() - older_than_seconds
        removed = 0
        for _, names, folder in self._walk("."):
            for name in names:
                if name.startswith(TEMPORARY_PREFIX):
                    status = find_regular(folder, name)
                    if status is not None and status.st_mtime < limit:
                        remove(folder, name)
                        removed += 1
        return removed

    @override
    def probe(self) -> int:
        with (
            _translated(),
            open_folder(self._root, ".", is_making=True) as folder,
            _temporary(folder) as name,
        ):
            write_new(folder, name, partial(write_all, data=PROBE))
            if not _holds(folder, name, PROBE):
                raise OSError(errno.EIO, "a file came back changed")
            status = os.fstatvfs(folder)
            return status.f_bavail * status.f_frsize

    def _walk(self, start: str, *, prefix: str = "") -> Iterator[tuple[str, list[str], int]]:
        """Yield (folder, sorted file names, descriptor) below `start`; follows no links."""
        with _translated(is_missing_fine=True), open_folder(self._root, ".") as root:
            for folder_name, folders, names, folder in os.fwalk(
                start, dir_fd=root, onerror=_raise_unless_missing
            ):
                folders[:] = sorted(
                    name for name in folders if _may_hold(f"{folder_name}/{name}/", prefix)
                )
                yield folder_name, sorted(names), folder


class _Chunks(Iterator[bytes]):
    """The bytes of an open file; closes it at the end, or when nobody wants the rest."""

    def __init__(self, descriptor: int, *, start: int, length: int | None) -> None:
        self._descriptor: int | None = descriptor
        self._position = start
        self._left = length

    @override
    def __next__(self) -> bytes:
        if self._descriptor is None:
            raise StopIteration
        wanted = CHUNK_BYTES if self._left is None else min(CHUNK_BYTES, self._left)
        with _translated():
            chunk = os.pread(self._descriptor, wanted, self._position)
        if not chunk:
            self.close()
            raise StopIteration
        self._position += len(chunk)
        if self._left is not None:
            self._left -= len(chunk)
        return chunk

    def close(self) -> None:
        """Close the file; safe to call twice."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()


def _put_new(folder: int, name: str, data: bytes) -> None:
    with _temporary(folder) as temporary:
        write_new(folder, temporary, partial(write_all, data=data))
        try:
            _name_new(folder, temporary, name)
        except FileExistsError:
            if not _holds(folder, name, data):
                raise ObjectExistsError from None
    os.fsync(folder)


def _name_new(folder: int, temporary: str, name: str) -> None:
    """Give a finished file its name, unless the name is taken (FileExistsError)."""
    try:
        os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        _rename_new(folder, temporary, name)


def _rename_new(folder: int, temporary: str, name: str) -> None:
    # A file system without hard links: look and rename under the folder's lock, which the
    # system drops by itself should we die here.
    fcntl.flock(folder, fcntl.LOCK_EX)
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    else:
        raise FileExistsError(errno.EEXIST, "the name is taken")
    finally:
        fcntl.flock(folder, fcntl.LOCK_UN)


def _link_or_copy(source: int, source_name: str, target: int, name: str) -> None:
    stat_regular(source, source_name)
    try:
        os.link(source_name, name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        write_new(target, name, partial(_copy_into, source=source, name=source_name))
    stat_regular(target, name)


def _copy_into(descriptor: int, *, source: int, name: str) -> None:
    for chunk in _Chunks(open_regular(source, name), start=0, length=None):
        write_all(descriptor, chunk)


def _holds(folder: int, name: str, data: bytes) -> bool:
    """Tell whether a file of this folder holds exactly these bytes."""
    if stat_regular(folder, name).st_size != len(data):
        return False
    return b"".join(_Chunks(open_regular(folder, name), start=0, length=None)) == data


@contextmanager
def _temporary(folder: int) -> Iterator[str]:
    """Yield a name for an unfinished file; nothing has it afterwards."""
    name = f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}"
    try:
        yield name
    finally:
        remove(folder, name)


def _remove_if_empty(folder: int, name: str) -> None:
    try:
        os.rmdir(name, dir_fd=folder)
    except OSError:
        return  # others still use it, or took it away first


def _split(path: str) -> tuple[str, str]:
    folder, _, name = path.rpartition("/")
    return folder, name


def _may_hold(folder: str, prefix: str) -> bool:
    """Tell whether keys with this prefix can lie in this folder, which ends in a slash."""
    return folder.startswith(prefix) or prefix.startswith(folder)


def _object_stat(key: str, status: os.stat_result) -> ObjectStat:
    return ObjectStat(key=key, size_bytes=status.st_size, age_seconds=time.time() - status.st_mtime)


def _raise_unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


@contextmanager
def _translated(*, is_missing_fine: bool = False) -> Iterator[None]:
    """Turn the operating system's errors into the store's."""
    try:
        yield
    except FileNotFoundError as error:
        if not is_missing_fine:
            raise ObjectMissingError from error
    except OSError as error:
        raise _store_error(error) from error


def _store_error(error: OSError) -> StorageUnavailableError:
    if error.errno in NOT_REAL:
        return StorageUnavailableError("a link or special file lies inside the store")
    text = error.strerror or type(error).__name__
    return StorageFullError(text) if error.errno in FULL else StorageUnavailableError(text)
