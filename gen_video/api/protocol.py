"""The HTTP protocol of our own web processes: headers are bounded in size and time.

The server reads headers without any limit: one endless line keeps the event loop busy, and a
connection that sends nothing stays open for ever. Bodies have their own bounds in `middleware`.
"""

import json
import secrets
from asyncio import TimerHandle, Transport
from http import HTTPStatus

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEADER_BYTES = 64 * 1024
HEADER_SECONDS = 20.0
LINGER_SECONDS = 0.5


class GuardedProtocol(HttpToolsProtocol):
    """One connection; refuses headers that are too large or do not come."""

    _header_bytes = 0
    _is_in_headers = True
    _deadline: TimerHandle | None = None

    @override
    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as the base class says
        super().connection_made(transport)
        self._expect_headers()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._end_of_headers()
        super().connection_lost(exc)

    @override
    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # Counted afterwards: a chunk may hold the end of the headers and much of a body.
        if self._is_in_headers and not self.transport.is_closing():
            self._header_bytes += len(data)
            if self._header_bytes > MAX_HEADER_BYTES:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large")

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect_headers()

    @override
    def on_headers_complete(self) -> None:
        self._end_of_headers()
        super().on_headers_complete()

    @override
    def send_400_response(self, msg: str) -> None:
        self._refuse(HTTPStatus.BAD_REQUEST, "bad_request")

    def _expect_headers(self) -> None:
        self._end_of_headers()
        self._is_in_headers, self._header_bytes = True, 0
        self._deadline = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def _end_of_headers(self) -> None:
        self._is_in_headers = False
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "header_timeout")

    def _refuse(self, status: HTTPStatus, code: str) -> None:
        """Answer in the form of every other error, and close."""
        self._end_of_headers()
        body, request_id = _problem(status, code)
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\n"
            "content-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\n"
            f"x-request-id: {request_id}\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        # Closing with unread bytes would reset the connection, and the answer with it.
        self.transport.pause_reading()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)


WORDS = {
    "bad_request": "This is no valid HTTP request. / 无效的 HTTP 请求。",
    "headers_too_large": f"The headers exceed {MAX_HEADER_BYTES} bytes. / 请求头超过上限。",
    "header_timeout": f"No headers came within {HEADER_SECONDS:g} s. / 未及时收到请求头。",
}


def _problem(status: HTTPStatus, code: str) -> tuple[bytes, str]:
    request_id = f"req_{secrets.token_hex(12)}"
    detail = WORDS[code]
    body: dict[str, object] = {
        "type": f"https://gen-video.invalid/problems/{code}",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "code": code,
        "request_id": request_id,
        "errors": [],
        "error": {
            "message": detail,
            "type": "invalid_request_error",
            "param": None,
            "code": code,
        },
    }
    return json.dumps(body, ensure_ascii=False).encode(), request_id
