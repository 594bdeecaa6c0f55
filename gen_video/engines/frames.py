"""Frames: how the worker and its engine child talk over one socket.

A frame is two big-endian 32-bit lengths, a JSON header and a raw payload (pixels, a reference
image). Nothing is ever unpickled.
"""

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LENGTHS = struct.Struct("!II")
MAX_HEADER_BYTES = 4 * 1024 * 1024
MAX_PAYLOAD_BYTES = 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Frame:
    """One message: `header["type"]` says what it is."""

    header: dict[str, Any]
    payload: bytes = b""

    @property
    def kind(self) -> str:
        """Return the message's type."""
        return str(self.header["type"])


class FrameSocket:
    """Sends and receives frames; sending is safe from several threads."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._sending = threading.Lock()

    def send(self, kind: str, payload: bytes = b"", **fields: object) -> None:
        """Send one frame.

        Raises:
            OSError: The other side is gone.
        """
        header = json.dumps({"type": kind, **fields}).encode()
        with self._sending:
            self._connection.sendall(LENGTHS.pack(len(header), len(payload)) + header)
            if payload:
                self._connection.sendall(payload)

    def receive(self) -> Frame | None:
        """Wait for one frame; None when the other side is gone.

        Raises:
            ValueError: The other side sent something that is no frame.
        """
        lengths = self._read(LENGTHS.size)
        if lengths is None:
            return None
        header_bytes, payload_bytes = LENGTHS.unpack(lengths)
        if header_bytes > MAX_HEADER_BYTES or payload_bytes > MAX_PAYLOAD_BYTES:
            raise ValueError(f"frame of {header_bytes} + {payload_bytes} bytes")
        header = self._read(header_bytes)
        payload = self._read(payload_bytes) if payload_bytes else b""
        if header is None or payload is None:
            return None
        return Frame(_object(json.loads(header)), payload)

    def close(self) -> None:
        """Close the socket; a blocked `receive` on another thread ends."""
        with contextlib.suppress(OSError):  # the other side may be gone already
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _read(self, size: int) -> bytes | None:
        buffer = bytearray(size)
        view = memoryview(buffer)
        filled = 0
        while filled < size:
            try:
                count = self._connection.recv_into(view[filled:])
            except OSError:
                return None
            if count == 0:
                return None
            filled += count
        return bytes(buffer)


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping) or "type" not in value:
        raise ValueError("a frame's header is an object with a type")
    return dict(value)
