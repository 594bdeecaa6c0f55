"""The proxy that we ship, in front of real web processes: nothing buffered, nothing lost."""

import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import psutil
import pytest

from benchmarks.ports import find_free_port
from tests.deploy.echo import EchoServer
from tests.deploy.proxied import (
    WEBS,
    ProxiedService,
    new_client,
    proxy_command,
    proxy_environment,
    require_proxy,
    run_behind_proxy,
)
from tests.journeys.service import TEST_KEY

pytestmark = pytest.mark.journey

UPLOADS = "/api/v1/videos/generate"
MEBIBYTE = 2**20
KINDS = ("read", "write", "write with key")
FORGED = {
    "X-Forwarded-For": "203.0.113.7",
    "X-Forwarded-Proto": "https",
    "X-Real-IP": "203.0.113.7",
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxiedService]:
    with run_behind_proxy(tmp_path_factory.mktemp("proxied")) as running:
        yield running


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[tuple[EchoServer, httpx.Client]]:
    """Run the proxy before a server that tells what has reached it."""
    program, port = require_proxy(), find_free_port()
    with EchoServer() as server, (tmp_path / "proxy.log").open("wb") as log:
        environment = proxy_environment(tmp_path, port=port, upstreams=[server.port])
        process = psutil.Popen(
            proxy_command(program), env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            with httpx.Client(
                base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False
            ) as client:
                _wait_for(client)
                yield server, client
        finally:
            process.terminate()
            process.wait(timeout=40)


def test_progress_arrives_while_the_job_runs(service: ProxiedService) -> None:
    job = _submit(service, prompt="sleep=4", num_inference_steps=40)

    with service.client.stream("GET", f"/api/v1/jobs/{job}/events") as stream:
        told = (line for line in stream.iter_lines() if line.startswith("data:"))
        moments = [time.monotonic() for _ in told]

    assert len(moments) >= 5
    assert moments[-1] - moments[0] > 1.5


def test_a_synchronous_request_is_waited_for(service: ProxiedService) -> None:
    answer = service.client.post("/api/v1/images/generate", json={"prompt": "sleep=3"})

    assert answer.status_code == 200
    assert service.client.get(answer.json()["image_url"]).headers["Content-Type"] == "image/png"


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "//metrics", "/%6detrics", "/./metrics"])
def test_figures_do_not_leave_the_house(service: ProxiedService, path: str) -> None:
    inside = httpx.get(
        f"http://127.0.0.1:{service.ports['web-1']}/metrics", trust_env=False, timeout=10
    )
    done = subprocess.run(
        ["curl", "-s", "--path-as-is", "-w", "%{http_code}", f"{service.url}{path}"],  # noqa: S607 - keeps odd paths as they are
        capture_output=True,
        text=True,
        check=True,
    )

    assert inside.status_code == 200
    assert "gv_workers" in inside.text
    assert done.stdout.endswith("404")
    assert "gv_" not in done.stdout


def test_an_upload_of_almost_25_mib_reaches_the_service(service: ProxiedService) -> None:
    answer = _upload(service, size_bytes=25 * MEBIBYTE - 4096)

    # It is no picture, and that is what the service says: it has read it.
    assert answer.status_code == 422
    assert answer.headers["X-Request-Id"]


def test_an_upload_of_30_mib_is_refused(service: ProxiedService) -> None:
    answer = _upload(service, size_bytes=30 * MEBIBYTE)

    assert answer.status_code == 413


def test_keys_are_not_in_the_proxys_log(service: ProxiedService) -> None:
    mark = uuid4().hex

    service.client.get(f"/api/v1/quota?signature={mark}")
    service.wait_until(lambda: "/api/v1/quota" in service.log_of("proxy"), seconds=10)

    assert TEST_KEY not in service.log_of("proxy")
    assert mark not in service.log_of("proxy")


