"""A bucket in trouble: a clear error in bounded time, and never wrong bytes."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import obstore
import pytest

from gen_video.storage.objects import (
    CHUNK_BYTES,
    ObjectExistsError,
    ObjectStore,
    StorageFullError,
    StorageUnavailableError,
    object_key,
)
from gen_video.storage.s3 import S3ObjectStore
from gen_video.storage.s3_clients import BucketAddress
from tests.buckets import IMPATIENT, SECRET_KEY, bucket_server

JOB = "job_0123456789abcdefghijAB"
KEY = object_key(JOB, fence=1, index=0, extension="png")
BOUND_SECONDS = 4.0
DATE = "Last-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\n"

Converse = Callable[[socket.socket, str], None]

CALLS: dict[str, Callable[[ObjectStore], object]] = {
    "put": lambda objects: objects.put(KEY, b"picture"),
    "stat": lambda objects: objects.stat(KEY),
    "read": lambda objects: b"".join(objects.read(KEY)),
    "range": lambda objects: b"".join(objects.read(KEY, start=2, length=3)),
    "delete": lambda objects: objects.delete(KEY),
    "list": lambda objects: list(objects.list_keys()),
    "publish": lambda objects: objects.publish(KEY, f"images/{JOB}.png"),
    "probe": lambda objects: objects.probe(),
    "sweep": lambda objects: objects.remove_stale_temporaries(older_than_seconds=0),
}


@contextmanager
def server_that(converse: Converse) -> Iterator[S3ObjectStore]:
    """Give a store whose server says what the test wants, on real connections."""
    listener = socket.create_server(("127.0.0.1", 0))
    is_over = threading.Event()

    def answer(connection: socket.socket) -> None:
        with connection:
            connection.settimeout(10)
            try:
                while head := _read_request(connection):
                    converse(connection, head)
                    if "connection: close" in head.lower():
                        return
            except OSError:
                return  # the client has gone

    def accept() -> None:
        while not is_over.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    address = BucketAddress(
        bucket="bucket",
        prefix="",
        endpoint=f"http://127.0.0.1:{listener.getsockname()[1]}",
        access_key_id="key-id",
        secret_access_key=SECRET_KEY,
    )
    try:
        yield S3ObjectStore(address, patience=IMPATIENT)
    finally:
        is_over.set()
        listener.close()


def _read_request(connection: socket.socket) -> str:
    """Read one request with its body; return its head."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return ""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [
        line.split(b":")[1]
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    ]
    left = int(lengths[0]) - len(body) if lengths else 0
    while left > 0:
        left -= len(connection.recv(65536))
    return head.decode("latin-1")


def say(connection: socket.socket, status: str, body: bytes = b"", *, headers: str = "") -> None:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    connection.sendall(head.encode() + body)


def refusal(status: str, code: str = "") -> Converse:
    body = f"<Error><Code>{code}</Code><Key>{KEY}</Key></Error>".encode() if code else b""

    def converse(connection: socket.socket, head: str) -> None:
        say(connection, status, b"" if head.startswith("HEAD") else body)

    return converse


def silence(connection: socket.socket, head: str) -> None:
    time.sleep(30)


@contextmanager
def bounded() -> Iterator[None]:
    start = time.monotonic()
    yield
    assert time.monotonic() - start < BOUND_SECONDS


@pytest.mark.parametrize("call", CALLS)
def test_a_server_that_never_answers_is_given_up(call: str) -> None:
    with (
        server_that(silence) as objects,
        bounded(),
        pytest.raises(StorageUnavailableError, match="no answer") as raised,
    ):
        CALLS[call](objects)

    assert raised.value.retry_after_seconds


@pytest.mark.parametrize("call", CALLS)
def test_a_server_that_is_not_there_is_given_up(call: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    address = BucketAddress(
        bucket="bucket",
        prefix="",
        endpoint=f"http://127.0.0.1:{port}",
        access_key_id="key-id",
        secret_access_key=SECRET_KEY,
    )

    with bounded(), pytest.raises(StorageUnavailableError, match="no answer"):
        CALLS[call](S3ObjectStore(address, patience=IMPATIENT))


@pytest.mark.parametrize("call", CALLS)
def test_a_server_that_is_too_busy_is_tried_again_and_given_up(call: str) -> None:
    heads: list[str] = []

    def refuse(connection: socket.socket, head: str) -> None:
        heads.append(head)
        refusal("503 Slow Down", "SlowDown")(connection, head)

    with (
        server_that(refuse) as objects,
        bounded(),
        pytest.raises(StorageUnavailableError, match=r"SlowDown|HTTP 503"),
    ):
        CALLS[call](objects)

    assert len(heads) >= 2


@pytest.mark.parametrize("call", CALLS)
def test_a_passing_hiccup_is_not_noticed(call: str) -> None:
    server = bucket_server()
    objects = server.fresh_store()
    if call != "put":
        objects.put(KEY, b"picture")

    with server.hiccups() as refused:
        CALLS[call](objects)

    assert refused


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("status", "code"),
    [("403 Forbidden", "SignatureDoesNotMatch"), ("403 Forbidden", "InvalidAccessKeyId")],
)
def test_wrong_keys_are_named_and_nothing_secret_is(call: str, status: str, code: str) -> None:
    with (
        server_that(refusal(status, code)) as objects,
        bounded(),
        pytest.raises(StorageUnavailableError) as raised,
    ):
        CALLS[call](objects)

    text = raised.value.message("en") + raised.value.message("zh")
    assert code in text or "HTTP 403" in text
    for secret in (SECRET_KEY, "key-id", JOB, "127.0.0.1", "bucket"):
        assert secret not in text


