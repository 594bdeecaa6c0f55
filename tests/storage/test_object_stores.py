"""The contract of every object store, over each make."""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from gen_video.ids import new_id
from gen_video.storage.local import LocalObjectStore
from gen_video.storage.memory import MemoryObjectStore
from gen_video.storage.objects import (
    CHUNK_BYTES,
    DownloadMethod,
    ObjectExistsError,
    ObjectMissingError,
    ObjectStore,
    object_key,
)
from gen_video.storage.s3 import S3ObjectStore
from tests.buckets import bucket_server

JOB = "job_0123456789abcdefghijAB"
KEY = object_key(JOB, fence=1, index=0, extension="png")
OTHER_KEY = object_key(JOB, fence=2, index=0, extension="png")
NAME = f"images/{JOB}.png"


@pytest.fixture(params=["local", "memory", "s3"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "local":
        return LocalObjectStore(tmp_path / "store")
    if request.param == "s3":
        return bucket_server().fresh_store()
    return MemoryObjectStore()


def content(objects: ObjectStore, key: str = KEY) -> bytes:
    return b"".join(objects.read(key))


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, 3 * CHUNK_BYTES + 5])
def test_what_was_put_is_read(objects: ObjectStore, size: int) -> None:
    data = bytes(index % 251 for index in range(size))

    objects.put(KEY, data)

    assert content(objects) == data
    assert objects.stat(KEY).size_bytes == size
    assert objects.stat(KEY).key == KEY
    assert 0 <= objects.stat(KEY).age_seconds < 60


def test_reading_goes_in_chunks(objects: ObjectStore) -> None:
    objects.put(KEY, bytes(2 * CHUNK_BYTES + 1))

    assert [len(chunk) for chunk in objects.read(KEY)] == [CHUNK_BYTES, CHUNK_BYTES, 1]


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [(0, 3, b"012"), (7, None, b"789"), (4, 2, b"45"), (8, 99, b"89"), (10, 5, b""), (3, 0, b"")],
)
def test_ranges_are_read(
    objects: ObjectStore, start: int, length: int | None, expected: bytes
) -> None:
    objects.put(KEY, b"0123456789")

    assert b"".join(objects.read(KEY, start=start, length=length)) == expected


@pytest.mark.parametrize(("start", "length"), [(-1, None), (0, -1)])
def test_ranges_have_no_negative_bounds(
    objects: ObjectStore, start: int, length: int | None
) -> None:
    objects.put(KEY, b"0123456789")

    with pytest.raises(ValueError, match="negative"):
        objects.read(KEY, start=start, length=length)


def test_putting_the_same_bytes_again_is_fine(objects: ObjectStore) -> None:
    objects.put(KEY, b"picture")
    objects.put(KEY, b"picture")

    assert content(objects) == b"picture"


@pytest.mark.parametrize("other", [b"", b"PICTURE", b"picture and more"])
def test_an_object_is_never_replaced(objects: ObjectStore, other: bytes) -> None:
    objects.put(KEY, b"picture")

    with pytest.raises(ObjectExistsError):
        objects.put(KEY, other)

    assert content(objects) == b"picture"


def test_of_many_writers_of_one_key_exactly_one_wins(objects: ObjectStore) -> None:
    start = threading.Barrier(8)

    def write(number: int) -> bool:
        start.wait()
        try:
            objects.put(KEY, f"writer {number}".encode() * 1000)
        except ObjectExistsError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        wins = list(pool.map(write, range(8)))

    assert wins.count(True) == 1
    assert content(objects) == f"writer {wins.index(True)}".encode() * 1000


def test_missing_objects_are_reported_as_missing(objects: ObjectStore) -> None:
    for call in (objects.stat, objects.read):
        with pytest.raises(ObjectMissingError):
            call(KEY)
    with pytest.raises(ObjectMissingError):
        objects.read(KEY, start=3, length=0)
    with pytest.raises(ObjectMissingError):
        objects.publish(KEY, NAME)


def test_deleting_twice_is_fine(objects: ObjectStore) -> None:
    objects.put(KEY, b"picture")

    objects.delete(KEY)
    objects.delete(KEY)

    with pytest.raises(ObjectMissingError):
        objects.stat(KEY)


