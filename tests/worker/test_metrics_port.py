"""The worker's own port for Prometheus."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gen_video.telemetry.metrics import Metrics
from gen_video.worker.metrics_port import MetricsPortError, open_metrics_port


@pytest.fixture
def metrics(tmp_path: Path) -> Metrics:
    return Metrics(tmp_path)


@pytest.fixture
def address(metrics: Metrics) -> Iterator[str]:
    server = open_metrics_port("127.0.0.1", 0, metrics)
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def get(url: str) -> httpx.Response:
    return httpx.get(url, trust_env=False, timeout=5)


def test_what_the_worker_counted_is_told(metrics: Metrics, address: str) -> None:
    metrics.job_finished(kind="image", model="mini", status="succeeded", seconds=1.5)

    answer = get(f"{address}/metrics")

    assert answer.status_code == 200
    assert 'gv_jobs_total{kind="image",model="mini",status="succeeded"} 1.0' in answer.text


def test_it_says_that_it_lives(address: str) -> None:
    assert get(f"{address}/health/live").json() == {"status": "ok"}


@pytest.mark.parametrize("path", ["/", "/metrics/", "/api/v1/jobs", "/metrics?x=1"])
def test_nothing_else_is_there(address: str, path: str) -> None:
    assert get(f"{address}{path}").status_code == 404


def test_a_port_that_is_taken_is_said_in_one_line(metrics: Metrics, address: str) -> None:
    port = int(address.rpartition(":")[2])

    with pytest.raises(MetricsPortError, match=f"port {port} cannot be used"):
        open_metrics_port("127.0.0.1", port, metrics)
