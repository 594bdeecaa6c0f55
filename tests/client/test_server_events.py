"""The reader of server-sent events, wherever the bytes are cut."""

import pytest

from gen_video.client.server_events import EventParser, ServerEvent

STREAM = (
    '\ufeffid: 1\nevent: progress\ndata: {"a":\ndata: 1}\n\n'
    ": still here\n\n"
    "retry: 10\r\nid:2\r\ndata:雪山\r\n\r\n"
    "event: empty\n\n"
    "id: bad\0\rdata: x\r\r"
    "event: unfinished\ndata: never"
).encode()
EXPECTED = [
    ServerEvent(name="progress", event_id="1", data='{"a":\n1}'),
    ServerEvent(name="message", event_id="2", data="雪山"),
    ServerEvent(name="message", event_id="2", data="x"),
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_the_same_however_the_bytes_arrive(size: int) -> None:
    parser = EventParser()

    found = [
        event
        for start in range(0, len(STREAM), size)
        for event in parser.feed(STREAM[start : start + size])
    ]

    assert found == EXPECTED


def test_a_line_without_end_is_not_kept_for_ever() -> None:
    parser = EventParser()

    def feed_far_too_much() -> None:
        for _ in range(40):
            list(parser.feed(b"x" * 2**20))

    with pytest.raises(ValueError, match="does not end"):
        feed_far_too_much()
