"""An exchange: one request over one connection, HTTP/1.1, read within bounds of bytes and time.

Nothing is decompressed: what counts against the limit is what the server sent.
"""

import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import h11

from gen_video.egress.connections import Deadline
from gen_video.egress.fetcher import (
    UNKNOWN_TYPE,
    Fetched,
    UrlTooLargeError,
    UrlUnreachableError,
    media_type,
    require_accepted,
)
from gen_video.egress.targets import Target

HEAD_BYTES = 32 * 1024
RECEIVE_BYTES = 16 * 1024
MAX_INTERIM_RESPONSES = 4
FREE_PARTS = 4096
MEAN_PART_BYTES = 256
"""Beyond the free ones: a body of one-byte chunks costs a thousand times its size in work."""
DROPPED_BYTES = 64 * 1024
DROPPED_SECONDS = 1.0
"""An answer to a POST is its status. So much of its body is taken in, for the server's sake."""
REDIRECTS = frozenset({301, 302, 303, 307, 308})
USER_AGENT = "gen-video"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the caller takes."""

    max_bytes: int
    accept: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """An answer that sends us elsewhere."""

    location: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """An answer to a POST. `retry_after` is that header as it came, empty without one."""

    status_code: int
    retry_after: str


class Exchange:
    """The two sides of one request.

    All methods may raise `OSError`, `TimeoutError` among them, and `h11.ProtocolError`.
    """

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self._connection = connection
        self._deadline = deadline
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES)

    def get(self, target: Target, wanted: Wanted) -> Fetched | Redirect:
        """Ask for the target and return its answer.

        Raises:
            UrlUnreachableError: A status, encoding or type that cannot be used.
            UrlTooLargeError: More bytes than are wanted.
        """
        self._send("GET", target, [("Accept", ", ".join(wanted.accept))])
        response = self._read_head()
        if response.status_code in REDIRECTS and _find_header(response, b"location"):
            return Redirect(location=_find_header(response, b"location"))
        content_type = _check_head(response, wanted)
        return Fetched(data=self._read_body(wanted.max_bytes), content_type=content_type)

    def post(self, target: Target, body: bytes, headers: Sequence[tuple[str, str]]) -> Posted:
        """Send a body to the target and return the answer; what it says is not looked at."""
        own = [*headers, ("Content-Length", str(len(body))), ("Accept", "*/*")]
        self._send("POST", target, own, body)
        response = self._read_head()
        self._drop_body()
        retry_after = _find_header(response, b"retry-after")
        return Posted(status_code=response.status_code, retry_after=retry_after)

    def _drop_body(self) -> None:
        """Take in a little of the body: closing a connection with unread bytes resets it."""
        self._deadline = self._deadline.at_most(DROPPED_SECONDS)
        dropped = 0
        try:
            for data in self._read_parts():
                dropped += len(data)
                if dropped > DROPPED_BYTES:
                    return
        except (OSError, h11.ProtocolError):
            return  # the status has come, and it alone counts

    def _send(
        self,
        method: str,
        target: Target,
        own_headers: Sequence[tuple[str, str]],
        body: bytes = b"",
    ) -> None:
        headers = [
            ("Host", target.host_header),
            ("User-Agent", USER_AGENT),
            *own_headers,
            ("Accept-Encoding", "identity"),
            ("Connection", "close"),
        ]
        events = [
            h11.Request(method=method, target=target.path, headers=headers),
            *([h11.Data(data=body)] if body else []),
            h11.EndOfMessage(),
        ]
        data = b"".join(self._parser.send(event) or b"" for event in events)
        self._connection.settimeout(self._deadline.remaining_seconds())
        self._connection.sendall(data)

    def _read_head(self) -> h11.Response:
        for _ in range(1 + MAX_INTERIM_RESPONSES):
            event = self._next_event()
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse):
                break
        raise h11.RemoteProtocolError("no response")

    def _read_body(self, max_bytes: int) -> bytes:
        body = bytearray()
        for count, data in enumerate(self._read_parts()):
            body += data
            if len(body) > max_bytes:
                raise UrlTooLargeError(max_bytes=max_bytes)
            if count > FREE_PARTS + len(body) // MEAN_PART_BYTES:
                raise h11.RemoteProtocolError("the parts of the body are too small")
        return bytes(body)

    def _read_parts(self) -> Iterator[bytes]:
        while isinstance(event := self._next_event(), h11.Data):
            yield event.data
        if not isinstance(event, h11.EndOfMessage):
            raise h11.RemoteProtocolError("the body has no end")

    def _next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while (event := self._parser.next_event()) is h11.NEED_DATA:
            self._connection.settimeout(self._deadline.remaining_seconds())
            self._parser.receive_data(self._connection.recv(RECEIVE_BYTES))
        return event


def _check_head(response: h11.Response, wanted: Wanted) -> str:
    """Return the media type of a response whose body is worth reading."""
    if not 200 <= response.status_code < 300:  # noqa: PLR2004 - success, of RFC 9110
        raise UrlUnreachableError(
            reason=f"the server answered with status {response.status_code}",
            reason_zh=f"服务器返回了状态码 {response.status_code}",
            upstream_status=response.status_code,
        )
    if _find_header(response, b"content-encoding").lower() not in {"", "identity"}:
        raise UrlUnreachableError(
            reason="the server sends it compressed although we asked it not to",
            reason_zh="服务器无视请求，返回了压缩后的内容",
        )
    content_type = media_type(_find_header(response, b"content-type") or UNKNOWN_TYPE)
    require_accepted(content_type, wanted.accept)
    if int(_find_header(response, b"content-length") or 0) > wanted.max_bytes:
        raise UrlTooLargeError(max_bytes=wanted.max_bytes)
    return content_type


def _find_header(response: h11.Response, name: bytes) -> str:
    """Return a header's values joined by commas, empty where it is missing."""
    values = [value for header, value in response.headers if header == name]
    return ", ".join(value.decode("utf-8", "replace").strip() for value in values)
