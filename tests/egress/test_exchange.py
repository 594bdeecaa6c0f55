"""What comes back: limits of bytes and time hold against servers that lie or dawdle."""

import gzip
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from gen_video.egress.fetch import EgressClient
from gen_video.egress.fetcher import Fetched, UrlTooLargeError, UrlUnreachableError
from gen_video.egress.way import Way
from tests.egress.internet import EVERY_PORT
from tests.egress.servers import PATIENCE_SECONDS, Answer, response, serve

MAX_BYTES = 100_000
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n"
FLOOD_BYTES = 2**25
"""More than the buffers of two sockets, less than a client without limits would take."""
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
GENEROUS_SECONDS = 20.0
"""A bound that only a client without a deadline misses, on however busy a machine."""


def fetch(answer: Answer, *, accept: str = "image/png", deadline_seconds: float = 60.0) -> Fetched:
    client = EgressClient(
        Way(allow_private=True), ports=EVERY_PORT, deadline_seconds=deadline_seconds
    )
    with serve({"/": answer}) as served:
        url = f"http://127.0.0.1:{served.port}/"
        return client.fetch(url, max_bytes=MAX_BYTES, accept=(accept,))


@dataclass(kw_only=True)
class Flood:
    """Sends its head, then its part again and again until the client has left."""

    head: bytes
    part: bytes
    sent_bytes: int = 0

    def __call__(self, connection: socket.socket) -> None:
        connection.sendall(self.head)
        while True:
            connection.sendall(self.part)
            self.sent_bytes += len(self.part)


def then_wait(data: bytes) -> Answer:
    """Send some bytes, and nothing more until the client has left."""

    def send(connection: socket.socket) -> None:
        connection.sendall(data)
        connection.recv(1)

    return send


def drip(parts: Iterator[bytes]) -> Answer:
    def send(connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(part)
            time.sleep(0.01)

    return send


# Good answers


@pytest.mark.parametrize(
    "answer",
    [
        response(b"picture"),
        response(b"picture") + b"and what was not announced",
        response(b"picture", content_encoding="identity"),
        response(b"picture", status="206 Partial Content"),
        HEAD + b"\r\npicture",
        HEAD.replace(b"1.1", b"1.0") + b"\r\npicture",
        CHUNKED + b"3\r\npic\r\n4;x=y\r\nture\r\n0\r\nTrailer: x\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n" + response(b"picture"),
    ],
)
def test_answers_of_every_shape_are_read(answer: bytes) -> None:
    assert fetch(answer).data == b"picture"


def test_many_small_chunks_are_read() -> None:
    chunk = b"100\r\n" + bytes(0x100) + b"\r\n"

    assert len(fetch(CHUNKED + chunk * 390 + b"0\r\n\r\n").data) == 390 * 0x100


def test_exactly_as_much_as_is_allowed_is_read() -> None:
    assert len(fetch(response(bytes(MAX_BYTES))).data) == MAX_BYTES


def test_the_request_says_what_is_taken() -> None:
    client = EgressClient(Way(allow_private=True), ports=EVERY_PORT)
    with serve({"/a%20b?c=%C3%A9": response()}) as served:
        url = f"http://127.0.0.1:{served.port}/a%20b?c=é"
        client.fetch(url, max_bytes=1, accept=("image/png", "image/webp"))

    request, *headers = served.heads[0].split("\r\n")
    assert request == "GET /a%20b?c=%C3%A9 HTTP/1.1"
    assert headers[:-2] == [
        f"Host: 127.0.0.1:{served.port}",
        "User-Agent: gen-video",
        "Accept: image/png, image/webp",
        "Accept-Encoding: identity",
        "Connection: close",
    ]


@pytest.mark.parametrize("content_type", ["", "nonsense", "a/b/c", "<b>/x", "x" * 500 + "/y"])
def test_a_type_that_is_none_counts_as_bytes(content_type: str) -> None:
    fetched = fetch(response(content_type=content_type), accept="application/octet-stream")

    assert fetched.content_type == "application/octet-stream"


# Too much


@pytest.mark.parametrize(
    "answer",
    [
        then_wait(response(content_length=str(MAX_BYTES + 1))),
        then_wait(response(content_length="9" * 18)),
        response(bytes(MAX_BYTES + 1)),
        Flood(head=HEAD + b"\r\n", part=bytes(5000)),
        Flood(head=CHUNKED, part=b"1000\r\n" + bytes(0x1000) + b"\r\n"),
        CHUNKED + b"ffffffff\r\n" + bytes(2 * MAX_BYTES),
    ],
    ids=["announced", "absurd", "sent", "unannounced", "chunked", "huge chunk"],
)
def test_too_many_bytes_are_refused_before_they_are_kept(answer: Answer) -> None:
    with pytest.raises(UrlTooLargeError) as refused:
        fetch(answer)

    assert "0.1 MiB" in refused.value.message("en")
    assert "0.1 MiB" in refused.value.message("zh")


@pytest.mark.parametrize(
    "flood",
    [
        Flood(head=b"HTTP/1.1 200 OK\r\n", part=b"X-Filler: " + b"x" * 1000 + b"\r\n"),
        Flood(head=b"HTTP/1.1 200 ", part=b"x" * 1000),
        Flood(head=b"", part=b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        Flood(head=CHUNKED, part=b"1;" + b"x" * 1000),
        Flood(head=CHUNKED, part=b"1\r\nx\r\n" * 1000),
        Flood(head=CHUNKED + b"0\r\n", part=b"X-Filler: " + b"x" * 1000 + b"\r\n"),
    ],
    ids=[
        "headers",
        "status line",
        "interim responses",
        "chunk extension",
        "tiny chunks",
        "trailers",
    ],
)
def test_what_surrounds_the_body_is_limited_too(flood: Flood) -> None:
    with pytest.raises(UrlUnreachableError, match="does not speak HTTP properly"):
        fetch(flood)

    assert flood.sent_bytes < FLOOD_BYTES


# No usable answer


@pytest.mark.parametrize("status", [204 + 100, 400, 401, 403, 404, 410, 429, 500, 503])
def test_a_status_without_success_is_told(status: int) -> None:
    with pytest.raises(UrlUnreachableError) as refused:
        fetch(response(b"sorry", status=f"{status} Sorry"))

    assert str(status) in refused.value.message("en")
    assert str(status) in refused.value.message("zh")
    assert refused.value.facts["upstream_status"] == status


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "br", "deflate", "identity, gzip", "zstd"])
def test_compressed_answers_are_refused(encoding: str) -> None:
    with pytest.raises(UrlUnreachableError, match="compressed"):
        fetch(response(gzip.compress(bytes(10**7)), content_encoding=encoding))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"picture",
        b"HTTP/2 200\r\n\r\n",
        response(b"pic", content_length="7"),
        response(b"pic", content_length="-3"),
        response(b"pic", content_length="3, 4"),
        response(b"pic", content_length="0x3"),
        HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        CHUNKED + b"3\r\npic\r\n",
        CHUNKED + b"3\r\npicture",
        CHUNKED + b"-3\r\npic\r\n0\r\n\r\n",
        CHUNKED + b"xyz\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    ],
)
def test_what_is_not_http_or_breaks_off_is_unreachable(answer: bytes) -> None:
    with pytest.raises(UrlUnreachableError):
        fetch(answer)


