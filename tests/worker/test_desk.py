"""The desk: wake-ups and looks take the same slots, and every wake-up is let go of."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gen_video.accounts.models import Caller
from gen_video.generation.states import JobState
from gen_video.queues.memory import MemoryBroker, MemoryListener, MemoryWakeUps
from gen_video.queues.slots import Slots
from gen_video.wiring import Services
from gen_video.worker.desk import LOOK_UP_SECONDS, Desk
from tests.generation.fakes import PATIENCE_SECONDS, FakeEngine, wait_until
from tests.generation.studio import Studio
from tests.worker.conftest import Shift, build_loop

NEVER_SECONDS = 3600.0
QUEUE = "gen_video.default.image.free"


@pytest.fixture
def slots() -> Slots:
    return Slots(1)


@pytest.fixture
def desk(slots: Slots) -> Desk:
    return Desk(slots)


@contextmanager
def hearing(desk: Desk, slots: Slots) -> Iterator[threading.Thread]:
    """Hand a wake-up over on a thread, as a listener does: with a slot of its own."""
    assert slots.take()

    def hear() -> None:
        desk.hear(QUEUE, "job_1")
        slots.give_back()

    thread = threading.Thread(target=hear)
    thread.start()
    yield thread
    desk.close()
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive(), "the wake-up was never let go of"


def test_a_look_takes_a_slot_and_gives_it_back(desk: Desk, slots: Slots) -> None:
    end = desk.begin()
    assert end is not None
    assert slots.taken == 1
    assert desk.begin() is None, "the only slot is taken"

    end()

    assert slots.taken == 0
    assert desk.begin() is not None


def test_a_wake_up_rings_at_every_loop(desk: Desk, slots: Slots) -> None:
    bells = [threading.Event(), threading.Event()]
    for bell in bells:
        desk.join(bell.set)

    with hearing(desk, slots):
        assert all(bell.wait(PATIENCE_SECONDS) for bell in bells)


def test_a_wake_up_lasts_until_the_loop_has_done_what_it_found(desk: Desk, slots: Slots) -> None:
    with hearing(desk, slots) as thread:
        wait_until(lambda: bool(desk._errands))
        end = desk.begin()
        assert end is not None
        thread.join(0.1)
        assert thread.is_alive(), "its job still runs"
        assert slots.is_full, "the broker's next message goes to another worker"

        end()

        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()
    assert not slots.is_full


def test_a_wake_up_needs_no_second_slot(desk: Desk, slots: Slots) -> None:
    """The listener has taken the slot for it: a look beside it finds none."""
    with hearing(desk, slots):
        wait_until(lambda: bool(desk._errands))

        assert desk.begin() is not None
        assert desk.begin() is None
        assert slots.taken == 1


def test_closing_lets_go_of_what_nobody_has_taken(desk: Desk, slots: Slots) -> None:
    with hearing(desk, slots) as thread:
        thread.join(0.05)
        assert thread.is_alive()
        started = time.monotonic()

        desk.close()

        thread.join(PATIENCE_SECONDS)
        assert time.monotonic() - started < LOOK_UP_SECONDS + 1


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker()


@pytest.fixture
def woken(
    studio: Studio, services: Services, engine: FakeEngine, broker: MemoryBroker
) -> Iterator[Shift]:
    """Run a loop that only the broker can wake."""
    slots = Slots(1)
    desk = Desk(slots)

    def hear(queue: str, job_id: str) -> None:
        if not slots.wait_until_free(PATIENCE_SECONDS) or not slots.take():
            return
        try:
            desk.hear(queue, job_id)
        finally:
            slots.give_back()

    loop = build_loop(services, engine, desk=desk, idle_seconds=NEVER_SECONDS)
    listener = MemoryListener(broker, [QUEUE], hear)
    thread = threading.Thread(target=loop.run, name="worker")
    shift = Shift(studio, services, engine, loop, thread)
    thread.start()
    assert loop.wait_until_idle(PATIENCE_SECONDS)
    listener.start()
    yield shift
    engine.resume()
    desk.close()
    assert listener.stop(PATIENCE_SECONDS)
    shift.end()


def test_a_wake_up_makes_a_sleeping_worker_do_what_is_next(
    woken: Shift, caller: Caller, broker: MemoryBroker
) -> None:
    """Whichever job it names, even one that is not there."""
    job_id = woken.studio.submit(caller).id
    time.sleep(0.1)
    assert woken.state(caller, job_id) is JobState.QUEUED, "it sleeps"

    MemoryWakeUps(broker).send(QUEUE, "job_forged")

    woken.wait_for(caller, job_id, JobState.SUCCEEDED)


def test_after_a_job_the_worker_looks_for_more_without_being_woken(
    woken: Shift, caller: Caller, broker: MemoryBroker
) -> None:
    job_ids = [woken.studio.submit(caller).id for _ in range(3)]

    MemoryWakeUps(broker).send(QUEUE, job_ids[2])

    for job_id in job_ids:
        woken.wait_for(caller, job_id, JobState.SUCCEEDED)


def test_doubled_and_late_wake_ups_change_nothing(
    woken: Shift, caller: Caller, broker: MemoryBroker
) -> None:
    wakeups = MemoryWakeUps(broker)
    first = woken.studio.submit(caller).id
    for _ in range(5):
        wakeups.send(QUEUE, first)
    woken.wait_for(caller, first, JobState.SUCCEEDED)

    second = woken.studio.submit(caller).id
    wakeups.send(QUEUE, first)

    woken.wait_for(caller, second, JobState.SUCCEEDED)
    assert woken.studio.outcomes(first) == [(1, "succeeded")]
    assert woken.studio.findings() == []
