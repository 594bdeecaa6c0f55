"""Files in memory: the object store of tests, with failures on demand."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

from typing_extensions import override

from gen_video.errors import ServiceError
from gen_video.storage.objects import (
    CHUNK_BYTES,
    DownloadMethod,
    ObjectExistsError,
    ObjectMissingError,
    ObjectStat,
    ObjectStore,
    StorageFullError,
    require_key,
    require_name,
    require_prefix,
)


class MemoryObjectStore(ObjectStore):
    """An object store that forgets everything with its process.

    Args:
        capacity_bytes: How much fits; more raises `StorageFullError`.

    Attributes:
        failure: While set, every call raises it.
    """

    def __init__(self, *, capacity_bytes: int = 2**30) -> None:
        self.failure: ServiceError | None = None
        self._capacity_bytes = capacity_bytes
        self._objects: dict[str, tuple[bytes, float]] = {}
        self._published: dict[str, str] = {}
        self._lock = threading.Lock()

    @override
    def put(self, key: str, data: bytes) -> None:
        self._check()
        with self._lock:
            if self._objects.get(require_key(key), (data, 0.0))[0] != data:
                raise ObjectExistsError
            if key not in self._objects:
                if len(data) > self._free_bytes():
                    raise StorageFullError("no room")
                self._objects[key] = (bytes(data), time.monotonic())

    @override
    def stat(self, key: str) -> ObjectStat:
        data, written_at = self._find(key)
        age_seconds = time.monotonic() - written_at
        return ObjectStat(key=key, size_bytes=len(data), age_seconds=age_seconds)

    @override
    def read(self, key: str, *, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        if start < 0 or (length is not None and length < 0):
            raise ValueError("a range has no negative bounds")
        data, _ = self._find(key)
        wanted = data[start:] if length is None else data[start : start + length]
        return iter([wanted[at : at + CHUNK_BYTES] for at in range(0, len(wanted), CHUNK_BYTES)])

    @override
    def local_path(self, key: str) -> Path | None:
        self._find(key)
        return None

    @override
    def download_url(self, key: str, *, seconds: int, method: DownloadMethod = "GET") -> str | None:
        require_key(key)
        return None

    @override
    def delete(self, key: str) -> None:
        self._check()
        with self._lock:
            self._objects.pop(require_key(key), None)

    @override
    def list_keys(self, prefix: str = "objects/") -> Iterator[ObjectStat]:
        require_prefix(prefix)
        self._check()
        with self._lock:
            keys = sorted(key for key in self._objects if key.startswith(prefix))
        for key in keys:
            try:
                yield self.stat(key)
            except ObjectMissingError:
                continue

    @override
    def publish(self, key: str, name: str) -> None:
        self._find(key)
        self._published[require_name(name)] = key

    @override
    def is_published(self, name: str) -> bool:
        self._check()
        return require_name(name) in self._published

    @override
    def unpublish(self, name: str) -> None:
        self._check()
        self._published.pop(require_name(name), None)

    @override
    def remove_stale_temporaries(self, *, older_than_seconds: float) -> int:
        self._check()
        return 0

    @override
    def probe(self) -> int:
        self._check()
        with self._lock:
            return self._free_bytes()

    def _find(self, key: str) -> tuple[bytes, float]:
        self._check()
        with self._lock:
            found = self._objects.get(require_key(key))
        if found is None:
            raise ObjectMissingError
        return found

    def _free_bytes(self) -> int:
        return self._capacity_bytes - sum(len(data) for data, _ in self._objects.values())

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure
