"""What an operator sees: health, metrics, documents, settings that change them."""

import re
import subprocess
import sys

import pytest

from gen_video.errors import ServiceUnavailableError
from gen_video.settings import Environment
from gen_video.storage.objects import StorageFullError
from tests.api.conftest import ASYNC, GENERATE, SMALL, Door, OpenDoor, worker_of


def read_metric(door: Door, name: str) -> float:
    text = door.client.get("/metrics").text
    found = re.findall(rf"^{re.escape(name)} ([0-9.e+-]+)$", text, re.MULTILINE)
    return float(found[0]) if found else 0.0


@pytest.fixture
def local(open_door: OpenDoor) -> Door:
    """Return an application whose metrics the test client may read; it has no address."""
    return open_door(metrics_access="open")


def test_counters_move(local: Door) -> None:
    route = 'gv_http_requests_total{method="POST",route="/api/v1/images/generate",status="202"}'
    for _ in range(2):
        local.client.post(GENERATE, json=SMALL | {"n": 4}, headers=ASYNC)
    local.client.post(GENERATE, json=SMALL | {"n": 4}, headers=ASYNC)

    assert read_metric(local, route) == 2
    assert read_metric(local, 'gv_jobs_queued{kind="image"}') == 2
    assert read_metric(local, 'gv_quota_refusals_total{kind="image",tier="free"}') == 1


def test_finished_jobs_are_counted_and_timed(local: Door) -> None:
    with worker_of(local.services):
        local.client.post(GENERATE, json=SMALL)

    labels = '{kind="image",model="test-double",status="succeeded"}'
    assert read_metric(local, f"gv_jobs_total{labels}") == 1
    assert read_metric(local, 'gv_job_wait_seconds_count{kind="image"}') == 1


def test_an_unknown_path_does_not_make_a_new_series(local: Door) -> None:
    for number in range(20):
        local.client.get(f"/nothing/{number}")

    assert (
        read_metric(local, 'gv_http_requests_total{method="GET",route="unmatched",status="404"}')
        == 20
    )
    assert "/nothing/" not in local.client.get("/metrics").text


@pytest.mark.parametrize("access", ["local", "off"])
def test_metrics_are_not_for_everybody(open_door: OpenDoor, access: str) -> None:
    door = open_door(metrics_access=access)

    assert door.client.get("/metrics").status_code == 404


def test_health_without_a_worker_is_degraded_and_still_ready(door: Door) -> None:
    assert door.client.get("/api/v1/health").json()["checks"]["engine"] == "no_worker"
    assert door.client.get("/api/v1/health").json()["status"] == "degraded"
    assert door.client.get("/api/v1/health/ready").status_code == 200


def test_a_full_disk_is_not_ready(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def probe(_self: object) -> int:
        raise StorageFullError("no room")

    monkeypatch.setattr(type(door.services.objects), "probe", probe)

    answer = door.client.get("/api/v1/health/ready")

    assert answer.status_code == 503
    assert answer.json()["checks"]["storage"] == "full"


def test_a_database_that_is_away_is_503_and_says_so(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(_self: object, _work: object) -> object:
        raise ServiceUnavailableError("the database does not answer")

    monkeypatch.setattr(type(door.services.database), "read", read)

    health = door.client.get("/api/v1/health")
    call = door.client.get("/api/v1/models")

    assert health.json()["checks"]["database"] == "unavailable"
    assert door.client.get("/api/v1/health/ready").status_code == 503
    assert (call.status_code, call.json()["code"]) == (503, "service_unavailable")
    assert call.headers["Retry-After"]


def test_the_document_pages_are_our_own(door: Door) -> None:
    for page in ("/docs", "/redoc"):
        answer = door.client.get(page)
        sources = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
        assert answer.status_code == 200
        assert [url for url in sources if not url.startswith(("/static/", "data:"))] == []
        assert [
            url for url in sources if door.client.get(url).status_code != 200 and url[0] == "/"
        ] == []
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("setting", [True, False, None])
def test_documents_can_be_turned_off(open_door: OpenDoor, setting: bool | None) -> None:  # noqa: FBT001 - a setting's value
    door = open_door(docs_enabled=setting)

    expected = 404 if setting is False else 200
    assert {door.client.get(path).status_code for path in ("/docs", "/redoc", "/openapi.json")} == {
        expected
    }


def test_production_has_no_documents_and_no_test_keys(open_door: OpenDoor) -> None:
    door = open_door(environment=Environment.PRODUCTION)

    assert door.client.get("/docs").status_code == 404
    assert door.client.get("/api/v1/quota").status_code == 401


def test_only_trusted_hosts_are_answered(open_door: OpenDoor) -> None:
    door = open_door(trusted_hosts=("testserver",))

    assert door.client.get("/api/v1/health/live").status_code == 200
    assert (
        door.client.get("/api/v1/health/live", headers={"Host": "evil.example"}).status_code == 400
    )


def test_the_web_process_imports_no_torch() -> None:
    script = (
        "import sys, gen_video.asgi, gen_video.api.mvp_main\n"
        "heavy = {'torch', 'diffusers', 'transformers'} & set(sys.modules)\n"
        "sys.exit(' '.join(sorted(heavy)) or 0)"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)

    assert done.returncode == 0, done.stderr.decode()
