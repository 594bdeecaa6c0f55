"""What the object store of tests can do besides the contract: fail on demand."""

import pytest

from gen_video.storage.memory import MemoryObjectStore
from gen_video.storage.objects import StorageFullError, StorageUnavailableError, object_key

KEY = object_key("job_0123456789abcdefghijAB", fence=1, index=0, extension="png")


def test_a_full_store_says_so_and_keeps_nothing() -> None:
    objects = MemoryObjectStore(capacity_bytes=10)

    with pytest.raises(StorageFullError):
        objects.put(KEY, bytes(11))

    assert objects.probe() == 10


def test_every_call_fails_while_a_failure_is_set() -> None:
    objects = MemoryObjectStore()
    objects.put(KEY, b"picture")
    objects.failure = StorageUnavailableError("pulled the plug")

    for call in (objects.stat, objects.read, objects.delete):
        with pytest.raises(StorageUnavailableError):
            call(KEY)

    objects.failure = None
    assert objects.stat(KEY).size_bytes == 7
