"""A server that answers everything with 200 and remembers what has reached it."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from typing_extensions import override

BLOCK_BYTES = 65536


class EchoServer(ThreadingHTTPServer):
    """Listens on a port of its own while its block runs; looks of the proxy are not counted."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.port = int(self.server_address[1])
        self.last_headers: dict[str, str] = {}
        self.last_length = -1

    @override
    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    @override
    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    """Remembers a request once it is complete."""

    protocol_version = "HTTP/1.1"
    server: EchoServer

    def do_GET(self) -> None:
        if "/health/" not in self.path:
            self.server.last_headers = {k.lower(): v for k, v in self.headers.items()}
        self._answer()

    def do_POST(self) -> None:
        length = self._read_body()
        if length is None:
            self.close_connection = True
            return
        self.server.last_length = length
        self._answer()

    @override
    def log_message(self, format: str, *args: object) -> None:
        pass

    def _read_body(self) -> int | None:
        """Return the body's length, None when it was cut off."""
        if "Content-Length" in self.headers:
            return self._take(int(self.headers["Content-Length"]))
        total = 0
        while size := int(self.rfile.readline().strip() or b"-1", 16):
            if size < 0 or self._take(size) is None:
                return None
            total += size
            self.rfile.readline()
        return total

    def _take(self, size: int) -> int | None:
        left = size
        while left and (block := self.rfile.read(min(left, BLOCK_BYTES))):
            left -= len(block)
        return None if left else size

    def _answer(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
