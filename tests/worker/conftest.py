"""Fixtures of the worker tests: the services of a process, and a loop with a scripted engine."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gen_video.accounts.models import Caller
from gen_video.accounts.people import PeopleService
from gen_video.accounts.roster import Roster
from gen_video.accounts.sign_ins import SignInService
from gen_video.audit_log.service import AuditLog
from gen_video.calls.service import CallLog
from gen_video.db.watch import ChangeWatcher
from gen_video.egress.memory import MemoryFetcher
from gen_video.egress.post import EgressPoster
from gen_video.engines.aliases import ModelAliases
from gen_video.generation.estimates import FiguresReader
from gen_video.generation.execution import WorkerProfile
from gen_video.generation.runner import JobRunner
from gen_video.generation.states import JobState
from gen_video.generation.workforce import Workforce
from gen_video.insights.service import InsightsService
from gen_video.queues.slots import Slots
from gen_video.settings import Settings
from gen_video.storage.memory import MemoryObjectStore
from gen_video.storage.signatures import FileLinks
from gen_video.telemetry.metrics import Metrics
from gen_video.threads import DoorThreads, Errands
from gen_video.webhooks.courier import Kit
from gen_video.webhooks.desk import DeliveryDesk
from gen_video.webhooks.service import WebhookService
from gen_video.webhooks.signing import Signer
from gen_video.wiring import Services
from gen_video.worker.desk import Desk
from gen_video.worker.loop import WorkerLoop
from tests.db.clocked import migrated_database
from tests.generation.fakes import PATIENCE_SECONDS, FakeEngine, FlakyDatabase, wait_until
from tests.generation.studio import CATALOGUE, WEBHOOK_RULES, Studio, open_studio, profile

IDLE_SECONDS = 1.0


@dataclass(frozen=True)
class Shift:
    """A worker's loop with what it works on."""

    studio: Studio
    services: Services
    engine: FakeEngine
    loop: WorkerLoop
    thread: threading.Thread

    def state(self, caller: Caller, job_id: str) -> JobState:
        return self.studio.jobs.get(caller, job_id).state

    def wait_for(self, caller: Caller, job_id: str, state: JobState) -> None:
        """Return when a job has come to a state."""
        wait_until(lambda: self.state(caller, job_id) is state)

    def end(self) -> None:
        """Stop the loop and return when it has ended."""
        self.loop.stop()
        self.thread.join(PATIENCE_SECONDS)
        assert not self.thread.is_alive(), "the loop did not end"


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    url = f"sqlite:///{tmp_path / 'test.sqlite3'}"
    with migrated_database(url):
        database = FlakyDatabase(url)
    studio = open_studio(database, MemoryObjectStore())
    studio.accounts.seed()
    yield studio
    database.close()


@pytest.fixture
def caller(studio: Studio) -> Caller:
    return studio.new_caller()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        _env_file=None,
        data_dir=tmp_path / "data",
        output_dir=tmp_path / "outputs",
        lora_dir=tmp_path / "loras",
        enable_test_model=True,
        default_image_model="test-double",
        preload_models=("sketch", "mona"),
        sweep_seconds=0.1,
    )


@pytest.fixture
def services(studio: Studio, settings: Settings) -> Iterator[Services]:
    """Return the services of a process that uses the studio's database."""
    metrics = Metrics()
    kit = Kit(
        desk=DeliveryDesk(studio.database),
        poster=EgressPoster(),
        signer=Signer(b"pepper"),
        rules=WEBHOOK_RULES,
        metrics=metrics,
    )
    services = Services(
        settings=settings,
        database=studio.database,
        catalogue=CATALOGUE,
        aliases=ModelAliases(CATALOGUE),
        adapters=(),
        objects=studio.objects,
        links=FileLinks(b"pepper", seconds=60),
        fetcher=MemoryFetcher(),
        accounts=studio.accounts,
        sign_ins=SignInService(
            studio.database, studio.accounts, pepper=b"pepper", is_development=True
        ),
        people=PeopleService(studio.database, studio.accounts),
        roster=Roster(studio.database, studio.accounts),
        audit_log=AuditLog(studio.database),
        calls=CallLog(studio.database),
        insights=InsightsService(studio.database, timezone=settings.business_timezone),
        workforce=Workforce(studio.database, AuditLog(studio.database)),
        quotas=studio.quotas,
        jobs=studio.jobs,
        execution=studio.execution,
        sweeper=studio.sweeper,
        auditor=studio.auditor,
        figures=FiguresReader(studio.database),
        webhooks=WebhookService(
            database=studio.database,
            accounts=studio.accounts,
            signer=kit.signer,
            rules=kit.rules,
            poster=kit.poster,
        ),
        events=studio.events,
        courier_kit=kit,
        watcher=ChangeWatcher(studio.database),
        threads=DoorThreads(),
        errands=Errands(),
        metrics=metrics,
        throttle=None,
        dispatcher=None,
    )
    yield services
    services.close()


def build_loop(
    services: Services,
    engine: FakeEngine,
    *,
    desk: Desk,
    worker: WorkerProfile | None = None,
    idle_seconds: float = IDLE_SECONDS,
) -> WorkerLoop:
    """Return a loop over an engine, woken at a desk."""
    runner = JobRunner(
        execution=services.execution, engine=engine, objects=services.objects, version="9.9"
    )
    return WorkerLoop(
        services,
        runner,
        profile=worker or profile("worker-1"),
        desk=desk,
        resident=engine.resident_models,
        idle_seconds=lambda: idle_seconds,
    )


@contextmanager
def shift_of(
    studio: Studio,
    services: Services,
    engine: FakeEngine,
    *,
    worker: WorkerProfile | None = None,
    idle_seconds: float = IDLE_SECONDS,
    is_deaf: bool = False,
) -> Iterator[Shift]:
    """Run a loop on a thread while the block runs, woken by the database unless it is deaf."""
    desk = Desk(Slots(1))
    loop = build_loop(services, engine, desk=desk, worker=worker, idle_seconds=idle_seconds)
    if not is_deaf:
        services.watcher.subscribe(desk.ring)
    thread = threading.Thread(target=loop.run, name="worker")
    shift = Shift(studio, services, engine, loop, thread)
    thread.start()
    try:
        yield shift
    finally:
        studio.database.is_down = False
        engine.resume()
        shift.end()


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def shift(studio: Studio, services: Services, engine: FakeEngine) -> Iterator[Shift]:
    with shift_of(studio, services, engine) as shift:
        yield shift


@pytest.fixture
def signals() -> Iterator[None]:
    """Put the process's signal handlers back afterwards."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)