def test_a_reset_connection_is_unreachable() -> None:
    def reset(connection: socket.socket) -> None:
        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        connection.close()

    with pytest.raises(UrlUnreachableError):
        fetch(reset)


# Time


@pytest.mark.parametrize(
    "answer",
    [
        lambda: then_wait(b""),
        lambda: then_wait(response(content_length="100")),
        lambda: drip(itertools.repeat(b"x")),
        lambda: drip(itertools.chain([HEAD], itertools.repeat(b"x"))),
        lambda: drip(itertools.chain([response(content_length="90000")], itertools.repeat(b"x"))),
        lambda: drip(itertools.chain([CHUNKED], itertools.repeat(b"1\r\nx\r\n"))),
    ],
    ids=["silence", "no body", "status line", "headers", "body", "chunks"],
)
def test_the_deadline_holds_however_slowly_bytes_come(answer: Callable[[], Answer]) -> None:
    started = time.monotonic()

    with pytest.raises(UrlUnreachableError, match="too long"):
        fetch(answer(), deadline_seconds=0.3)

    assert time.monotonic() - started < GENEROUS_SECONDS


def test_the_deadline_is_one_for_all_hops() -> None:
    started = time.monotonic()

    def move_on(connection: socket.socket) -> None:
        time.sleep(0.4)
        connection.sendall(response(status="302 Found", location="/"))

    with pytest.raises(UrlUnreachableError, match="too long"):
        fetch(move_on, deadline_seconds=1.0)

    assert time.monotonic() - started < GENEROUS_SECONDS


def test_the_deadline_holds_against_a_slow_resolver() -> None:
    released = threading.Event()

    def resolve(name: str) -> list[str]:
        released.wait(PATIENCE_SECONDS)
        return []

    started = time.monotonic()
    try:
        with pytest.raises(UrlUnreachableError, match="too long"):
            EgressClient(Way(resolve=resolve), deadline_seconds=0.2).fetch(
                "http://slow.example/", max_bytes=1, accept=("*/*",)
            )
    finally:
        released.set()

    assert time.monotonic() - started < GENEROUS_SECONDS
