"""Bytes on a real socket: bodies that never end, lie about their size, or come too slowly."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn

from gen_video.api import middleware, protocol
from gen_video.api.app import create_app
from gen_video.api.protocol import GuardedProtocol
from gen_video.settings import Settings
from gen_video.wiring import build_services

HEAD = "POST /api/v1/images/generate HTTP/1.1\r\nHost: x\r\nX-API-Key: test-key-123\r\n"
JSON_HEAD = HEAD + "Content-Type: application/json\r\nPrefer: respond-async\r\n"


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Return the port of a real server."""
    services = build_services(
        Settings(
            _env_file=None,
            data_dir=tmp_path / "data",
            output_dir=tmp_path / "outputs",
            enable_test_model=True,
            default_image_model="test-double",
        )
    )
    app = create_app(services, prepare=services.migrate)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, http=GuardedProtocol))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(timeout=20)


@contextmanager
def connection(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=15) as made:
        yield made


def read_answer(connected: socket.socket) -> bytes:
    """Return what the server sends until it closes or has sent a whole answer."""
    received = b""
    while b"\r\n\r\n" not in received or b'"error"' not in received:
        try:
            data = connected.recv(65536)
        except ConnectionResetError:
            return received
        if not data:
            return received
        received += data
    return received


def test_a_chunked_body_without_end_is_cut_off(port: int) -> None:
    with connection(port) as connected:
        connected.sendall((JSON_HEAD + "Transfer-Encoding: chunked\r\n\r\n").encode())
        try:
            for _ in range(100):
                connected.sendall(b"10000\r\n" + b"a" * 65536 + b"\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before all was sent: what is wanted

        answer = read_answer(connected)

    assert answer.startswith(b"HTTP/1.1 413") or answer == b""


def test_a_body_that_is_announced_too_large_is_refused_before_it_is_sent(port: int) -> None:
    with connection(port) as connected:
        connected.sendall((JSON_HEAD + "Content-Length: 100000000\r\n\r\n").encode())

        answer = read_answer(connected)

    assert answer.startswith(b"HTTP/1.1 413")
    assert b"body_too_large" in answer


def test_a_body_that_does_not_come_is_a_timeout(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "BODY_SECONDS", 0.3)
    with connection(port) as connected:
        connected.sendall((JSON_HEAD + "Content-Length: 50\r\n\r\n{").encode())

        answer = read_answer(connected)

    assert answer.startswith(b"HTTP/1.1 408")
    assert b"body_timeout" in answer


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x00\x01\x02\x03\r\n\r\n",
        b"GET /api/v1/quota HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"GET /api/v1/quota HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n",
    ],
    ids=["version", "binary", "negative length", "two lengths", "endless address"],
)
def test_what_is_no_http_is_refused_and_the_server_goes_on(port: int, request_line: bytes) -> None:
    with connection(port) as connected:
        connected.sendall(request_line)
        connected.shutdown(socket.SHUT_WR)
        answer = read_answer(connected)

    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    with connection(port) as connected:
        connected.sendall(
            b"GET /api/v1/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        assert connected.recv(100).startswith(b"HTTP/1.1 200")


def test_a_client_that_hangs_up_cancels_nothing(port: int) -> None:
    body = b'{"prompt": "a lake"}'
    with connection(port) as connected:
        connected.sendall(
            (
                HEAD + f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            ).encode()
            + body
        )
        time.sleep(0.5)

    with connection(port) as connected:
        connected.sendall(
            b"GET /api/v1/jobs HTTP/1.1\r\nHost: x\r\nX-API-Key: test-key-123\r\n"
            b"Connection: close\r\n\r\n"
        )
        answer = b""
        while data := connected.recv(65536):
            answer += data

    assert b'"status":"queued"' in answer


def read_metrics(port: int) -> bytes:
    """Return what `/metrics` says now."""
    with connection(port) as connected:
        connected.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        metrics = b""
        while data := connected.recv(65536):
            metrics += data
    return metrics


def test_headers_without_end_are_refused_early(port: int) -> None:
    sent = 0
    with connection(port) as connected:
        connected.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\nX-Endless: ")
        try:
            while sent < 50_000_000:
                sent += connected.send(b"b" * 65536)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before all was sent: what is wanted

    assert sent < 20_000_000


def test_large_headers_are_a_clear_error(port: int) -> None:
    with connection(port) as connected:
        connected.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Large: " + b"b" * 70_000)

        answer = read_answer(connected)

    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b'"code": "headers_too_large"' in answer
    assert b"x-request-id: req_" in answer


def test_headers_that_end_in_time_may_be_followed_by_a_large_body(port: int) -> None:
    prompt = "a" * 300_000
    body = f'{{"prompt": "{prompt}"}}'.encode()
    head = JSON_HEAD + f"Content-Length: {len(body)}\r\n\r\n"
    with connection(port) as connected:
        connected.sendall(head.encode() + body)

        answer = read_answer(connected)

    assert answer.startswith(b"HTTP/1.1 422 ")
    assert b"text_too_long" in answer


@pytest.mark.parametrize("sent", [b"", b"GE", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_headers_that_do_not_come_are_a_timeout(
    port: int, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(protocol, "HEADER_SECONDS", 0.3)
    with connection(port) as connected:
        connected.sendall(sent)

        answer = read_answer(connected)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code": "header_timeout"' in answer


def test_a_connection_serves_many_requests_however_long_it_lives(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEADER_SECONDS", 0.3)
    answer = b""
    with connection(port) as connected:
        for _ in range(3):
            connected.sendall(b"GET /api/v1/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while not answer.endswith(b'{"status":"ok"}'):
                answer += connected.recv(65536)
            time.sleep(0.5)

        assert answer.startswith(b"HTTP/1.1 200 ")


def test_a_request_that_is_cut_off_is_no_error_of_ours(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    with connection(port) as connected:
        connected.sendall((JSON_HEAD + "Content-Length: 100\r\n\r\n{").encode())

    metrics = b""
    give_up_at = time.monotonic() + 20
    while b'status="499"' not in metrics and time.monotonic() < give_up_at:
        metrics = read_metrics(port)

    assert b'status="499"' in metrics
    assert b'status="500"' not in metrics
    assert "request_crashed" not in caplog.text
