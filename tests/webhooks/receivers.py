"""Receivers of webhooks: real servers on loopback, as rude as they are told to be."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.egress.servers import PATIENCE_SECONDS, response

Answer = bytes | Callable[[socket.socket], None]
HEAD_BYTES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request: when it was complete, where it went, its headers and its body."""

    at: float
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(kw_only=True)
class Receiver:
    """A running receiver.

    Attributes:
        answers: What each path answers with; 200 without a word for the others.
        delay_seconds: How long every answer is thought about.
        opened: How many connections were made.
    """

    port: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)
    delay_seconds: float = 0.0
    received: list[Received] = field(default_factory=list)
    opened: int = 0
    _listener: socket.socket | None = None

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def of(self, path: str) -> list[Received]:
        return [one for one in self.received if one.path == path]

    def wait_for(self, count: int, path: str | None = None) -> list[Received]:
        """Return what came once there is so much of it."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            found = self.received if path is None else self.of(path)
            if len(found) >= count:
                return list(found)
            assert time.monotonic() < until, f"{len(found)} of {count} came"
            time.sleep(0.01)

    def serve(self, connection: socket.socket) -> None:
        """Read one request, note it, and answer."""
        with connection:
            connection.settimeout(PATIENCE_SECONDS)
            try:
                received = _read(connection)
                if received is None:
                    return
                self.received.append(received)
                time.sleep(self.delay_seconds)
                answer = self.answers.get(received.path, response())
                if callable(answer):
                    answer(connection)
                else:
                    connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                return  # the courier has left, which is what most of these tests want


@contextmanager
def receiving(**settings: float) -> Iterator[Receiver]:
    """Run a receiver while the block runs."""
    receiver = Receiver(**settings)  # type: ignore[arg-type] # of the two numbers
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    receiver.port = listener.getsockname()[1]

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            receiver.opened += 1
            threading.Thread(target=receiver.serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, name="receiver", daemon=True).start()
    try:
        yield receiver
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def hang(connection: socket.socket) -> None:
    """Say nothing until the courier has left."""
    connection.recv(1)


def drip(connection: socket.socket) -> None:
    """Send one byte of an answer a moment, for ever."""
    for byte in response(b"x" * 10_000):
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def drip_body(connection: socket.socket) -> None:
    """Send a head, and its body by one byte a moment."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(100_000):
        connection.sendall(b"x")
        time.sleep(0.05)


def flood(connection: socket.socket) -> None:
    """Send ten mebibytes."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n")
    for _ in range(160):
        connection.sendall(b"x" * 65_536)


def _read(connection: socket.socket) -> Received | None:
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(HEAD_BYTES)
        if not part:
            return None
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers["content-length"]):
        part = connection.recv(HEAD_BYTES)
        if not part:
            return None
        body += part
    return Received(at=time.monotonic(), path=first.split(" ")[1], headers=headers, body=body)
