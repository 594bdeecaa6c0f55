"""Dispatch: a few wake-ups at a time, to the right workers, again after a while, never in vain."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from typing_extensions import override

from gen_video.accounts.models import Caller
from gen_video.engines.errors import EngineFailedError
from gen_video.generation import dispatch as dispatch_module
from gen_video.generation.dispatch import (
    AGAIN_AFTER,
    LOOK_EVERY_SECONDS,
    WINDOW,
    Announcer,
    Dispatcher,
    DispatchService,
    broker_queue,
)
from gen_video.generation.service import JobService
from gen_video.queues.memory import MemoryBroker, MemoryWakeUps
from gen_video.queues.wakeups import BrokerUnavailableError
from tests.db.clocked import on_sqlite_only
from tests.generation.conftest import OpenDatabase
from tests.generation.fakes import wait_until
from tests.generation.shop import tenant
from tests.generation.studio import LAKE, LEASE, Studio, profile

SECOND = timedelta(seconds=1)
IMAGES = "default.image"
TO_FREE, TO_PAID = "gen_video.default.image.free", "gen_video.default.image.paid"


@pytest.fixture
def wakeups() -> MemoryWakeUps:
    return MemoryWakeUps(MemoryBroker())


@pytest.fixture
def service(studio: Studio, wakeups: MemoryWakeUps) -> DispatchService:
    return DispatchService(database=studio.database, wakeups=wakeups, window=3)


@pytest.fixture
def dispatcher(service: DispatchService) -> Iterator[Dispatcher]:
    dispatcher = Dispatcher(service, [IMAGES])
    yield dispatcher
    dispatcher.close()


@pytest.fixture
def roomy(studio: Studio) -> Caller:
    """Return a caller all of whose jobs compete."""
    return tenant(studio, "ada")


class Listener(Announcer):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    @override
    def notify(self, queue: str) -> None:
        self.heard.append(queue)

    @override
    def close(self) -> None:
        return


def submit(studio: Studio, caller: Caller, count: int) -> list[str]:
    return [studio.submit(caller).id for _ in range(count)]


def sent(wakeups: MemoryWakeUps) -> list[str]:
    """Return the jobs that were announced since the last call."""
    job_ids = [job_id for _, job_id in wakeups.sent]
    wakeups.sent.clear()
    return job_ids


@pytest.mark.parametrize(
    ("queue", "tier", "name"),
    [
        ("default.image", "free", "gen_video.default.image.free"),
        ("big-gpus.video", "paid", "gen_video.big-gpus.video.paid"),
    ],
)
def test_every_pool_kind_and_tier_has_a_queue_at_the_broker(
    queue: str, tier: str, name: str
) -> None:
    assert broker_queue(queue, tier) == name


def test_no_more_than_the_window_are_announced_and_in_fair_order(
    studio: Studio, roomy: Caller, service: DispatchService, wakeups: MemoryWakeUps
) -> None:
    job_ids = submit(studio, roomy, 5)

    assert [service.dispatch(IMAGES) for _ in range(2)] == [3, 0]
    assert sent(wakeups) == job_ids[:3]

    assert [studio.claim().id for _ in range(2)] == job_ids[:2]
    assert service.dispatch(IMAGES) == 2
    assert sent(wakeups) == job_ids[3:]


def test_what_is_canceled_makes_place_in_the_window(
    studio: Studio, roomy: Caller, service: DispatchService, wakeups: MemoryWakeUps
) -> None:
    job_ids = submit(studio, roomy, 4)
    service.dispatch(IMAGES)

    studio.jobs.cancel(roomy, job_ids[0])

    assert service.dispatch(IMAGES) == 1
    assert sent(wakeups)[3:] == job_ids[3:]


def test_wake_ups_go_to_the_queue_of_the_accounts_tier(
    studio: Studio, service: DispatchService, wakeups: MemoryWakeUps
) -> None:
    free = studio.submit(tenant(studio, "ada")).id
    paid = studio.submit(tenant(studio, "bob", tier="paid")).id

    service.dispatch(IMAGES)

    assert sorted(wakeups.sent) == [(TO_FREE, free), (TO_PAID, paid)]


def test_what_still_waits_is_announced_again_after_a_while(
    studio: Studio, roomy: Caller, service: DispatchService, wakeups: MemoryWakeUps
) -> None:
    job_ids = submit(studio, roomy, 5)
    service.dispatch(IMAGES)
    sent(wakeups)

    studio.database.advance(AGAIN_AFTER)
    assert service.dispatch(IMAGES) == 0
    studio.database.advance(timedelta(microseconds=1))

    assert service.dispatch(IMAGES) == 3
    assert sent(wakeups) == job_ids[:3]


def test_a_job_that_goes_back_to_the_queue_is_announced_when_it_is_due(
    studio: Studio, roomy: Caller, service: DispatchService, wakeups: MemoryWakeUps
) -> None:
    (job_id,) = submit(studio, roomy, 1)
    service.dispatch(IMAGES)
    studio.execution.fail(studio.claim(), EngineFailedError("no luck"))
    assert service.dispatch(IMAGES) == 0, "not before its pause is over"

    studio.database.moment = studio.row(job_id).not_before
    assert service.dispatch(IMAGES) == 1
    studio.execution.give_back(studio.claim())
    assert service.dispatch(IMAGES) == 1
    studio.claim()
    studio.database.advance(LEASE + SECOND)
    studio.sweeper.sweep()
    assert service.dispatch(IMAGES) == 1

    assert sent(wakeups) == [job_id] * 4


def test_jobs_that_wait_behind_their_accounts_others_are_not_announced(
    studio: Studio, service: DispatchService, wakeups: MemoryWakeUps
) -> None:
    ada = tenant(studio, "ada", max_running=1)
    first = studio.submit(ada).id
    studio.database.advance(SECOND)
    second = studio.submit(ada).id
    assert service.dispatch(IMAGES) == 1

    studio.finish(studio.claim())

    assert service.dispatch(IMAGES) == 1
    assert sent(wakeups) == [first, second]


def test_people_are_announced_before_batch(
    studio: Studio, roomy: Caller, service: DispatchService, wakeups: MemoryWakeUps
) -> None:
    archived = studio.submit(roomy, replace(LAKE, priority="batch")).id
    studio.database.advance(SECOND)
    urgent = submit(studio, roomy, 3)

    service.dispatch(IMAGES)

    assert sent(wakeups) == urgent
    assert studio.row(archived).dispatched_at is None


def test_a_broker_that_is_down_costs_no_wake_up(
    studio: Studio, roomy: Caller, service: DispatchService, wakeups: MemoryWakeUps
) -> None:
    job_ids = submit(studio, roomy, 2)
    wakeups.broker.is_down = True
    for _ in range(2):
        with pytest.raises(BrokerUnavailableError):
            service.dispatch(IMAGES)
    assert {studio.row(job_id).dispatched_at for job_id in job_ids} == {None}

    wakeups.broker.is_down = False

    assert service.dispatch(IMAGES) == 2
    assert sent(wakeups) == job_ids


def test_a_broker_that_fails_in_the_middle_is_asked_again_for_the_rest_only(
    studio: Studio,
    roomy: Caller,
    service: DispatchService,
    wakeups: MemoryWakeUps,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job_ids = submit(studio, roomy, 3)
    send = wakeups.send

    def break_after_one(queue: str, job_id: str) -> None:
        send(queue, job_id)
        wakeups.broker.is_down = True

    monkeypatch.setattr(wakeups, "send", break_after_one)
    with pytest.raises(BrokerUnavailableError):
        service.dispatch(IMAGES)
    monkeypatch.undo()
    wakeups.broker.is_down = False

    service.dispatch(IMAGES)

    assert sent(wakeups) == job_ids


def test_processes_that_dispatch_at_once_announce_each_job_once(
    studio: Studio, roomy: Caller, wakeups: MemoryWakeUps, open_database: OpenDatabase
) -> None:
    job_ids = submit(studio, roomy, 12)
    services = [
        DispatchService(database=database, wakeups=wakeups, window=4)
        for database in (studio.database, open_database())
    ]

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda number: services[number % 2].dispatch(IMAGES), range(8)))

    announced = sent(wakeups)
    assert len(announced) == len(set(announced)) >= 4
    assert set(announced) <= set(job_ids)


def test_an_accepted_job_leaves_word_with_the_announcer_and_a_repeated_one_does_not(
    studio: Studio, caller: Caller
) -> None:
    listener = Listener()
    jobs = JobService(
        database=studio.database,
        submitter=studio.jobs._submitter,
        endings=studio.jobs._endings,
        objects=studio.objects,
        announcer=listener,
    )
    door = replace(studio, jobs=jobs)

    for _ in range(2):
        door.submit(caller, key="order-1")

    assert listener.heard == [IMAGES]


@on_sqlite_only
def test_the_dispatcher_announces_when_it_is_told(
    studio: Studio, roomy: Caller, dispatcher: Dispatcher, wakeups: MemoryWakeUps
) -> None:
    (job_id,) = submit(studio, roomy, 1)

    dispatcher.notify(IMAGES)

    wait_until(lambda: wakeups.sent == [(TO_FREE, job_id)])


@on_sqlite_only
def test_the_dispatcher_waits_for_a_broker_that_is_away_and_announces_then(
    studio: Studio,
    roomy: Caller,
    dispatcher: Dispatcher,
    wakeups: MemoryWakeUps,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatch_module, "BROKER_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(dispatch_module, "LOOK_EVERY_SECONDS", 0.02)
    wakeups.broker.is_down = True
    (job_id,) = submit(studio, roomy, 1)
    dispatcher.patrol()
    dispatcher.notify(IMAGES)
    wait_until(lambda: studio.row(job_id).dispatched_at is None)

    wakeups.broker.is_down = False
    studio.database.advance(SECOND)

    wait_until(lambda: wakeups.sent == [(TO_FREE, job_id)])


@on_sqlite_only
def test_a_patrol_finds_what_nobody_left_word_of(
    studio: Studio, roomy: Caller, dispatcher: Dispatcher, wakeups: MemoryWakeUps
) -> None:
    submit(studio, roomy, 1)

    dispatcher.patrol()

    wait_until(lambda: len(wakeups.sent) == 1)


@on_sqlite_only
def test_a_mistake_in_one_round_does_not_end_the_dispatcher(
    studio: Studio,
    dispatcher: Dispatcher,
    service: DispatchService,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatch_module, "BROKER_PAUSE_SECONDS", 0.01)
    rounds: list[str] = []

    def stumble(queue: str) -> int:
        rounds.append(queue)
        raise RuntimeError("a bug")

    monkeypatch.setattr(service, "dispatch", stumble)
    dispatcher.notify(IMAGES)
    wait_until(lambda: len(rounds) == 1)

    dispatcher.notify(IMAGES)

    wait_until(lambda: len(rounds) == 2)


def test_of_all_processes_one_patrols_in_every_second(
    studio: Studio, open_database: OpenDatabase, wakeups: MemoryWakeUps
) -> None:
    services = [
        DispatchService(database=database, wakeups=wakeups)
        for database in (studio.database, open_database())
    ]

    first = [service.take_chore() for service in services]
    for service in services:
        service._database.moment += timedelta(seconds=LOOK_EVERY_SECONDS)  # type: ignore[attr-defined] # a clocked one
    second = [service.take_chore() for service in reversed(services)]

    assert (first, second) == ([True, False], [True, False])


@on_sqlite_only
def test_without_wake_ups_workers_find_every_job(
    studio: Studio, roomy: Caller, service: DispatchService
) -> None:
    """A wake-up changes latency, never a result."""
    job_ids = submit(studio, roomy, WINDOW + 4)
    service.dispatch(IMAGES)

    claimed = []
    while (job := studio.execution.claim(profile())) is not None:
        claimed.append(job.id)

    assert claimed == job_ids


@pytest.mark.parametrize("tier", ["VIP", "尊享", "a b", "", "x" * 200])
def test_a_tier_of_any_name_has_a_queue_of_its_own(tier: str) -> None:
    name = broker_queue("default.image", tier)

    assert name.startswith("gen_video.default.image.tier-")
    assert name != broker_queue("default.image", f"{tier}!")
    assert name == broker_queue("default.image", tier)
