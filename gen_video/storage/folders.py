"""Folders held open by descriptor: every step below a root is taken without symbolic links.

A path is checked and then used; what lies there may change between the two. A descriptor names
one folder for good, so whoever swaps a folder for a link while we work gains nothing.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""O_NONBLOCK: opening a named pipe that somebody left there must not hang."""
NEW_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
FILE_MODE = 0o644


@contextmanager
def open_folder(root: Path, relative: str, *, is_making: bool = False) -> Iterator[int]:
    """Yield a descriptor of a folder below `root`.

    Args:
        root: May itself be a symbolic link: that is the operator's choice.
        relative: Folder names joined by slashes; validated by the caller.
        is_making: Make what is missing, durably.

    Raises:
        OSError: ENOENT when missing, ENOTDIR or ELOOP when a part is no real folder.
    """
    if is_making:
        root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(root, FOLDER_FLAGS)
    try:
        for part in relative.split("/"):
            below = _step(descriptor, part, is_making=is_making)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def open_regular(folder: int, name: str) -> int:
    """Return a descriptor for reading a regular file of this folder.

    Raises:
        OSError: ENOENT when missing, ELOOP when it is anything but a regular file.
    """
    descriptor = os.open(name, READ_FLAGS, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.ELOOP, "not a regular file")
    return descriptor


def stat_regular(folder: int, name: str) -> os.stat_result:
    """Return the status of a regular file of this folder.

    Raises:
        OSError: ENOENT when missing, ELOOP when it is anything but a regular file.
    """
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.ELOOP, "not a regular file")
    return status


def find_regular(folder: int, name: str) -> os.stat_result | None:
    """Return the status of a regular file of this folder, None when there is no such thing."""
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def remove(folder: int, name: str) -> None:
    """Remove a file of this folder; one that is not there is fine."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return


def write_new(folder: int, name: str, write: Callable[[int], None]) -> None:
    """Make a file of this folder and write it through to the disk."""
    descriptor = os.open(name, NEW_FLAGS, FILE_MODE, dir_fd=folder)
    try:
        write(descriptor)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`; the system may take it in pieces."""
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _step(parent: int, name: str, *, is_making: bool) -> int:
    flags = FOLDER_FLAGS | os.O_NOFOLLOW
    try:
        return os.open(name, flags, dir_fd=parent)
    except FileNotFoundError:
        if not is_making:
            raise
    try:
        os.mkdir(name, dir_fd=parent)
        os.fsync(parent)
    except FileExistsError:
        pass  # somebody else made it just now
    return os.open(name, flags, dir_fd=parent)