def test_a_reader_keeps_reading_what_is_deleted_meanwhile(objects: ObjectStore) -> None:
    objects.put(KEY, bytes(2 * CHUNK_BYTES))
    chunks = objects.read(KEY)

    objects.delete(KEY)

    assert sum(len(chunk) for chunk in chunks) == 2 * CHUNK_BYTES


def test_puts_and_deletes_of_one_job_do_not_disturb_each_other(objects: ObjectStore) -> None:
    """Deleting takes empty folders away, in which another attempt may be about to write."""

    def churn(fence: int) -> None:
        key = object_key(JOB, fence=fence, index=0, extension="png")
        for _ in range(60):
            objects.put(key, b"picture")
            objects.delete(key)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(churn, [1, 2, 2, 3]))

    assert list(objects.list_keys()) == []


def test_listing_yields_every_object_sorted(objects: ObjectStore) -> None:
    keys = sorted(object_key(new_id("job"), fence=1, index=i, extension="png") for i in range(20))
    for key in reversed(keys):
        objects.put(key, b"12345")
    objects.publish(keys[0], NAME)

    listed = list(objects.list_keys())

    assert [found.key for found in listed] == keys
    assert {found.size_bytes for found in listed} == {5}


def test_listing_an_empty_store_yields_nothing(objects: ObjectStore) -> None:
    assert list(objects.list_keys()) == []
    assert objects.remove_stale_temporaries(older_than_seconds=0) == 0


def test_listing_can_be_narrowed_to_a_prefix(objects: ObjectStore) -> None:
    stranger = object_key(new_id("job"), fence=1, index=0, extension="png")
    for key in (KEY, OTHER_KEY, stranger):
        objects.put(key, b"picture")
    folder = KEY.removesuffix("1/0.png")

    assert [found.key for found in objects.list_keys(folder)] == [KEY, OTHER_KEY]
    assert [found.key for found in objects.list_keys(f"{folder}2")] == [OTHER_KEY]
    assert [found.key for found in objects.list_keys(OTHER_KEY.removesuffix(".png"))] == [OTHER_KEY]


def test_a_public_name_can_be_shown_and_taken_back(objects: ObjectStore) -> None:
    """Where people cannot look into the store, it never lacks a name, and none is ever shown."""
    is_named_before = not objects.has_public_names
    objects.put(KEY, b"picture")
    assert objects.is_published(NAME) is is_named_before

    objects.publish(KEY, NAME)
    objects.publish(KEY, NAME)
    assert objects.is_published(NAME)

    objects.unpublish(NAME)
    objects.unpublish(NAME)
    assert objects.is_published(NAME) is is_named_before
    assert content(objects) == b"picture"
    assert [found.key for found in objects.list_keys()] == [KEY]


def test_where_an_object_lies_on_this_machine_is_a_path_or_nowhere(objects: ObjectStore) -> None:
    objects.put(KEY, b"picture")

    path = objects.local_path(KEY)

    assert path is None or path.read_bytes() == b"picture"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_download_address_leads_to_the_object(
    objects: ObjectStore, method: DownloadMethod
) -> None:
    objects.put(KEY, b"picture")

    url = objects.download_url(KEY, seconds=60, method=method)

    if url is None:
        assert not isinstance(objects, S3ObjectStore)
        return
    with urlopen(Request(url, method=method), timeout=10) as answer:  # noqa: S310 - loopback
        assert answer.headers["Content-Type"] == "image/png"
        assert answer.headers["Content-Length"] == "7"
        assert answer.read() == (b"picture" if method == "GET" else b"")


def test_a_probe_tells_the_free_bytes_and_leaves_nothing(objects: ObjectStore) -> None:
    assert objects.probe() > 0
    assert list(objects.list_keys()) == []


@pytest.mark.parametrize("key", ["../secret", f"objects/ab/{JOB}/1/../0.png", "objects/x\x00.png"])
def test_what_is_no_key_reaches_no_disk(objects: ObjectStore, key: str) -> None:
    calls = (objects.stat, objects.read, objects.local_path, objects.delete)
    for call in (*calls, partial(objects.download_url, seconds=60)):
        with pytest.raises(ValueError, match="not an object key"):
            call(key)
    with pytest.raises(ValueError, match="not an object key"):
        objects.put(key, b"")
    with pytest.raises(ValueError, match="not a public file name"):
        objects.unpublish(key)
