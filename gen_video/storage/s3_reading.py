"""Reading an object of S3: its bytes as they arrive, whole or with an error."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store
from typing_extensions import override

from gen_video.storage.objects import CHUNK_BYTES, ObjectMissingError, StorageUnavailableError
from gen_video.storage.s3_errors import is_past_the_end, store_error, translated

if TYPE_CHECKING:
    from obstore import GetOptions, GetResult  # exist for type checkers only


class ObjectChunks(Iterator[bytes]):
    """The bytes of an object as they arrive; a connection that breaks is taken up again.

    What ends early raises: a reader never takes a part for the whole.
    """

    def __init__(self, client: S3Store, key: str, *, start: int, end: int | None) -> None:
        self._client = client
        self._key = key
        self._buffer = bytearray()
        self._position = self._end = start
        with translated():
            try:
                result = obstore.get(client, key, options=_range(start, end))
            except BaseError as error:
                if (start == 0 and end is None) or not is_past_the_end(error):
                    raise
                self._source: Iterator[bytes] = iter(())
                return
        self._etag = result.meta["e_tag"]
        self._take(result)

    @override
    def __next__(self) -> bytes:
        while self._position < self._end and len(self._buffer) < CHUNK_BYTES:
            self._pull()
        chunk = bytes(self._buffer[:CHUNK_BYTES])
        if not chunk:
            raise StopIteration
        del self._buffer[:CHUNK_BYTES]
        return chunk

    def _pull(self) -> None:
        error: Exception | None = None
        try:
            piece = next(self._source, b"")
        except BaseError as broken:
            error, piece = broken, b""
        if piece:
            self._buffer += piece
            self._position += len(piece)
            self._is_resumed = False
        elif self._is_resumed:
            raise _cut_short(error) from error
        else:
            self._resume()

    def _resume(self) -> None:
        """Ask for the rest, of this very object."""
        options = _range(self._position, self._end)
        options["if_match"] = self._etag
        with translated():
            result = obstore.get(self._client, self._key, options=options)
        end = self._end
        self._take(result)
        self._is_resumed = True
        if self._end != end:
            raise StorageUnavailableError("a file changed its length")

    def _take(self, result: "GetResult") -> None:
        start, self._end = result.range
        if start != self._position:
            raise StorageUnavailableError("another part came back than was asked for")
        self._source = iter(result.stream(CHUNK_BYTES))
        self._is_resumed = False


def _range(start: int, end: int | None) -> "GetOptions":
    if end is not None:
        return {"range": (start, end)}
    return {"range": {"offset": start}} if start else {}


def _cut_short(error: Exception | None) -> StorageUnavailableError | ObjectMissingError:
    return StorageUnavailableError("a file ended early") if error is None else store_error(error)
