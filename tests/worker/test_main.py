"""The worker process: signs of life, a sweeper beside the loop, and a drain on SIGTERM."""

import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest

from gen_video.accounts.models import Caller
from gen_video.adapters import build_engine
from gen_video.engines.host import EngineHost
from gen_video.generation.registry_store import WorkerRow, list_workers
from gen_video.generation.requests import ImageRequest
from gen_video.generation.states import JobState
from gen_video.settings import Settings
from gen_video.wiring import Services, build_services
from gen_video.worker.main import Worker
from tests.generation.fakes import FakeEngine, wait_until
from tests.generation.studio import LEASE, MODELS, Studio

pytestmark = pytest.mark.usefixtures("signals")


def seen_workers(services: Services) -> list[WorkerRow]:
    """Return every worker that has given a sign of life."""
    return services.database.read(
        lambda connection: list_workers(
            connection, since=services.database.now(connection) - timedelta(minutes=1)
        )
    )


@contextmanager
def meanwhile(services: Services, story: Callable[[], None]) -> Generator[None]:
    """Play a story on a thread once the worker of the block lives, then send SIGTERM."""
    errors: list[BaseException] = []

    def play() -> None:
        try:
            wait_until(lambda: bool(seen_workers(services)))
            story()
        except BaseException as error:  # noqa: BLE001 - raised again on the test's own thread
            errors.append(error)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=play, name="story")
    thread.start()
    yield
    thread.join()
    for error in errors:
        raise error


def run(services: Services, engine: FakeEngine, story: Callable[[], None]) -> int:
    """Run a worker in this process until its story is over; return its exit code."""
    worker = Worker(services, [cast("EngineHost", engine)])
    with meanwhile(services, story):
        return worker.run()


def test_a_worker_is_seen_while_it_lives_and_forgotten_when_it_ends(
    services: Services, engine: FakeEngine
) -> None:
    seen: list[WorkerRow] = []

    code = run(services, engine, lambda: seen.extend(seen_workers(services)))

    assert code == 0
    assert [(row.pid, row.models, row.resident) for row in seen] == [
        (os.getpid(), MODELS, ("sketch",))
    ]
    assert seen_workers(services) == []


def test_a_worker_warms_the_models_on_offer_that_it_was_told_to(
    services: Services, engine: FakeEngine
) -> None:
    run(services, engine, lambda: None)

    assert engine.warmed == ["sketch"]


def test_a_worker_sweeps_beside_its_work(
    studio: Studio, services: Services, engine: FakeEngine, caller: Caller
) -> None:
    job_id = studio.submit(caller).id
    studio.claim("lost")
    studio.database.advance(LEASE + timedelta(seconds=1))

    run(
        services,
        engine,
        lambda: wait_until(lambda: studio.jobs.get(caller, job_id).state is JobState.SUCCEEDED),
    )

    assert studio.outcomes(job_id) == [(1, "lost"), (3, "succeeded")]


def test_a_job_that_ends_within_the_drain_time_is_finished(
    studio: Studio, services: Services, engine: FakeEngine, caller: Caller
) -> None:
    engine.stalling_at = 0
    job_id = studio.submit(caller).id

    def story() -> None:
        engine.wait_until_stalled()
        threading.Timer(0.2, engine.resume).start()

    assert run(services, engine, story) == 0

    assert studio.jobs.get(caller, job_id).state is JobState.SUCCEEDED
    assert engine.cancelled == []


def test_a_job_that_takes_longer_than_the_drain_time_is_given_back(
    studio: Studio, services: Services, engine: FakeEngine, caller: Caller
) -> None:
    engine.stalling_at = 0
    job_id = studio.submit(caller).id
    hurried = services.settings.model_copy(update={"drain_seconds": 0.05})

    code = run(replace(services, settings=hurried), engine, engine.wait_until_stalled)

    assert code == 0
    assert studio.outcomes(job_id) == [(1, "given_back")]
    assert studio.jobs.get(caller, job_id).state is JobState.QUEUED
    assert seen_workers(services) == []


def test_a_database_that_goes_away_ends_neither_the_signs_nor_the_sweeper(
    studio: Studio, services: Services, engine: FakeEngine, caller: Caller
) -> None:
    job_id = studio.submit(caller).id
    studio.claim("lost")

    def story() -> None:
        studio.database.is_down = True
        wait_until(lambda: studio.database.refusals > 2)
        studio.database.is_down = False
        studio.database.advance(LEASE + timedelta(seconds=1))
        wait_until(lambda: studio.jobs.get(caller, job_id).state is JobState.SUCCEEDED)

    assert run(services, engine, story) == 0


def test_a_worker_with_a_real_engine_child_makes_a_picture(settings: Settings) -> None:
    services = build_services(settings)
    services.migrate()
    caller = services.accounts.authenticate("test-key-123")
    request = ImageRequest(prompt="a lake", width=64, height=64, num_inference_steps=2)
    job_id = services.jobs.submit(caller, request).job.id
    engine = build_engine(services.settings, services.catalogue)

    def story() -> None:
        wait_until(lambda: services.jobs.get(caller, job_id).state.is_terminal)

    try:
        with meanwhile(services, story):
            assert Worker(services, [engine]).run() == 0
        job = services.jobs.get(caller, job_id)
        assert job.state is JobState.SUCCEEDED
        assert services.auditor.audit().findings == ()
        assert engine.resident_models() == ("test-double",)
    finally:
        engine.close()
        services.close()
