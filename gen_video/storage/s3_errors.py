"""What S3 says went wrong, in the store's words.

The client's own text names bucket, key and address; a reader gets the server's code or status.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import BaseError

from gen_video.storage.objects import (
    ObjectMissingError,
    StorageFullError,
    StorageUnavailableError,
)

RANGE_STATUS = "416"
FULL_STATUS = "507"
FULL_CODES = frozenset(
    {
        "InsufficientStorage",
        "InsufficientStorageSpace",
        "QuotaExceeded",
        "StorageFull",
        "XMinioAdminBucketQuotaExceeded",
        "XMinioStorageFull",
    }
)
"""Codes of a full store: of Ceph, MinIO and others; Amazon's has none."""
_CODE = re.compile(r"<Code>([A-Za-z0-9._-]{1,64})</Code>")
_STATUS = re.compile(r"status code: ([0-9]{3})")
_TIMEOUT = re.compile(r"time(?:d ?)?out", re.IGNORECASE)
_NO_SPACE = re.compile(r"no space|disk full|quota", re.IGNORECASE)


@contextmanager
def translated() -> Iterator[None]:
    """Turn the client's errors into the store's."""
    try:
        yield
    except (BaseError, FileNotFoundError) as error:
        raise store_error(error) from error


def store_error(error: Exception) -> StorageUnavailableError | ObjectMissingError:
    """Return the store's error for one of the client's."""
    text = str(error)
    code = _find(_CODE, text)
    if isinstance(error, FileNotFoundError) and code in {"", "NoSuchKey"}:
        return ObjectMissingError()
    reason = code or _reason(text)
    is_full = code in FULL_CODES or _find(_STATUS, text) == FULL_STATUS or _NO_SPACE.search(text)
    return StorageFullError(reason) if is_full else StorageUnavailableError(reason)


def is_past_the_end(error: BaseError) -> bool:
    """Tell whether a range was refused because the object is not that long."""
    return _find(_STATUS, str(error)) == RANGE_STATUS


def _reason(text: str) -> str:
    status = _find(_STATUS, text)
    if status:
        return f"HTTP {status}"
    return "no answer in time" if _TIMEOUT.search(text) else "no answer"


def _find(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return "" if match is None else match.group(1)
