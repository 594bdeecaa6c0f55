"""Rates in the database: few writes, the database's own clock, no rows left behind."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import func, select

from benchmarks.ports import find_free_port
from gen_video.db.database import Database
from gen_video.throttles import store
from gen_video.throttles.database import DatabaseThrottle
from gen_video.throttles.tables import rate_windows
from gen_video.throttles.throttle import Rate, ThrottleUnavailableError
from tests.throttles.makes import LONG, Node, count_allowed, make_table, take_many

HUNDRED = Rate(limit=100, window_seconds=LONG)
MINUTE = Rate(limit=20, window_seconds=60)
NOON = datetime(2026, 3, 4, 12, 0, 30, tzinfo=UTC)


@pytest.fixture
def node(database_url: str) -> Node:
    make_table(database_url)
    return Node(database_url)


def test_a_window_costs_a_write_for_every_twentieth_and_refusals_cost_none(node: Node) -> None:
    verdicts = asyncio.run(take_many(node.throttle, "a", HUNDRED, count=1000))

    assert count_allowed(verdicts) == 100
    assert node.transactions == 21  # the last one finds nothing left
    node.close()


def test_a_process_that_leases_and_stops_costs_others_a_twentieth_at_most(
    database_url: str,
) -> None:
    make_table(database_url)
    first, second = Node(database_url), Node(database_url)

    async def run() -> int:
        await first.throttle.take("a", HUNDRED)
        return count_allowed(await take_many(second.throttle, "a", HUNDRED, count=200))

    assert asyncio.run(run()) == 95
    first.close()
    second.close()


def test_what_is_left_says_what_others_have_leased(database_url: str) -> None:
    make_table(database_url)
    first, second = Node(database_url), Node(database_url)

    async def run() -> list[int]:
        await take_many(first.throttle, "a", HUNDRED, count=50)
        return [(await second.throttle.take("a", HUNDRED)).remaining for _ in range(2)]

    assert asyncio.run(run()) == [49, 48]
    first.close()
    second.close()


def test_windows_are_those_of_the_databases_clock(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/rates.sqlite3"
    make_table(url)
    moment, monotonic = [NOON], [0.0]
    database = Database(url, clock=lambda: moment[0])
    node = Node(url)
    throttle = DatabaseThrottle(database, offload=node.offload, monotonic=lambda: monotonic[0])

    async def run() -> None:
        first = [await throttle.take("a", MINUTE) for _ in range(21)]
        moment[0] += timedelta(seconds=30)
        monotonic[0] += 30
        second = [await throttle.take("a", MINUTE) for _ in range(21)]

        assert first[-1].reset_after_seconds == 30
        assert second[-1].reset_after_seconds == 60
        assert [count_allowed(first), count_allowed(second)] == [20, 20]

    asyncio.run(run())
    node.close()
    database.close()


def test_old_windows_are_purged_and_those_that_count_are_not(node: Node) -> None:
    assert node.database is not None
    assert isinstance(node.throttle, DatabaseThrottle)
    start = int(NOON.timestamp()) // 60 * 60
    for age in (0, 60, 120, 180):
        node.database.write(partial(store.lease, owner="a", window=start - age, hits=1, limit=9))

    purged = node.throttle.purge(NOON - timedelta(seconds=100))

    left = node.database.read(
        lambda connection: connection.execute(
            select(func.min(rate_windows.c.window), func.count()).select_from(rate_windows)
        ).one()
    )
    assert purged == 2
    assert tuple(left) == (start - 60, 2)
    node.close()


def test_a_database_that_is_away_is_told_to_whoever_waits() -> None:
    node = Node(f"postgresql+psycopg://nobody@127.0.0.1:{find_free_port()}/none")

    async def run() -> list[object]:
        takes = [node.throttle.take("a", HUNDRED) for _ in range(32)]
        return list(await asyncio.gather(*takes, return_exceptions=True))

    answers = asyncio.run(run())

    assert {type(answer) for answer in answers} == {ThrottleUnavailableError}
    assert node.transactions == 1
    node.close()