@pytest.mark.parametrize("call", [call for call in CALLS if call != "sweep"])
def test_a_bucket_that_is_not_there_is_no_missing_file(call: str) -> None:
    address = bucket_server().address("no-such-bucket")

    with pytest.raises(StorageUnavailableError, match="NoSuchBucket"):
        CALLS[call](S3ObjectStore(address))


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("507 Insufficient Storage", ""),
        ("507 Insufficient Storage", "XMinioStorageFull"),
        ("403 Forbidden", "QuotaExceeded"),
        ("400 Bad Request", "XMinioAdminBucketQuotaExceeded"),
    ],
)
def test_a_full_store_is_told_from_a_broken_one(status: str, code: str) -> None:
    with server_that(refusal(status, code)) as objects, bounded(), pytest.raises(StorageFullError):
        objects.put(KEY, b"picture")


def test_writers_that_are_refused_again_and_again_give_up() -> None:
    def converse(connection: socket.socket, head: str) -> None:
        if head.startswith("PUT"):
            refusal("409 Conflict", "ConditionalRequestConflict")(connection, head)
        else:
            refusal("404 Not Found", "NoSuchKey")(connection, head)

    with (
        server_that(converse) as objects,
        bounded(),
        pytest.raises(StorageUnavailableError, match="conflict"),
    ):
        objects.put(KEY, b"picture")


