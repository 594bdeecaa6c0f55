"""Real servers on loopback, as rude as they are told to be."""

import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from typing_extensions import override

Answer = bytes | Callable[[socket.socket], None]
PATIENCE_SECONDS = 60.0
"""Far more than any test takes; only a bug waits for it."""


@dataclass(kw_only=True)
class Served:
    """A running server, and what it was asked."""

    port: int = 0
    heads: list[str] = field(default_factory=list)

    @property
    def paths(self) -> list[str]:
        return [head.split(" ")[1] for head in self.heads]


def response(
    body: bytes = b"", *, status: str = "200 OK", content_type: str = "image/png", **headers: str
) -> bytes:
    """Return a whole response; `content_length=...` and the like replace its headers."""
    named = {"Content-Type": content_type, "Content-Length": str(len(body))}
    named |= {name.replace("_", "-").title(): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in named.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def redirect(location: str, *, status: str = "302 Found") -> bytes:
    return response(status=status, location=location)


@contextmanager
def serve(
    answers: Mapping[str, Answer], *, context: ssl.SSLContext | None = None
) -> Iterator[Served]:
    """Answer each path as told, over TLS if there is a context; 404 to all others."""
    served = Served()

    class Handler(socketserver.BaseRequestHandler):
        @override
        def handle(self) -> None:
            connection: socket.socket = self.request
            connection.settimeout(PATIENCE_SECONDS)
            try:
                if context is not None:
                    connection = context.wrap_socket(connection, server_side=True)
                with connection:
                    _converse(connection, served, answers)
            except OSError:
                return  # the client has left, which is what most of these tests want

    with _Server(("127.0.0.1", 0), Handler) as server:
        served.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 32


def _converse(connection: socket.socket, served: Served, answers: Mapping[str, Answer]) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        received = connection.recv(4096)
        if not received:
            return
        head += received
    served.heads.append(head.decode("latin-1"))
    answer = answers.get(served.paths[-1], response(status="404 Not Found"))
    if callable(answer):
        answer(connection)
    else:
        connection.sendall(answer)
    connection.shutdown(socket.SHUT_WR)
