"""Chores: of any number of workers one does them when they are due."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from gen_video.accounts.models import Caller
from gen_video.generation import registry_store
from gen_video.storage.memory import MemoryObjectStore
from tests.db.clocked import START
from tests.generation.conftest import OpenDatabase
from tests.generation.studio import LEASE, Studio, open_studio, profile

SECOND = timedelta(seconds=1)
EVERY_SECONDS = 10.0
TAKERS = 12


def take(studio: Studio, name: str = "dust", *, every: timedelta = 10 * SECOND) -> bool:
    def work(connection: Connection) -> bool:
        now = studio.database.moment
        return registry_store.take_chore(connection, name, now=now, due_at=now + every)

    return studio.database.write(work)


def is_due(studio: Studio, name: str = "dust") -> bool:
    return studio.database.read(
        lambda connection: registry_store.is_chore_due(connection, name, now=studio.database.moment)
    )


def see(studio: Studio, *names: str) -> None:
    for name in names:
        studio.execution.see_worker(profile(name), host="host", pid=1, resident=[], state="running")


def lose_worker(studio: Studio, caller: Caller) -> None:
    """Leave something to mend."""
    studio.submit(caller)
    studio.claim("lost")
    studio.database.advance(LEASE + SECOND)


def test_a_chore_is_due_until_it_is_taken_and_again_when_its_time_has_come(
    studio: Studio,
) -> None:
    assert is_due(studio)
    assert take(studio)
    assert (is_due(studio), take(studio)) == (False, False)

    studio.database.advance(10 * SECOND - timedelta(microseconds=1))
    assert (is_due(studio), take(studio)) == (False, False)
    studio.database.advance(timedelta(microseconds=1))

    assert (is_due(studio), take(studio), take(studio)) == (True, True, False)


def test_chores_are_taken_apart(studio: Studio) -> None:
    assert [take(studio, name) for name in ("dust", "dishes", "dust")] == [True, True, False]


@pytest.mark.parametrize("is_first", [True, False], ids=["for the first time", "again"])
def test_of_many_that_ask_at_once_exactly_one_takes_it(
    studio: Studio, open_database: OpenDatabase, objects: MemoryObjectStore, *, is_first: bool
) -> None:
    studios = [studio, open_studio(open_database(), objects)]
    if not is_first:
        take(studio)
        for each in studios:
            each.database.moment = START + 10 * SECOND
    start = threading.Barrier(TAKERS)

    def ask(number: int) -> bool:
        start.wait(timeout=30)
        return take(studios[number % 2])

    with ThreadPoolExecutor(TAKERS) as threads:
        answers = list(threads.map(ask, range(TAKERS)))

    assert answers.count(True) == 1


def test_of_many_workers_one_sweeps_in_every_turn(
    studio: Studio, open_database: OpenDatabase, objects: MemoryObjectStore, caller: Caller
) -> None:
    other = open_studio(open_database(), objects)
    lose_worker(studio, caller)
    other.database.moment = studio.database.moment
    see(studio, "one", "two")

    first = [each.sweeper.sweep_if_due(EVERY_SECONDS) for each in (studio, other)]
    for each in (studio, other):
        each.database.advance(timedelta(seconds=EVERY_SECONDS))
    second = [each.sweeper.sweep_if_due(EVERY_SECONDS) for each in (other, studio)]

    assert [None if report is None else report.requeued for report in first] == [1, None]
    assert [None if report is None else report.requeued for report in second] == [0, None]


def test_a_turn_is_not_missed_by_a_hair(studio: Studio) -> None:
    """Clocks of workers and of the database do not tick alike."""
    see(studio, "one", "two")
    assert studio.sweeper.sweep_if_due(EVERY_SECONDS) is not None

    studio.database.advance(timedelta(seconds=EVERY_SECONDS) - timedelta(milliseconds=300))

    assert studio.sweeper.sweep_if_due(EVERY_SECONDS) is not None


@pytest.mark.parametrize("workers", [0, 1])
def test_a_worker_that_is_alone_need_not_ask(studio: Studio, workers: int) -> None:
    see(studio, *["one"][:workers])
    before = studio.count_rows()["chores"]

    reports = [studio.sweeper.sweep_if_due(EVERY_SECONDS) for _ in range(3)]

    assert None not in reports
    assert studio.count_rows()["chores"] <= before + 1, "that of the orphans"


def test_when_the_others_have_died_the_last_one_sweeps_alone(studio: Studio) -> None:
    see(studio, "one", "two")
    studio.sweeper.sweep_if_due(EVERY_SECONDS)
    assert studio.sweeper.sweep_if_due(EVERY_SECONDS) is None

    studio.execution.forget_worker("two")

    assert studio.sweeper.sweep_if_due(EVERY_SECONDS) is not None