class _Stored:
    """A server with one object, that keeps to the protocol but for what a test bends."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = data
        self.heads: list[str] = []
        self.cuts: list[int] = []
        self.is_deaf_to_ranges = False
        self.loses_answers = 0

    def __call__(self, connection: socket.socket, head: str) -> None:
        self.heads.append(head)
        if head.startswith("PUT"):
            self._put(connection)
            return
        start, is_part = 0, False
        for line in head.split("\r\n"):
            if line.lower().startswith("range: bytes=") and not self.is_deaf_to_ranges:
                is_part = True
                start = int(line.partition("=")[2].partition("-")[0])
        size = len(self.data)
        status, headers = "200 OK", f'ETag: "one"\r\n{DATE}'
        if is_part:
            status = "206 Partial Content"
            headers += f"Content-Range: bytes {start}-{size - 1}/{size}\r\n"
        body = self.data[start:]
        head_bytes = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode()
        if self.cuts:
            connection.sendall(head_bytes + body[: self.cuts.pop(0)])
            connection.shutdown(socket.SHUT_RDWR)
            return
        connection.sendall(head_bytes + body)

    def _put(self, connection: socket.socket) -> None:
        if not self.data:
            self.data = b"picture"
            if self.loses_answers:
                self.loses_answers -= 1
                connection.shutdown(socket.SHUT_RDWR)
                return
            say(connection, "200 OK", headers='ETag: "one"\r\n')
            return
        refusal("412 Precondition Failed", "PreconditionFailed")(connection, "PUT")


PATTERN = bytes(index % 251 for index in range(3 * CHUNK_BYTES + 77))


@pytest.mark.parametrize("cut_at", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 9])
def test_a_download_that_breaks_is_taken_up_where_it_broke(cut_at: int) -> None:
    stored = _Stored(PATTERN)
    stored.cuts = [cut_at]

    with server_that(stored) as objects:
        data = b"".join(objects.read(KEY))

    assert data == PATTERN
    assert len(stored.heads) == 2


@pytest.mark.parametrize("cut_at", [0, 100, CHUNK_BYTES, len(PATTERN) - 1])
def test_a_download_that_breaks_for_good_raises_and_is_no_whole_file(cut_at: int) -> None:
    stored = _Stored(PATTERN)
    stored.cuts = [cut_at] + [0] * 100
    received: list[bytes] = []

    with server_that(stored) as objects, bounded(), pytest.raises(StorageUnavailableError):
        received.extend(objects.read(KEY))

    assert len(stored.heads) < 10
    assert PATTERN.startswith(b"".join(received))


def test_a_server_that_does_not_know_ranges_gives_no_wrong_bytes() -> None:
    stored = _Stored(PATTERN)
    stored.is_deaf_to_ranges = True

    with server_that(stored) as objects, pytest.raises(StorageUnavailableError):
        b"".join(objects.read(KEY, start=5, length=10))


def test_a_stalled_download_is_given_up() -> None:
    def converse(connection: socket.socket, head: str) -> None:
        connection.sendall(
            f'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nETag: "one"\r\n{DATE}\r\nabc'.encode()
        )
        silence(connection, head)

    with server_that(converse) as objects, bounded(), pytest.raises(StorageUnavailableError):
        b"".join(objects.read(KEY))


def test_a_reader_may_take_longer_than_the_server_may() -> None:
    """Somebody who watches a film slowly is no server that does not answer."""
    objects = S3ObjectStore(
        bucket_server().address(bucket_server().make_bucket()), patience=IMPATIENT
    )
    data = PATTERN * 20
    objects.put(KEY, data)
    received: list[bytes] = []

    for number, chunk in enumerate(objects.read(KEY)):
        received.append(chunk)
        if number in {0, 5}:
            time.sleep(1.5 * IMPATIENT.answer_seconds)

    assert b"".join(received) == data


def test_a_put_whose_answer_was_lost_has_succeeded() -> None:
    """The second try is told that something is there already: it is what the first one wrote."""
    stored = _Stored()
    stored.loses_answers = 1

    with server_that(stored) as objects:
        objects.put(KEY, b"picture")

    assert [head.split(" ")[0] for head in stored.heads] == ["PUT", "PUT", "GET"]


def test_a_put_whose_answer_was_lost_does_not_hide_a_strangers_file() -> None:
    with server_that(_Stored(b"PICTURE")) as objects, pytest.raises(ObjectExistsError):
        objects.put(KEY, b"picture")


def test_a_server_that_replaces_objects_is_found_out() -> None:
    held: dict[str, bytes] = {}

    def converse(connection: socket.socket, head: str) -> None:
        if head.startswith("GET"):
            say(connection, "200 OK", held["body"], headers=f'ETag: "one"\r\n{DATE}')
        else:
            say(connection, "200 OK", headers='ETag: "one"\r\n')

    with server_that(converse) as objects, pytest.MonkeyPatch.context() as patch:
        held["body"] = b"x" * 16
        patch.setattr("gen_video.storage.s3.secrets.token_bytes", lambda count: b"x" * count)
        with pytest.raises(StorageUnavailableError, match="If-None-Match"):
            objects.probe()


def test_what_a_probe_left_behind_is_removed_in_time() -> None:
    server = bucket_server()
    objects = server.fresh_store()
    objects.put(KEY, b"picture")
    obstore.put(objects._clients.calls, "probes/0123", b"left")

    assert objects.remove_stale_temporaries(older_than_seconds=60) == 0
    assert objects.remove_stale_temporaries(older_than_seconds=-1) == 1
    assert objects.remove_stale_temporaries(older_than_seconds=-1) == 0
    assert objects.stat(KEY).size_bytes == 7


def test_a_large_file_is_one_request_with_its_type() -> None:
    server = bucket_server()
    objects = server.fresh_store()
    key = KEY.replace(".png", ".mp4")
    data = PATTERN * 40  # 30 MiB: the client would send it in parts if it might

    with server.logged() as methods:
        objects.put(key, data)

    assert methods == ["PUT"]
    assert b"".join(objects.read(key)) == data
    assert obstore.get(objects._clients.calls, key).attributes == {"Content-Type": "video/mp4"}


def test_how_many_requests_each_call_makes() -> None:
    """What an operator pays for; the guide says the same."""
    server = bucket_server()
    objects = server.fresh_store()
    name = f"images/{JOB}.png"
    expected: dict[str, tuple[Callable[[], object], list[str]]] = {
        "put": (lambda: objects.put(KEY, b"picture"), ["PUT"]),
        "publish": (lambda: objects.publish(KEY, name), ["HEAD"]),
        "is_published": (lambda: objects.is_published(name), []),
        "unpublish": (lambda: objects.unpublish(name), []),
        "local_path": (lambda: objects.local_path(KEY), []),
        "download_url": (lambda: objects.download_url(KEY, seconds=60), []),
        "read": (lambda: b"".join(objects.read(KEY)), ["GET"]),
        "list": (lambda: list(objects.list_keys()), ["GET"]),
        "delete": (lambda: objects.delete(KEY), ["DELETE"]),
        "first probe": (objects.probe, ["PUT", "GET", "PUT", "DELETE"]),
        "probe": (objects.probe, ["PUT", "GET", "DELETE"]),
    }

    for title, (call, methods) in expected.items():
        with server.logged() as made:
            call()
        assert (title, made) == (title, methods)


def test_a_long_list_comes_in_pages_and_ends_with_its_prefix() -> None:
    server = bucket_server()
    objects = server.fresh_store()
    keys = [object_key(JOB, fence=fence, index=0, extension="png") for fence in range(10, 40)]
    for key in keys:
        obstore.put(objects._clients.calls, key, b"")
    obstore.put(objects._clients.calls, "objects/zz/not-a-key.png", b"")

    assert [found.key for found in objects.list_keys()] == keys
    assert [found.key for found in objects.list_keys(keys[0].removesuffix("10/0.png") + "3")] == [
        key for key in keys if "/3" in key
    ]
