"""The object store's Protocol, its keys and its errors.

Keys are made here, of validated parts, and never from user text. An existing key is never
replaced: every attempt writes under its own fence, so a stale one cannot touch another's file.

    objects/<2 hex>/<job id>/<fence>/<index>.<extension>     the bytes
    images/<job id>.png · videos/<job id>.mp4                public names, shown after the commit
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Protocol

from gen_video.errors import NotFoundError, ServiceError

CHUNK_BYTES = 256 * 1024

DownloadMethod = Literal["GET", "HEAD"]

_KEY = re.compile(
    r"objects/[0-9a-f]{2}/[a-z]{2,8}_[0-9A-Za-z]{22}/[0-9]{1,18}/[0-9]{1,6}\.[a-z0-9]{2,5}"
)
_NAME = re.compile(
    r"(?:images|videos)/[a-z]{2,8}_[0-9A-Za-z]{22}(?:_[0-9]{1,6}|_poster|_strip)?\.[a-z0-9]{2,5}"
)
_PREFIX = re.compile(r"objects/(?:[0-9A-Za-z_]+/)*[0-9A-Za-z_]*")


class StorageUnavailableError(ServiceError):
    """The store cannot be read or written right now."""

    code = "storage_unavailable"
    status = 503
    is_retryable = True
    message_en = "The file store is not available ({reason}). Please retry shortly."
    message_zh = "文件存储暂时不可用（{reason}），请稍后重试。"

    def __init__(self, reason: str) -> None:
        super().__init__(retry_after_seconds=10, reason=reason)


class StorageFullError(StorageUnavailableError):
    """The store's disk is full."""

    code = "storage_full"
    status = 507
    message_en = "The file store is full ({reason}). Please retry once the operator has made room."
    message_zh = "文件存储空间已满（{reason}），请等待运维人员清理空间后重试。"


class ObjectMissingError(NotFoundError):
    """No object under this key."""

    code = "object_missing"
    message_en = "The stored file is missing."
    message_zh = "存储的文件不存在。"


class ObjectExistsError(ServiceError):
    """Another object lies under this key already."""

    code = "object_exists"
    status = 409
    message_en = "A different file exists under this key already."
    message_zh = "该键下已存在另一个文件。"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStat:
    """A stored object: its size, and how long ago it was written."""

    key: str
    size_bytes: int
    age_seconds: float


class ObjectStore(Protocol):
    """Where files live.

    All calls block and may be made from any thread or process. Besides what each names, every
    one may raise `StorageUnavailableError`, and `ValueError` for what is no key or public name.

    Attributes:
        has_public_names: Whether people can look into the store, and find a file under its public
            name. Where they cannot (a bucket), there is one copy of the bytes and no second name:
            `publish` only checks that the object is there, `is_published` says yes and `unpublish`
            does nothing. The artifact row decides which bytes a name stands for either way.
    """

    has_public_names: ClassVar[bool] = True

    def put(self, key: str, data: bytes) -> None:
        """Store durably and at once, or not at all.

        Putting the same bytes again is fine; it is what a retry after a lost answer does.

        Raises:
            ObjectExistsError: Other bytes lie under the key; they stay.
            StorageFullError: There is no room.
        """
        ...

    def stat(self, key: str) -> ObjectStat:
        """Return an object's size and age.

        Raises:
            ObjectMissingError: Nothing lies under the key.
        """
        ...

    def read(self, key: str, *, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield an object's bytes in chunks, from `start`, at most `length` of them.

        The object is opened by the call, before the first chunk is asked for; deleting it
        meanwhile does not cut the reading short.

        Raises:
            ObjectMissingError: Nothing lies under the key.
        """
        ...

    def local_path(self, key: str) -> Path | None:
        """Return the object's path on this machine for sendfile, None for a remote store.

        Raises:
            ObjectMissingError: Nothing lies under the key; a remote store does not look.
        """
        ...

    def download_url(self, key: str, *, seconds: int, method: DownloadMethod = "GET") -> str | None:
        """Return an address from which anybody may fetch the object for so long.

        Nobody looks whether the object is there. None: this store cannot.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is fine."""
        ...

    def list_keys(self, prefix: str = "objects/") -> Iterator[ObjectStat]:
        """Yield the stored objects whose keys begin with `prefix`, sorted by key.

        Objects that come or go meanwhile may be missed or already be gone.
        """
        ...

    def publish(self, key: str, name: str) -> None:
        """Show an object under a public name such as `images/{job}.png`, atomically.

        Whatever had the name before is replaced. See `has_public_names`.

        Raises:
            ObjectMissingError: Nothing lies under the key.
        """
        ...

    def is_published(self, name: str) -> bool:
        """Tell whether a public name exists."""
        ...

    def unpublish(self, name: str) -> None:
        """Remove a public name; one that is not there is fine."""
        ...

    def remove_stale_temporaries(self, *, older_than_seconds: float) -> int:
        """Remove what interrupted writes left behind; return how many."""
        ...

    def probe(self) -> int:
        """Write, read and delete a small file; return the free bytes, a huge number if unknown.

        Raises:
            StorageUnavailableError: It did not work.
        """
        ...


def object_key(job_id: str, *, fence: int, index: int, extension: str) -> str:
    """Return the key of file `index` of one attempt at a job.

    Raises:
        ValueError: A part is not of the expected form.
    """
    folder = hashlib.sha256(job_id.encode()).hexdigest()[:2]
    return require_key(f"objects/{folder}/{job_id}/{fence}/{index}.{extension}")


def is_key(text: str) -> bool:
    """Tell whether a text has the form of a key."""
    return _KEY.fullmatch(text) is not None


def require_key(key: str) -> str:
    """Return the key if it has the form of one.

    Raises:
        ValueError: It has not.
    """
    if not is_key(key):
        raise ValueError(f"not an object key: {key!r}")
    return key


def require_name(name: str) -> str:
    """Return the public name if it has the form of one.

    Raises:
        ValueError: It has not.
    """
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"not a public file name: {name!r}")
    return name


def require_prefix(prefix: str) -> str:
    """Return the prefix if keys may begin with it.

    Raises:
        ValueError: None can.
    """
    if _PREFIX.fullmatch(prefix) is None:
        raise ValueError(f"not a prefix of object keys: {prefix!r}")
    return prefix
