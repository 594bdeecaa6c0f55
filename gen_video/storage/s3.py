"""Files in a bucket of S3 or of a compatible server.

An object is written by one conditional request (`If-None-Match: *`), so it is there whole or not
at all, and never replaced; nothing unfinished is left behind. The clocks of the server and of this
machine must agree to a few minutes: ages are counted between them.
"""

import secrets
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import AlreadyExistsError
from typing_extensions import override

from gen_video.storage.objects import (
    DownloadMethod,
    ObjectExistsError,
    ObjectMissingError,
    ObjectStat,
    ObjectStore,
    StorageUnavailableError,
    is_key,
    require_key,
    require_name,
    require_prefix,
)
from gen_video.storage.s3_clients import BucketAddress, BucketClients, Patience
from gen_video.storage.s3_errors import translated
from gen_video.storage.s3_reading import ObjectChunks

if TYPE_CHECKING:
    from obstore import ObjectMeta  # exists for type checkers only

FREE_BYTES = 2**63 - 1
"""What `probe` answers: S3 does not say how much room there is."""
PUT_WAITS = (0.0, 0.1, 0.2, 0.4, 0.8)
"""Seconds before each try to write: of writers at the same moment, S3 may refuse all."""
MAX_OFFSET = 2**60
MAX_SIGNED_SECONDS = 7 * 86_400
PAGE = 1000
PROBES = "probes"
CONTENT_TYPES = {
    "gif": "image/gif",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "mp4": "video/mp4",
    "png": "image/png",
    "webm": "video/webm",
    "webp": "image/webp",
}
OTHER_TYPE = "application/octet-stream"


class S3ObjectStore(ObjectStore):
    """An object store in one bucket, below one prefix.

    Args:
        address: Every process of the service uses the same one.
        patience: How long a server that does not answer is waited for.
        public_endpoint: The server's address as users reach it, for signed addresses; empty: the
            same as ours.
    """

    has_public_names = False

    def __init__(
        self,
        address: BucketAddress,
        *,
        patience: Patience | None = None,
        public_endpoint: str = "",
    ) -> None:
        self._clients = BucketClients(address, patience or Patience())
        self._public = self._clients
        if public_endpoint:
            public_address = replace(address, endpoint=public_endpoint)
            self._public = BucketClients(public_address, patience or Patience())
        self._is_conditional = False

    @override
    def put(self, key: str, data: bytes) -> None:
        kind = CONTENT_TYPES.get(require_key(key).rpartition(".")[2], OTHER_TYPE)
        for wait_seconds in PUT_WAITS:
            time.sleep(wait_seconds)
            if self._put_new(key, data, kind=kind):
                return
            try:
                if not self._holds(key, data):
                    raise ObjectExistsError
            except ObjectMissingError:
                continue  # the writer that was before us did not come to its end
            return
        raise StorageUnavailableError("writes in conflict")

    @override
    def stat(self, key: str) -> ObjectStat:
        with translated():
            try:
                meta = obstore.head(self._clients.calls, require_key(key))
            except FileNotFoundError:
                # An answer without a body does not say whether the object or the bucket is missing.
                meta = obstore.get(self._clients.calls, key).meta
        return _object_stat(key, meta)

    @override
    def read(self, key: str, *, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        if start < 0 or (length is not None and length < 0):
            raise ValueError("a range has no negative bounds")
        if length == 0 or start >= MAX_OFFSET:
            self.stat(key)
            return iter(())
        end = None if length is None else min(start + length, MAX_OFFSET)
        return ObjectChunks(self._clients.downloads, require_key(key), start=start, end=end)

    @override
    def local_path(self, key: str) -> Path | None:
        require_key(key)
        return None

    @override
    def download_url(self, key: str, *, seconds: int, method: DownloadMethod = "GET") -> str | None:
        expires_in = timedelta(seconds=min(seconds, MAX_SIGNED_SECONDS))
        with translated():
            return obstore.sign(self._public.calls, method, require_key(key), expires_in)

    @override
    def delete(self, key: str) -> None:
        self._delete(require_key(key))

    @override
    def list_keys(self, prefix: str = "objects/") -> Iterator[ObjectStat]:
        for meta in self._list(require_prefix(prefix).rpartition("/")[0], after=prefix):
            key = meta["path"]
            if key.startswith(prefix):
                if is_key(key):
                    yield _object_stat(key, meta)
            elif key > prefix:
                return

    @override
    def publish(self, key: str, name: str) -> None:
        require_name(name)
        self.stat(key)

    @override
    def is_published(self, name: str) -> bool:
        require_name(name)
        return True

    @override
    def unpublish(self, name: str) -> None:
        require_name(name)

    @override
    def remove_stale_temporaries(self, *, older_than_seconds: float) -> int:
        stale = [
            meta["path"] for meta in self._list(PROBES) if _age_seconds(meta) > older_than_seconds
        ]
        for path in stale:
            self._delete(path)
        return len(stale)

    @override
    def probe(self) -> int:
        path = f"{PROBES}/{secrets.token_hex(16)}"
        data = secrets.token_bytes(16)
        calls = self._clients.calls
        with translated():
            obstore.put(calls, path, data, mode="create", use_multipart=False)
            if obstore.get(calls, path).bytes().to_bytes() != data:
                raise StorageUnavailableError("a file came back changed")
            self._require_conditions(path)
            obstore.delete(calls, path)
        return FREE_BYTES

    def _require_conditions(self, path: str) -> None:
        """Check once that the server does not replace an object when it is asked not to."""
        if self._is_conditional:
            return
        try:
            obstore.put(self._clients.calls, path, b"", mode="create", use_multipart=False)
        except AlreadyExistsError:
            self._is_conditional = True
        else:
            raise StorageUnavailableError("the server ignores If-None-Match")

    def _put_new(self, key: str, data: bytes, *, kind: str) -> bool:
        """Write an object unless one is there; tell whether it was written."""
        client = self._clients.upload(len(data))
        with translated():
            try:
                obstore.put(
                    client,
                    key,
                    data,
                    mode="create",
                    use_multipart=False,
                    attributes={"Content-Type": kind},
                )
            except AlreadyExistsError:
                return False
            return True

    def _holds(self, key: str, data: bytes) -> bool:
        """Tell whether exactly these bytes lie under the key."""
        position = 0
        for chunk in self.read(key):
            if data[position : position + len(chunk)] != chunk:
                return False
            position += len(chunk)
        return position == len(data)

    def _delete(self, path: str) -> None:
        try:
            with translated():
                obstore.delete(self._clients.calls, path)
        except ObjectMissingError:
            return  # some servers do say so

    def _list(self, folder: str, *, after: str | None = None) -> Iterator["ObjectMeta"]:
        with translated():
            for page in obstore.list(self._clients.calls, folder, offset=after, chunk_size=PAGE):
                yield from page


def _object_stat(key: str, meta: "ObjectMeta") -> ObjectStat:
    return ObjectStat(key=key, size_bytes=meta["size"], age_seconds=_age_seconds(meta))


def _age_seconds(meta: "ObjectMeta") -> float:
    return max(0.0, time.time() - meta["last_modified"].timestamp())