def test_a_web_process_is_replaced_without_a_client_noticing(service: ProxiedService) -> None:
    """Readers, and writers with and without a key, while each of the two is stopped and started."""
    answers: Counter[tuple[str, int]] = Counter()
    is_over = threading.Event()
    clients = [
        threading.Thread(target=_keep_asking, args=(service, kind, answers, is_over))
        for kind in KINDS
    ]
    for client in clients:
        client.start()

    try:
        for name in WEBS:
            service.terminate(name)
            service.processes[name].wait(timeout=40)
            service.start_web(name)
            time.sleep(2.5)  # the proxy looks every second
    finally:
        is_over.set()
        for client in clients:
            client.join()

    # Once the day's quota is used up, a writer hears 429: an answer like another.
    assert {status for _, status in answers} <= {200, 202, 429}
    assert {kind for kind, _ in answers} == set(KINDS)
    assert answers.total() > 300


def test_what_a_client_says_about_its_address_is_dropped(
    echo: tuple[EchoServer, httpx.Client],
) -> None:
    server, client = echo

    client.get("/api/v1/quota", headers={**FORGED, "Forwarded": "for=203.0.113.7"})

    told = server.last_headers
    assert told["x-forwarded-for"] == "127.0.0.1"
    assert told["x-forwarded-proto"] == "http"
    assert told["x-real-ip"] == "127.0.0.1"
    assert "forwarded" not in told


def test_a_body_passes_whole_and_one_that_lies_about_its_length_does_not(
    echo: tuple[EchoServer, httpx.Client],
) -> None:
    server, client = echo
    chunk = b"x" * MEBIBYTE

    client.post(UPLOADS, content=chunk * 25)
    whole = server.last_length
    server.last_length = -1
    too_long = client.post(UPLOADS, content=iter([chunk] * 30))

    assert whole == 25 * MEBIBYTE
    assert too_long.status_code in {400, 413, 502}
    assert server.last_length == -1


@pytest.mark.parametrize(("believed", "status"), [("127.0.0.9", 200), ("127.0.0.1", 404)])
def test_a_web_process_believes_the_proxy_and_nobody_else(
    tmp_path: Path, believed: str, status: int
) -> None:
    """Figures are for this machine here: whoever is believed to come from elsewhere gets none."""
    service = ProxiedService(tmp_path, program="")
    service.more_environment = {
        "FORWARDED_ALLOW_IPS": believed,
        "GEN_VIDEO_METRICS_ACCESS": "local",
    }
    try:
        assert service.run_command("migrate").returncode == 0
        service.start_web("web-1")
        address = f"http://127.0.0.1:{service.ports['web-1']}/metrics"

        answer = httpx.get(address, headers=FORGED, trust_env=False, timeout=10)
    finally:
        service.close()

    assert answer.status_code == status


def _submit(service: ProxiedService, **fields: object) -> str:
    answer = service.client.post(
        "/api/v1/images/generate", json=fields, headers={"Prefer": "respond-async"}
    )
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["task_id"]
    return job_id


def _upload(service: ProxiedService, *, size_bytes: int) -> httpx.Response:
    return service.client.post(
        UPLOADS,
        data={"prompt": "sleep=0"},
        files={"image": ("frame.png", bytes(size_bytes), "image/png")},
    )


def _keep_asking(
    service: ProxiedService,
    kind: str,
    answers: Counter[tuple[str, int]],
    is_over: threading.Event,
) -> None:
    with new_client(service) as client:
        while not is_over.is_set():
            if kind == "read":
                answer = client.get("/api/v1/quota")
            else:
                answer = _write(client, has_key=kind == "write with key")
            answers[kind, answer.status_code] += 1
            time.sleep(0.02)


def _write(client: httpx.Client, *, has_key: bool) -> httpx.Response:
    headers = {"Prefer": "respond-async"}
    if has_key:
        headers["Idempotency-Key"] = uuid4().hex
    return client.post("/api/v1/images/generate", json={"prompt": "sleep=0"}, headers=headers)


def _wait_for(client: httpx.Client) -> None:
    give_up_at = time.monotonic() + 30
    while True:
        try:
            if client.get("/").is_success:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < give_up_at
        time.sleep(0.1)
