"""A port of the worker's own for Prometheus: on machines where no web process adds its counters up.

Answers `GET /metrics` and `GET /health/live`, and nothing else; meant for the inside of a network.
"""

import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import structlog
from typing_extensions import override

from gen_video.errors import ServiceError
from gen_video.telemetry.metrics import Metrics

SOCKET_SECONDS = 5.0

log = structlog.get_logger(__name__)


class MetricsPortError(ServiceError):
    """The port for metrics cannot be had."""

    code = "metrics_port_unusable"
    message_en = "GEN_VIDEO_WORKER_METRICS_PORT: port {port} cannot be used: {reason}"
    message_zh = "GEN_VIDEO_WORKER_METRICS_PORT：端口 {port} 无法使用：{reason}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], metrics: Metrics) -> None:
        self.metrics = metrics
        super().__init__(address, _Handler)

    @override
    def handle_error(self, request: object, client_address: object) -> None:
        log.debug("metrics_client_left")


class _Handler(BaseHTTPRequestHandler):
    timeout = SOCKET_SECONDS
    server: _Server

    def do_GET(self) -> None:
        """Answer one question."""
        if self.path == "/metrics":
            try:
                body, media_type = self.server.metrics.render()
            except OSError:
                self._answer(HTTPStatus.SERVICE_UNAVAILABLE, b"", "text/plain")
                return
            self._answer(HTTPStatus.OK, body, media_type)
        elif self.path == "/health/live":
            self._answer(HTTPStatus.OK, b'{"status":"ok"}', "application/json")
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"", "text/plain")

    @override
    def log_message(self, format: str, *args: object) -> None:
        return  # scrapes come every few seconds and say nothing

    def _answer(self, status: HTTPStatus, body: bytes, media_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def open_metrics_port(host: str, port: int, metrics: Metrics) -> ThreadingHTTPServer:
    """Serve a process's metrics on a thread; `shutdown` ends it.

    Raises:
        MetricsPortError: The port cannot be had.
    """
    try:
        server = _Server((host, port), metrics)
    except OSError as error:
        raise MetricsPortError(port=port, reason=error.strerror or type(error).__name__) from error
    threading.Thread(target=server.serve_forever, name="metrics-port", daemon=True).start()
    return server
