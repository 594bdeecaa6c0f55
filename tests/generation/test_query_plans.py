"""Query plans: what is asked for every claim and every request reads an index and no whole table.

Twelve thousand jobs wait, most of them behind the others of their accounts, and as many are over;
the statements are those that the stores send, taken from the wire.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, text

from gen_video.accounts.models import Caller
from gen_video.generation import fair_store, job_reads
from gen_video.generation.dispatch import DispatchService
from gen_video.generation.fair_store import Place
from gen_video.generation.tables import fair_shares, jobs
from gen_video.queues.memory import MemoryWakeUps
from tests.db.clocked import START
from tests.generation.studio import MODELS, QUEUES, Studio

QUEUE = QUEUES[0]
ACCOUNTS, JOBS, COMPETING = 40, 12_000, 4
PLACE = Place(account_id="acc_7", queue=QUEUE, rank=0)
LATER = START + timedelta(days=1)
LISTS_ALL = ("count_queued",)


@dataclass(frozen=True)
class Crowd:
    """A studio with many jobs."""

    studio: Studio

    def explain(self, ask: Callable[[Connection], object]) -> list[str]:
        """Return the plans of all that a question sends to the database."""
        plans: list[str] = []

        def work(connection: Connection) -> None:
            with listened(connection) as statements:
                ask(connection)
            assert statements
            plans.extend(
                self._plan(connection, statement, parameters)
                for statement, parameters in statements
            )

        self.studio.database.read(work)
        return plans

    def _plan(self, connection: Connection, statement: str, parameters: Any) -> str:  # noqa: ANN401 - as the driver has them
        is_sqlite = self.studio.database.is_sqlite
        prefix = "EXPLAIN QUERY PLAN " if is_sqlite else "EXPLAIN (FORMAT JSON) "
        rows = connection.exec_driver_sql(prefix + statement, parameters).all()
        if is_sqlite:
            return "\n".join(row[3] for row in rows)
        return "\n".join(_nodes(rows[0][0][0]["Plan"]))


def _nodes(plan: dict[str, Any]) -> Iterator[str]:
    """Return a line for each step of a plan of PostgreSQL, in the words of SQLite."""
    index = plan.get("Index Name")
    table = plan.get("Relation Name")
    if plan["Node Type"] == "Seq Scan":
        yield f"SCAN {table}"
    elif index is not None:
        yield f"SEARCH {table} USING INDEX {index} ({plan.get('Index Cond', 'whole')})"
    for child in plan.get("Plans", []):
        yield from _nodes(child)


@contextmanager
def listened(connection: Connection) -> Iterator[list[tuple[str, Any]]]:
    """Write down the SELECTs that are sent meanwhile."""
    statements: list[tuple[str, Any]] = []

    def note(
        _connection: Connection, _cursor: object, statement: str, parameters: Any, *_: object
    ) -> None:
        if statement.lstrip().startswith("SELECT") and "jobs" in statement:
            statements.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(connection, "before_cursor_execute", note)


def _row(studio: Studio, pattern: dict[str, object], number: int) -> dict[str, object]:
    """Return one of many jobs: of four of an account's jobs one is over."""
    per_account = JOBS // ACCOUNTS
    position = number % per_account
    is_over = number >= JOBS
    is_running = not is_over and position == 0
    state = "succeeded" if is_over else "running" if is_running else "queued"
    created_at = START + timedelta(milliseconds=number)
    return pattern | {
        "id": f"job_{number:022d}",
        "account_id": f"acc_{number % (2 * JOBS) // per_account % ACCOUNTS}",
        "state": state,
        "queue": QUEUES[number % 2] if is_over else QUEUE,
        "rank": 1 if position % 50 == 49 else 0,
        "start_tag": number * 50_000 if is_over or position < COMPETING else None,
        "dispatched_at": START if position == 1 and number < 16 * per_account else None,
        "lease_owner": "worker" if is_running else None,
        "lease_expires_at": LATER if is_running else None,
        "finished_at": created_at if is_over else None,
        "deadline_at": LATER,
        "created_at": created_at,
        "not_before": created_at,
    }


