"""`celery -A gen_video.worker.celery_entry worker`: the same worker under Celery's own command."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.plans import ample_plan
from gen_video.accounts.models import Caller
from gen_video.generation.requests import ImageRequest
from gen_video.generation.states import JobState
from gen_video.generation.submission import Request
from gen_video.generation.video_requests import SceneRequest, VideoRequest
from gen_video.settings import Settings
from gen_video.wiring import Services, build_services
from tests.journeys.service import PROJECT_FOLDER, RunningService
from tests.queues.brokers import PrivateBroker, private_redis, wait_until

pytestmark = [pytest.mark.journey, pytest.mark.redis]

SECONDS = 90.0
PICTURE = ImageRequest(
    prompt="a lake", width=64, height=64, num_inference_steps=1, model="test-double"
)
FILM = VideoRequest(
    scenes=(SceneRequest(prompt="waves", num_frames=8),),
    width=64,
    height=64,
    fps=8,
    num_inference_steps=1,
    model="test-double",
)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[PrivateBroker]:
    with private_redis(tmp_path) as broker:
        yield broker


@pytest.fixture
def environment(tmp_path: Path, database_url: str, broker: PrivateBroker) -> dict[str, str]:
    """Return what a worker's process sees."""
    settings = {"DATABASE_URL": database_url, "BROKER_URL": broker.url}
    return RunningService(tmp_path, settings=settings).environment


@pytest.fixture
def services(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """Return what a web process uses on the same database and broker."""
    for name, text in environment.items():
        if name.startswith("GEN_VIDEO_"):
            monkeypatch.setenv(name, text)
    services = build_services(Settings(_env_file=None))
    services.migrate()
    yield services
    services.close()


@pytest.fixture
def caller(services: Services) -> Caller:
    services.accounts.save_plan(ample_plan("VIP", tier="VIP"))  # no name for a broker's queue
    services.accounts.create_account("ada", plan_id="VIP")
    return services.accounts.authenticate(services.accounts.create_key("ada").plaintext)


def start_celery(environment: dict[str, str], log: Path, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "celery", "-A", "gen_video.worker.celery_entry", "worker"]
    with log.open("wb") as output:
        return subprocess.Popen(
            [*command, "-P", "threads", *more],
            cwd=PROJECT_FOLDER,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def ends(services: Services, caller: Caller, requests: list[Request]) -> Callable[[], bool]:
    """Submit requests; return what tells whether all have succeeded."""
    job_ids = [services.jobs.submit(caller, request).job.id for request in requests]

    def are_over() -> bool:
        states = {services.jobs.get(caller, job_id).state for job_id in job_ids}
        return states == {JobState.SUCCEEDED}

    return are_over


def test_it_does_pictures_and_videos_and_drains(
    tmp_path: Path, environment: dict[str, str], services: Services, caller: Caller
) -> None:
    log = tmp_path / "celery.log"
    process = start_celery(environment, log, "-c", "2")
    try:
        wait_until(ends(services, caller, [PICTURE, FILM, PICTURE]), seconds=SECONDS)

        process.send_signal(signal.SIGTERM)

        assert process.wait(timeout=30) == 0, log.read_text()
        assert services.queue_figures().workers == 0, "it did not say goodbye"
        assert services.auditor.audit().findings == ()
    finally:
        process.kill()


def test_without_a_broker_it_says_what_is_missing(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    log = tmp_path / "celery.log"

    process = start_celery(environment | {"GEN_VIDEO_BROKER_URL": ""}, log)

    assert process.wait(timeout=60) != 0
    assert "GEN_VIDEO_BROKER_URL is empty" in log.read_text()
