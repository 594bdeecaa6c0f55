"""A proxy that cuts connections where a test says so."""

import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

Cut = Callable[[bytes], int | None]
"""Given all bytes of an answer so far: how many of them may pass before the cut, None for all."""
METHODS = (b"GET ", b"POST ", b"DELETE ", b"HEAD ")
CHUNK_BYTES = 16 * 1024


def lose_answer(_answer: bytes) -> int:
    """Let nothing of an answer pass."""
    return 0


def cut_after(count: int) -> Cut:
    """Return what lets so many bytes of an answer pass."""
    return lambda answer: count if len(answer) > count else None


def cut_inside_event(number: int) -> Cut:
    """Return what cuts an event stream in the middle of an event, counted from 1."""

    def find(answer: bytes) -> int | None:
        parts = answer.split(b"\nid: ")
        return len(answer) - len(parts[-1]) + 5 if len(parts) > number else None

    return find


class CuttingProxy:
    """Passes bytes on to a port of this machine, and cuts the answers that a test names."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._cuts: list[tuple[bytes, Cut]] = []
        self.requests: list[bytes] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._listener.close()

    def cut(self, start: str, *cuts: Cut) -> None:
        """Cut the next answers to requests that start like this, one after another."""
        self._cuts += [(start.encode(), cut) for cut in cuts]

    def count(self, start: str) -> int:
        """Return how many requests started like this."""
        return sum(request.startswith(start.encode()) for request in self.requests)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._upstream)) as server:
            answers = _Answers(client, server)
            threading.Thread(target=answers.pass_on, daemon=True).start()
            while request := _receive(client):
                if request.startswith(METHODS):  # and not with the body that follows
                    self.requests.append(request)
                    answers.expect(self._take_cut(request))
                server.sendall(request)

    def _take_cut(self, request: bytes) -> Cut | None:
        for index, (start, cut) in enumerate(self._cuts):
            if request.startswith(start):
                del self._cuts[index]
                return cut
        return None


class _Answers:
    """Passes one connection's answers on."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self._client = client
        self._server = server
        self._cut: Cut | None = None
        self._seen = b""

    def expect(self, cut: Cut | None) -> None:
        self._cut, self._seen = cut, b""

    def pass_on(self) -> None:
        while chunk := _receive(self._server):
            before = len(self._seen)
            self._seen += chunk
            count = None if self._cut is None else self._cut(self._seen)
            passing = chunk if count is None else chunk[: max(0, count - before)]
            if not _send(self._client, passing) or count is not None:
                break
        _end(self._client)
        _end(self._server)


def _receive(side: socket.socket) -> bytes:
    try:
        return side.recv(CHUNK_BYTES)
    except OSError:
        return b""


def _send(side: socket.socket, data: bytes) -> bool:
    try:
        side.sendall(data)
    except OSError:
        return False
    return True


def _end(side: socket.socket) -> None:
    try:
        side.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