@pytest.fixture
def crowd(studio: Studio, caller: Caller) -> Crowd:
    pattern = dict(studio.row(studio.submit(caller).id)._mapping)
    accounts = [dict(row) for row in _account_rows(studio)]

    def fill(connection: Connection) -> None:
        connection.execute(jobs.delete().where(jobs.c.id == pattern["id"]))
        for number in range(ACCOUNTS):
            connection.execute(
                text(
                    f"INSERT INTO accounts ({', '.join(accounts[0])})"  # noqa: S608 - our own names
                    f" VALUES ({', '.join(':' + name for name in accounts[0])})"
                ),
                accounts[0] | {"id": f"acc_{number}", "name": f"user-{number}"},
            )
        rows = [_row(studio, pattern, number) for number in range(2 * JOBS)]
        connection.execute(insert(jobs), rows)
        connection.execute(
            insert(fair_shares),
            [
                {"account_id": f"acc_{number}", "queue": queue, "rank": rank, "finish_tag": 9}
                for number in range(ACCOUNTS)
                for queue in QUEUES
                for rank in range(2)
            ],
        )

    def settle(connection: Connection) -> None:
        connection.execute(text("ANALYZE"))

    if not studio.database.is_sqlite:
        studio.database.write(_allow_everything)
    studio.database.write(fill)
    if not studio.database.is_sqlite:
        studio.database.write(settle)
    return Crowd(studio)


def _allow_everything(connection: Connection) -> None:
    connection.execute(text("SELECT 1"))


def _account_rows(studio: Studio) -> list[dict[str, object]]:
    return studio.database.read(
        lambda connection: [
            dict(row) for row in connection.execute(text("SELECT * FROM accounts")).mappings()
        ]
    )


@dataclass(frozen=True)
class Question:
    """What is asked, and the indexes that must answer it."""

    ask: Callable[[Connection], object]
    indexes: tuple[str, ...]


MIDDLE = START + timedelta(milliseconds=7 * 300 + 150)
QUESTIONS = {
    "who is next": Question(
        lambda connection: fair_store.list_candidates(
            connection, QUEUE, models=MODELS, tiers=(), now=LATER
        ),
        ("ix_jobs_ready",),
    ),
    "who is next of some tiers": Question(
        lambda connection: fair_store.list_candidates(
            connection, QUEUE, models=MODELS, tiers=("free", "paid"), now=LATER
        ),
        ("ix_jobs_ready",),
    ),
    "whether anybody is next": Question(
        lambda connection: fair_store.has_due(
            connection, QUEUES, models=MODELS, tiers=(), now=LATER
        ),
        ("ix_jobs_ready",),
    ),
    "what is ahead": Question(
        lambda connection: fair_store.sum_ahead(
            connection,
            queue=QUEUE,
            rank=0,
            start_tag=600 * 50_000,
            job_id="job_0000000000000000000600",
            limit=10_000,
        ),
        ("ix_jobs_ready",),
    ),
    "what is ahead in the backlog": Question(
        lambda connection: fair_store.sum_backlog_before(
            connection, PLACE, created_at=MIDDLE, job_id="job_9", limit=10_000
        ),
        ("ix_jobs_backlog",),
    ),
    "who of an account waits": Question(
        lambda connection: fair_store.next_waiting(connection, PLACE), ("ix_jobs_backlog",)
    ),
    "since when an account waits": Question(
        lambda connection: fair_store.oldest_waiting(connection, PLACE), ("ix_jobs_backlog",)
    ),
    "how many of an account compete": Question(
        lambda connection: fair_store.count_competing(connection, PLACE, limit=COMPETING),
        ("ix_jobs_competing",),
    ),
    "the clocks": Question(
        lambda connection: fair_store.read_clocks(connection, PLACE),
        ("ix_jobs_running", "ix_jobs_ready", "ix_fair_shares_finish"),
    ),
    "who has no place": Question(
        lambda connection: fair_store.list_unplaced(connection, models=MODELS, limit=100),
        ("ix_jobs_backlog",),
    ),
    "whose batch is old": Question(
        lambda connection: fair_store.list_aged(connection, before=START, limit=100),
        ("ix_jobs_batch",),
    ),
    "the first place with a backlog": Question(
        lambda connection: fair_store.next_backlog_place(connection, None), ("ix_jobs_backlog",)
    ),
    "the next place with a backlog": Question(
        lambda connection: fair_store.next_backlog_place(connection, PLACE), ("ix_jobs_backlog",)
    ),
}


@pytest.fixture(params=QUESTIONS.values(), ids=QUESTIONS.keys())
def question(request: pytest.FixtureRequest) -> Question:
    found: Question = request.param
    return found


def require(plans: list[str], indexes: tuple[str, ...]) -> None:
    everything = "\n".join(plans)
    scans = [line for line in everything.splitlines() if line.startswith("SCAN jobs")]
    whole = [line for line in scans if "USING" not in line]
    assert not whole, f"reads the whole table:\n{everything}"
    for index in indexes:
        assert index in everything, everything


def test_every_question_of_the_queue_is_answered_by_an_index(crowd: Crowd) -> None:
    """One test for all: making so many jobs takes longer than asking."""
    wrong = {}
    for name, question in QUESTIONS.items():
        try:
            require(crowd.explain(question.ask), question.indexes)
        except AssertionError as error:
            wrong[name] = str(error)

    assert not wrong, json.dumps(wrong, indent=1)
