"""Server-sent events, read piece by piece as the bytes arrive.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

MOST_BUFFERED_BYTES = 32 * 2**20
_LINE_END = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerEvent:
    """One event as it stands in the stream."""

    name: str
    event_id: str
    data: str


@dataclass(slots=True)
class EventParser:
    """Takes bytes, gives the events that they complete. Comments (heartbeats) give nothing."""

    _pending: bytes = b""
    _is_first: bool = True
    _event_id: str = ""
    _name: str = ""
    _data: list[str] = field(default_factory=list)

    def feed(self, chunk: bytes) -> Iterator[ServerEvent]:
        """Yield the events that are complete now.

        Raises:
            ValueError: A single line is far too long to be an event of this service.
        """
        self._pending += chunk
        for line in self._take_lines():
            event = self._take_line(line)
            if event is not None:
                yield event

    def _take_lines(self) -> Iterator[str]:
        start = 0
        for end in _LINE_END.finditer(self._pending):
            if end.end() == len(self._pending) and end[0] == b"\r":
                break  # perhaps one half of \r\n
            yield self._decode(self._pending[start : end.start()])
            start = end.end()
        self._pending = self._pending[start:]
        if len(self._pending) > MOST_BUFFERED_BYTES:
            raise ValueError("a line of the event stream does not end")

    def _decode(self, line: bytes) -> str:
        text = line.decode("utf-8", "replace")
        if self._is_first:
            self._is_first = False
            return text.removeprefix("\ufeff")
        return text

    def _take_line(self, line: str) -> ServerEvent | None:
        if not line:
            return self._finish()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                self._name = value
            case "data":
                self._data.append(value)
            case "id" if "\0" not in value:
                self._event_id = value
            case _:
                pass  # a comment, or a field that is not ours
        return None

    def _finish(self) -> ServerEvent | None:
        name, data = self._name or "message", self._data
        self._name, self._data = "", []
        if not data:
            return None
        return ServerEvent(name=name, event_id=self._event_id, data="\n".join(data))
