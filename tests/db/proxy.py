"""A TCP proxy before PostgreSQL that can swallow everything, or cut a connection at its COMMIT."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum, auto

from sqlalchemy import make_url

COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
"""The message of the simple protocol: kind, length, text."""

CHUNK_BYTES = 65_536
JOIN_SECONDS = 5.0


class Mode(Enum):
    """What the proxy does with the bytes."""

    PASS = auto()
    SWALLOW = auto()
    CUT_AFTER_COMMIT = auto()


class Proxy:
    """Passes bytes between its clients and one server, until `mode` says otherwise.

    `cuts` counts the connections that were cut after the server had committed.
    """

    def __init__(self, server_url: str) -> None:
        self._server_url = make_url(server_url)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.mode = Mode.PASS
        self.cuts = 0

    @property
    def url(self) -> str:
        """Return the URL of the same database through this proxy."""
        port = self._listener.getsockname()[1]
        through = self._server_url.set(host="127.0.0.1", port=port)
        return through.render_as_string(hide_password=False)

    def start(self) -> None:
        """Accept clients."""
        self._start_thread(self._accept)

    def close(self) -> None:
        """Cut every connection and end the threads."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in self._sockets:
            _cut(end)
        for thread in self._threads:
            thread.join(JOIN_SECONDS)

    def _accept(self) -> None:
        server = (self._server_url.host or "127.0.0.1", self._server_url.port or 5432)
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(client)
            try:
                upstream = socket.create_connection(server)
            except OSError:
                _cut(client)
                continue
            self._sockets.append(upstream)
            is_committed = threading.Event()
            self._start_thread(self._carry_questions, client, upstream, is_committed)
            self._start_thread(self._carry_answers, client, upstream, is_committed)

    def _carry_questions(
        self, client: socket.socket, upstream: socket.socket, is_committed: threading.Event
    ) -> None:
        for data in _chunks(client):
            if self.mode is Mode.SWALLOW:
                continue
            if self.mode is Mode.CUT_AFTER_COMMIT and COMMIT in data:
                is_committed.set()
            with suppress(OSError):
                upstream.sendall(data)
        _cut(upstream)

    def _carry_answers(
        self, client: socket.socket, upstream: socket.socket, is_committed: threading.Event
    ) -> None:
        for data in _chunks(upstream):
            if self.mode is Mode.SWALLOW:
                continue
            if is_committed.is_set():
                # The answer says that the server has committed; the client never reads it.
                self.cuts += 1
                break
            with suppress(OSError):
                client.sendall(data)
        _cut(client)

    def _start_thread(self, target: object, *arguments: object) -> None:
        assert callable(target)
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()


@contextmanager
def proxy_before(server_url: str) -> Iterator[Proxy]:
    """Run a proxy before a server, and end it afterwards."""
    proxy = Proxy(server_url)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.close()


def _chunks(source: socket.socket) -> Iterator[bytes]:
    with suppress(OSError):
        while data := source.recv(CHUNK_BYTES):
            yield data


def _cut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
