"""Frames arrive whole and in order, or not at all; nonsense is refused, nothing is unpickled."""

import os
import pickle
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typing_extensions import override

from gen_video.engines.frames import (
    LENGTHS,
    MAX_HEADER_BYTES,
    MAX_PAYLOAD_BYTES,
    Frame,
    FrameSocket,
)

Ends = tuple[socket.socket, socket.socket]
NONSENSE = "header|Expecting|codec"


@pytest.fixture
def ends() -> Iterator[Ends]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def raw(header: bytes, payload: bytes = b"") -> bytes:
    """Return the bytes of a frame with any header."""
    return LENGTHS.pack(len(header), len(payload)) + header + payload


def test_a_frame_arrives_as_it_was_sent(ends: Ends) -> None:
    FrameSocket(ends[0]).send("picture", b"\x00\xff" * 3, index=1, prompt="雪山 🌄")

    frame = FrameSocket(ends[1]).receive()

    assert frame == Frame({"type": "picture", "index": 1, "prompt": "雪山 🌄"}, b"\x00\xff" * 3)
    assert frame.kind == "picture"


def test_frames_arrive_in_order(ends: Ends) -> None:
    sender, receiver = FrameSocket(ends[0]), FrameSocket(ends[1])
    for number in range(20):
        sender.send("step", b"x" * number, number=number)

    frames = [receiver.receive() for _ in range(20)]

    assert [(frame.header["number"], len(frame.payload)) for frame in frames if frame] == [
        (number, number) for number in range(20)
    ]


def test_a_payload_larger_than_any_buffer_arrives(ends: Ends) -> None:
    payload = bytes(range(256)) * 16 * 1024
    sending = threading.Thread(target=FrameSocket(ends[0]).send, args=("picture", payload))

    sending.start()
    frame = FrameSocket(ends[1]).receive()
    sending.join()

    assert frame is not None
    assert frame.payload == payload


def test_threads_may_send_at_once(ends: Ends) -> None:
    sender, receiver = FrameSocket(ends[0]), FrameSocket(ends[1])
    payloads = [bytes([number]) * 50_000 for number in range(8)]
    threads = [threading.Thread(target=sender.send, args=("p", payload)) for payload in payloads]

    for thread in threads:
        thread.start()
    received = [receiver.receive() for _ in threads]
    for thread in threads:
        thread.join()

    assert sorted(frame.payload for frame in received if frame) == payloads


def test_bytes_may_trickle(ends: Ends) -> None:
    whole = raw(b'{"type": "step"}', b"abc")

    def trickle() -> None:
        for index in range(len(whole)):
            ends[0].sendall(whole[index : index + 1])

    sending = threading.Thread(target=trickle)
    sending.start()
    frame = FrameSocket(ends[1]).receive()
    sending.join()

    assert frame == Frame({"type": "step"}, b"abc")


@pytest.mark.parametrize("sent", [b"", b"\x00", raw(b'{"type": "x"}', b"abc")[:-1], raw(b"{}")[:9]])
def test_a_frame_cut_by_the_end_of_the_other_side_is_no_frame(ends: Ends, sent: bytes) -> None:
    ends[0].sendall(sent)
    ends[0].close()

    assert FrameSocket(ends[1]).receive() is None


@pytest.mark.parametrize(
    "header", [b"[]", b"{}", b"null", b'"type"', b"{", b"\xff\xfe", b'["type"]', b""]
)
def test_a_header_that_makes_no_sense_is_refused(ends: Ends, header: bytes) -> None:
    ends[0].sendall(raw(header))

    with pytest.raises(ValueError, match=NONSENSE):
        FrameSocket(ends[1]).receive()


@pytest.mark.parametrize(
    "lengths", [(MAX_HEADER_BYTES + 1, 0), (10, MAX_PAYLOAD_BYTES + 1), (2**32 - 1, 2**32 - 1)]
)
def test_a_frame_larger_than_any_of_ours_is_refused_before_it_is_read(
    ends: Ends, lengths: tuple[int, int]
) -> None:
    ends[0].sendall(struct.pack("!II", *lengths))

    with pytest.raises(ValueError, match="frame of"):
        FrameSocket(ends[1]).receive()


def test_a_pickle_is_never_read(ends: Ends, tmp_path: Path) -> None:
    class Canary:
        @override
        def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
            return os.mkdir, (str(tmp_path / "cage"),)

    ends[0].sendall(raw(pickle.dumps(Canary())))

    with pytest.raises(ValueError, match=NONSENSE):
        FrameSocket(ends[1]).receive()
    assert not (tmp_path / "cage").exists()


def test_closing_wakes_whoever_waits(ends: Ends) -> None:
    waiting = FrameSocket(ends[0])
    found: list[Frame | None] = []
    thread = threading.Thread(target=lambda: found.append(waiting.receive()))

    thread.start()
    waiting.close()
    thread.join(timeout=30)

    assert found == [None]


def test_a_socket_may_be_closed_twice(ends: Ends) -> None:
    frames = FrameSocket(ends[0])

    frames.close()
    frames.close()

    assert frames.receive() is None


def test_sending_to_nobody_is_an_error(ends: Ends) -> None:
    ends[1].close()

    with pytest.raises(BrokenPipeError):
        FrameSocket(ends[0]).send("step", bytes(1024))


def test_what_is_no_json_cannot_be_sent(ends: Ends) -> None:
    with pytest.raises(TypeError):
        FrameSocket(ends[0]).send("step", value=b"bytes")
