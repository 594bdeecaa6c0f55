"""Lanes: pictures and videos side by side over one engine, stopped and drained together."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from gen_video.accounts.models import Caller
from gen_video.engines.catalogue import Catalogue, ModelSpec
from gen_video.engines.errors import EngineInterruptedError
from gen_video.generation.execution import WorkerProfile
from gen_video.generation.models import Job
from gen_video.generation.queueing import list_queues
from gen_video.generation.service import JobService
from gen_video.generation.states import JobKind, JobState
from gen_video.generation.submission import Request
from gen_video.queues.slots import Slots
from gen_video.storage.memory import MemoryObjectStore
from gen_video.wiring import Services
from gen_video.worker.desk import Desk
from gen_video.worker.lanes import (
    Lanes,
    UnknownPoolError,
    choose_models,
    new_worker_id,
)
from tests.generation.cinema import FLICK, PORTRAIT, REEL, SCREEN, WAVES
from tests.generation.fakes import PATIENCE_SECONDS, FakeEngine, wait_until
from tests.generation.studio import LAKE, PAINT, SKETCH, Studio, open_studio, profile
from tests.worker.conftest import build_loop

BOTH = [JobKind.IMAGE, JobKind.VIDEO]


@dataclass(frozen=True)
class Crew:
    """Lanes that run on a thread, with what they work on.

    Each kind has an engine of its own here, so that one can wait while the other works.
    """

    jobs: JobService
    studio: Studio
    lanes: Lanes
    thread: threading.Thread
    engines: dict[JobKind, FakeEngine]

    def submit(self, caller: Caller, request: Request) -> str:
        return self.jobs.submit(caller, request).job.id

    def get(self, caller: Caller, job_id: str) -> Job:
        return self.jobs.get(caller, job_id)

    def wait_for(self, caller: Caller, job_id: str, state: JobState) -> None:
        """Return when a job has come to a state."""
        wait_until(lambda: self.get(caller, job_id).state is state)

    def stall_both(self, caller: Caller) -> list[str]:
        """Submit a job of each kind and return when both engines wait in the middle of them."""
        for engine in self.engines.values():
            engine.stalling_at = 0
        jobs = [self.submit(caller, request) for request in (LAKE, WAVES)]
        for engine in self.engines.values():
            engine.wait_until_stalled()
        return jobs

    def join(self) -> None:
        """Return when the lanes have ended."""
        self.thread.join(PATIENCE_SECONDS)
        assert not self.thread.is_alive(), "the lanes did not end"


@pytest.fixture
def studio(studio: Studio) -> Studio:
    """Return a studio where videos are on offer."""
    return open_studio(studio.database, MemoryObjectStore(), catalogue=SCREEN)


@pytest.fixture
def services(services: Services, studio: Studio) -> Services:
    """Return the services of a process that offers videos."""
    return replace(services, catalogue=SCREEN, jobs=studio.jobs, objects=studio.objects)


def build_lanes(
    services: Services, engines: dict[JobKind, FakeEngine], kinds: list[JobKind]
) -> Lanes:
    """Return lanes of these kinds, each with a loop that the database wakes."""
    loops = []
    for kind in kinds:
        specs = choose_models(services.catalogue, ())
        worker = profile(
            "worker-1", models=[spec.id for spec in specs], queues=list_queues(specs, kind)
        )
        desk = Desk(Slots(1))
        services.watcher.subscribe(desk.ring)
        loops.append(build_loop(services, engines[kind], desk=desk, worker=worker))
    return Lanes(loops)


@contextmanager
def crew_of(
    studio: Studio, services: Services, kinds: list[JobKind] | None = None
) -> Iterator[Crew]:
    """Run lanes on a thread while the block runs."""
    engines = {kind: FakeEngine() for kind in BOTH}
    lanes = build_lanes(services, engines, kinds or BOTH)
    thread = threading.Thread(target=lanes.run, name="lanes")
    crew = Crew(services.jobs, studio, lanes, thread, engines)
    thread.start()
    try:
        yield crew
    finally:
        for engine in engines.values():
            engine.resume()
        lanes.stop()
        crew.join()


@pytest.fixture
def crew(studio: Studio, services: Services) -> Iterator[Crew]:
    with crew_of(studio, services) as crew:
        yield crew


def test_a_picture_is_made_while_a_video_is_filmed(crew: Crew, caller: Caller) -> None:
    video_engine = crew.engines[JobKind.VIDEO]
    video_engine.stalling_at = 0
    video = crew.submit(caller, WAVES)
    video_engine.wait_until_stalled()

    for _ in range(2):
        crew.wait_for(caller, crew.submit(caller, LAKE), JobState.SUCCEEDED)

    assert crew.get(caller, video).state is JobState.RUNNING
    video_engine.resume()
    crew.wait_for(caller, video, JobState.SUCCEEDED)
    assert crew.studio.findings() == []


def test_a_video_is_filmed_while_a_picture_is_drawn(crew: Crew, caller: Caller) -> None:
    crew.engines[JobKind.IMAGE].stalling_at = 0
    picture = crew.submit(caller, LAKE)
    crew.engines[JobKind.IMAGE].wait_until_stalled()

    crew.wait_for(caller, crew.submit(caller, WAVES), JobState.SUCCEEDED)

    assert crew.get(caller, picture).state is JobState.RUNNING


def test_of_one_kind_only_one_job_runs_at_a_time(crew: Crew, caller: Caller) -> None:
    crew.stall_both(caller)
    waiting = [crew.submit(caller, request) for request in (LAKE, WAVES)]
    for engine in crew.engines.values():
        assert len([*engine.tasks, *engine.films]) == 1
    assert {crew.get(caller, job_id).state for job_id in waiting} == {JobState.QUEUED}

    for engine in crew.engines.values():
        engine.resume()

    for job_id in waiting:
        crew.wait_for(caller, job_id, JobState.SUCCEEDED)
    assert [len(crew.engines[JobKind.IMAGE].tasks), len(crew.engines[JobKind.VIDEO].films)] == [
        2,
        2,
    ]


def test_a_stop_lets_both_running_jobs_end_and_claims_no_other(crew: Crew, caller: Caller) -> None:
    running = crew.stall_both(caller)
    waiting = [crew.submit(caller, request) for request in (LAKE, WAVES)]
    crew.lanes.stop()
    assert not crew.lanes.wait_until_idle(0.05)

    crew.engines[JobKind.IMAGE].resume()
    crew.wait_for(caller, running[0], JobState.SUCCEEDED)
    assert not crew.lanes.wait_until_idle(0.05)
    crew.engines[JobKind.VIDEO].resume()

    assert crew.lanes.wait_until_idle(PATIENCE_SECONDS)
    crew.join()
    assert {crew.get(caller, job_id).state for job_id in running} == {JobState.SUCCEEDED}
    assert {crew.get(caller, job_id).state for job_id in waiting} == {JobState.QUEUED}
    assert crew.studio.findings() == []


def test_what_takes_too_long_is_given_back_of_both_kinds(crew: Crew, caller: Caller) -> None:
    running = crew.stall_both(caller)

    crew.lanes.stop()
    crew.lanes.give_back()

    crew.join()
    rows = [crew.studio.row(job_id) for job_id in running]
    assert [(row.state, row.attempt) for row in rows] == [("queued", 0)] * 2
    assert [crew.studio.outcomes(job_id) for job_id in running] == [[(1, "given_back")]] * 2
    assert crew.studio.list_files() == []
    assert crew.studio.findings() == []


def test_giving_back_spares_a_lane_that_has_nothing_to_do(crew: Crew, caller: Caller) -> None:
    crew.engines[JobKind.VIDEO].stalling_at = 0
    video = crew.submit(caller, WAVES)
    crew.engines[JobKind.VIDEO].wait_until_stalled()

    crew.lanes.stop()
    crew.lanes.give_back()

    crew.join()
    assert crew.studio.outcomes(video) == [(1, "given_back")]
    assert crew.engines[JobKind.IMAGE].cancelled == []


@pytest.mark.parametrize("kind", BOTH)
def test_a_cancel_reaches_the_lane_that_runs_the_job(
    crew: Crew, caller: Caller, kind: JobKind
) -> None:
    running = dict(zip(BOTH, crew.stall_both(caller), strict=True))
    (other,) = set(BOTH) - {kind}

    crew.jobs.cancel(caller, running[kind])

    crew.wait_for(caller, running[kind], JobState.CANCELED)
    assert crew.get(caller, running[other]).state is JobState.RUNNING
    assert crew.engines[other].cancelled == []


@pytest.mark.parametrize("kind", BOTH)
def test_a_lane_that_breaks_ends_the_worker_and_says_why(
    studio: Studio,
    services: Services,
    caller: Caller,
    kind: JobKind,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker of which half has died helps nobody: whoever supervises it starts another."""
    lanes = build_lanes(services, {each: FakeEngine() for each in BOTH}, BOTH)
    look = services.execution.has_due_job

    def break_one(worker: WorkerProfile) -> bool:
        if worker.queues == (f"default.{kind}",):
            raise RuntimeError("a bug")
        return look(worker)

    monkeypatch.setattr(services.execution, "has_due_job", break_one)

    with pytest.raises(RuntimeError, match="a bug"):
        lanes.run()


