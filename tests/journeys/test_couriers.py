"""Three hundred deliveries survive twenty kills of those who send them."""

import os
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from standardwebhooks import Webhook

from gen_video.accounts.models import Plan
from gen_video.generation.requests import ImageRequest
from gen_video.settings import Settings
from gen_video.webhooks.models import DeliveryState
from gen_video.wiring import Services, build_services
from tests.journeys.service import PROJECT_FOLDER
from tests.webhooks.receivers import Receiver, receiving

pytestmark = pytest.mark.journey

ENDPOINTS, JOBS = 10, 30
DELIVERIES = ENDPOINTS * JOBS
COURIERS = 2
PATIENCE_SECONDS = 60.0
AMPLE = {"images_per_day": 1000, "max_in_flight": 1000, "requests_per_minute": 0}


class Fleet:
    """Real courier processes: one is killed, another takes its place."""

    def __init__(self, environment: dict[str, str], log_file: Path) -> None:
        self._environment = environment
        self._log_file = log_file
        self._living: list[psutil.Popen] = []
        self.kills = 0

    def start(self) -> None:
        with self._log_file.open("ab") as log:
            process = psutil.Popen(
                [sys.executable, "-m", "gen_video", "courier", "--senders", "6"],
                cwd=PROJECT_FOLDER,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._living.append(process)

    def kill_oldest(self) -> None:
        """End one at whatever it is doing, and start its successor."""
        oldest = self._living.pop(0)
        assert oldest.poll() is None, self.read_log()[-2000:]
        oldest.kill()
        oldest.wait(timeout=10)
        self.kills += 1
        self.start()

    def stop(self) -> list[int]:
        """Ask those that live to stop; return their exit codes."""
        for process in self._living:
            process.terminate()
        return [int(process.wait(timeout=30)) for process in self._living]

    def end(self) -> None:
        """Leave nobody behind, whatever happened."""
        for process in self._living:
            if process.poll() is None:
                process.kill()
                process.wait(timeout=10)

    def read_log(self) -> str:
        return self._log_file.read_text(encoding="utf-8", errors="replace")


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    return Settings(
        _env_file=None,
        data_dir=tmp_path / "data",
        output_dir=tmp_path / "outputs",
        database_url=database_url,
        url_access="any",
        enable_test_model=True,
        default_image_model="test-double",
    )


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    services = build_services(settings)
    services.migrate()
    yield services
    services.close()


def environment_of(settings: Settings) -> dict[str, str]:
    inherited = {name: text for name, text in os.environ.items() if "GEN_VIDEO" not in name}  # noqa: TID251 - for a child
    chosen = {
        "DATA_DIR": str(settings.data_dir),
        "OUTPUT_DIR": str(settings.output_dir),
        "DATABASE_URL": settings.database_url,
        "URL_ACCESS": "any",
        "ENABLE_TEST_MODEL": "1",
        "DEFAULT_IMAGE_MODEL": "test-double",
        "LOG_FORMAT": "json",
    }
    return inherited | {f"GEN_VIDEO_{name}": text for name, text in chosen.items()}


def make_endpoints(services: Services, receiver: Receiver) -> dict[str, str]:
    """Add endpoints of one account; return the secret of every path."""
    caller = services.accounts.authenticate("demo-key-456")
    return {
        f"/hook{number}": services.webhooks.create(
            caller, url=receiver.url(f"/hook{number}")
        ).secret
        for number in range(ENDPOINTS)
    }


def end_jobs(services: Services) -> None:
    """Let jobs end, each of which is told to every endpoint."""
    plan = services.accounts.get_plan("paid")
    figures = {name: getattr(plan, name) for name in Plan.__dataclass_fields__}
    services.accounts.save_plan(Plan(**figures | AMPLE))
    services.accounts._cache.clear()
    caller = services.accounts.authenticate("demo-key-456")
    for number in range(JOBS):
        request = ImageRequest(prompt=f"lake {number}", width=64, height=64, num_inference_steps=2)
        job = services.jobs.submit(caller, request).job
        services.jobs.cancel(caller, job.id)


def wait_for(receiver: Receiver, count: int) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while len(receiver.received) < count:
        assert time.monotonic() < until, f"{len(receiver.received)} of {count} came"
        time.sleep(0.005)


def wait_until_told(services: Services) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while (pending := services.events.read_figures().pending) > 0:
        assert time.monotonic() < until, f"{pending} are still on their way"
        time.sleep(0.05)


def test_every_delivery_survives_the_kills_of_its_couriers(
    settings: Settings, services: Services, tmp_path: Path
) -> None:
    """Kill -9 in the middle of the work, between any two of its steps, again and again."""
    kills = 20 if services.database.is_sqlite else 10
    with ExitStack() as stack:
        receiver = stack.enter_context(receiving(delay_seconds=0.05))
        secrets = make_endpoints(services, receiver)
        end_jobs(services)
        fleet = Fleet(environment_of(settings), tmp_path / "couriers.log")
        stack.callback(fleet.end)
        for _ in range(COURIERS):
            fleet.start()
        for number in range(kills):
            wait_for(receiver, 1 + number * DELIVERIES // (kills + 4))
            fleet.kill_oldest()
        wait_until_told(services)
        codes = fleet.stop()

    assert (fleet.kills, codes) == (kills, [0] * COURIERS)
    bodies: dict[str, set[bytes]] = defaultdict(set)
    for received in receiver.received:
        bodies[received.headers["webhook-id"]].add(received.body)
        Webhook(secrets[received.path]).verify(received.body, received.headers)
    arrived = Counter(
        (received.headers["webhook-id"], received.path) for received in receiver.received
    )
    assert len(bodies) == JOBS
    assert {len(same) for same in bodies.values()} == {1}
    assert len(arrived) == DELIVERIES
    assert len(receiver.received) > DELIVERIES, "no kill hit anything: the test proves nothing"
    caller = services.accounts.authenticate("demo-key-456")
    for endpoint in services.webhooks.list_endpoints(caller, limit=100).endpoints:
        page = services.webhooks.list_deliveries(caller, endpoint.id, limit=100)
        assert {delivery.state for delivery in page.deliveries} == {DeliveryState.DELIVERED}
    assert services.auditor.audit().findings == ()
