"""A proxy that forwards requests and loses some answers, as a bad network does."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
from typing_extensions import override

HOP = {"connection", "content-length", "transfer-encoding", "host", "keep-alive"}


class DroppingProxy:
    """What happened at the proxy, and how many answers it still loses.

    Args:
        target: The service.
        drops: How many answers to requests that create something are lost.
        is_patient: Whether an answer is awaited before it is lost; else the connection ends as
            soon as the request was forwarded.
    """

    def __init__(self, target: str, *, drops: int, is_patient: bool) -> None:
        self._drops = drops
        self._is_patient = is_patient
        self._lock = threading.Lock()
        self._client = httpx.Client(base_url=target, timeout=60, trust_env=False)
        self._late: list[threading.Thread] = []
        self.requests: list[str] = []
        self.retry_counts: list[str] = []

    def must_drop(self, method: str) -> bool:
        """Tell whether this answer gets lost."""
        with self._lock:
            if method != "POST" or self._drops == 0:
                return False
            self._drops -= 1
            return True

    def forward(self, handler: BaseHTTPRequestHandler) -> httpx.Response | None:
        """Pass a request on; None when its answer was lost."""
        length = int(handler.headers.get("content-length", 0))
        body = handler.rfile.read(length)
        self.requests.append(f"{handler.command} {handler.path}")
        self.retry_counts.append(handler.headers.get("x-stainless-retry-count", ""))
        headers = {
            name: value for name, value in handler.headers.items() if name.lower() not in HOP
        }
        request = self._client.build_request(
            handler.command, handler.path, headers=headers, content=body
        )
        if not self.must_drop(handler.command):
            return self._client.send(request)
        if self._is_patient:
            self._client.send(request)
        else:
            thread = threading.Thread(target=self._client.send, args=(request,))
            thread.start()
            self._late.append(thread)
        return None

    def close(self) -> None:
        """Wait for requests whose answers nobody awaits."""
        for thread in self._late:
            thread.join(timeout=60)
        self._client.close()


@contextmanager
def dropping_proxy(
    target: str, *, drops: int, is_patient: bool = True
) -> Iterator[tuple[str, DroppingProxy]]:
    """Run a proxy; give its address and what happens at it."""
    proxy = DroppingProxy(target, drops=drops, is_patient=is_patient)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            answer = proxy.forward(self)
            if answer is None:
                self.close_connection = True
                return
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name.lower() not in HOP | {"content-encoding"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_DELETE = _pass  # noqa: N815 - the names that the base class calls

        @override
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", proxy
    finally:
        server.shutdown()
        server.server_close()
        proxy.close()