def test_a_lane_that_breaks_gives_the_job_of_the_other_back(
    studio: Studio, services: Services, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines = {kind: FakeEngine() for kind in BOTH}
    engines[JobKind.VIDEO].stalling_at = 0
    lanes = build_lanes(services, engines, BOTH)
    look = services.execution.has_due_job

    def break_pictures(worker: WorkerProfile) -> bool:
        if worker.queues == ("default.image",):
            engines[JobKind.VIDEO].wait_until_stalled()
            raise RuntimeError("a bug")
        return look(worker)

    monkeypatch.setattr(services.execution, "has_due_job", break_pictures)
    video = services.jobs.submit(caller, WAVES).job.id

    with pytest.raises(RuntimeError, match="a bug"):
        lanes.run()

    assert studio.outcomes(video) == [(1, "given_back")]
    assert studio.row(video).attempt == 0
    assert studio.findings() == []


FAST = SKETCH.model_copy(update={"id": "fast", "pool": "fast"})


@pytest.mark.parametrize(
    ("specs", "pictures", "videos"),
    [
        ([SKETCH, PAINT], ("default.image",), ()),
        ([FLICK], (), ("default.video",)),
        ([SKETCH, PORTRAIT], ("default.image",), ("default.video",)),
        (
            [REEL.model_copy(update={"kinds": REEL.kinds | SKETCH.kinds})],
            ("default.image",),
            ("default.video",),
        ),
        ([FAST, SKETCH, PAINT, FLICK], ("default.image", "fast.image"), ("default.video",)),
    ],
    ids=["pictures", "videos", "both", "one model for both", "two pools"],
)
def test_there_is_a_queue_for_each_pool_and_kind_on_offer(
    specs: list[ModelSpec], pictures: tuple[str, ...], videos: tuple[str, ...]
) -> None:
    assert list_queues(specs, JobKind.IMAGE) == pictures
    assert list_queues(specs, JobKind.VIDEO) == videos


def test_a_worker_can_be_told_to_serve_some_pools_only() -> None:
    catalogue = Catalogue([SKETCH, FAST, PAINT], default_image_model="sketch")

    assert {spec.id for spec in choose_models(catalogue, [])} == {"sketch", "fast", "paint"}
    assert [spec.id for spec in choose_models(catalogue, ["fast"])] == ["fast"]


def test_a_pool_that_no_model_belongs_to_is_refused_with_those_that_there_are() -> None:
    catalogue = Catalogue([SKETCH, FAST], default_image_model="sketch")

    with pytest.raises(UnknownPoolError) as caught:
        choose_models(catalogue, ["fast", "fsat"])

    assert "fsat" in caught.value.message("en")
    assert "default, fast" in caught.value.message("en")
    assert "default, fast" in caught.value.message("zh")


def test_one_lane_runs_on_the_calling_thread_alone(
    studio: Studio, services: Services, caller: Caller
) -> None:
    before = {thread.name for thread in threading.enumerate()}
    with crew_of(studio, services, [JobKind.IMAGE]) as crew:
        crew.wait_for(caller, crew.submit(caller, LAKE), JobState.SUCCEEDED)

        names = {thread.name for thread in threading.enumerate()} - before

    assert not [name for name in names if name.startswith("lane-")]


def test_no_thread_of_a_lane_ends_before_the_others(
    studio: Studio, services: Services, caller: Caller
) -> None:
    """The engine's child ends with the thread that started it."""
    with crew_of(studio, services) as crew:
        crew.engines[JobKind.IMAGE].stalling_at = 0
        picture = crew.submit(caller, LAKE)
        crew.engines[JobKind.IMAGE].wait_until_stalled()
        (other,) = [thread for thread in threading.enumerate() if thread.name == "lane-2"]

        crew.lanes.stop()

        other.join(0.5)
        assert other.is_alive()
        crew.engines[JobKind.IMAGE].resume()
        crew.wait_for(caller, picture, JobState.SUCCEEDED)
        other.join(PATIENCE_SECONDS)
        assert not other.is_alive()


def test_every_worker_has_a_name_of_its_own() -> None:
    assert len({new_worker_id() for _ in range(100)}) == 100


def test_the_bystander_of_a_crash_is_tried_again_and_pays_no_attempt(
    crew: Crew, caller: Caller
) -> None:
    engine = crew.engines[JobKind.VIDEO]
    engine.failure = EngineInterruptedError()
    engine.failing_at = 0

    video = crew.submit(caller, WAVES)

    crew.wait_for(caller, video, JobState.SUCCEEDED)
    assert crew.studio.outcomes(video) == [(1, "given_back"), (3, "succeeded")]
    row = crew.studio.row(video)
    assert (row.attempt, row.crash_count) == (1, 0)
