"""Query plans: what is asked for every claim and every request reads an index and no whole table.

Twelve thousand jobs wait, most of them behind the others of their accounts, and as many are over.
The statements are those that the stores send, heard on their way to the database.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, text

from gen_video.accounts.models import Caller
from gen_video.generation import fair_store, job_reads, lines
from gen_video.generation.dispatch import DispatchService
from gen_video.generation.fair_store import Place
from gen_video.generation.tables import fair_shares, jobs
from gen_video.queues.memory import MemoryWakeUps
from tests.db.clocked import START
from tests.generation.studio import MODELS, QUEUES, Studio

QUEUE = QUEUES[0]
ACCOUNTS, JOBS_OF_ACCOUNT, COMPETING = 40, 300, 4
JOBS = ACCOUNTS * JOBS_OF_ACCOUNT
LATER = START + timedelta(days=1)


@dataclass(frozen=True)
class Crowd:
    """A studio with many jobs, and one of its accounts."""

    studio: Studio
    place: Place

    def explain(self, ask: Callable[[Connection], object]) -> str:
        """Return the plans of all that a question sends, a line for each table that is read."""

        def work(connection: Connection) -> list[str]:
            with heard(connection) as statements:
                ask(connection)
            return [line for sent in statements for line in self._plan(connection, *sent)]

        return "\n".join(self.studio.database.read(work))

    def _plan(self, connection: Connection, statement: str, parameters: object) -> list[str]:
        is_sqlite = self.studio.database.is_sqlite
        prefix = "EXPLAIN QUERY PLAN " if is_sqlite else "EXPLAIN (FORMAT JSON) "
        rows = connection.exec_driver_sql(prefix + statement, parameters).all()  # type: ignore[arg-type] # as they were sent
        if is_sqlite:
            return [row[3] for row in rows]
        return list(_steps(rows[0][0][0]["Plan"]))


def _steps(plan: dict[str, Any]) -> Iterator[str]:
    """Return a plan of PostgreSQL in the words of SQLite."""
    if plan["Node Type"] == "Seq Scan":
        yield f"SCAN {plan['Relation Name']}"
    elif "Index Name" in plan:
        verb = "SEARCH" if "Index Cond" in plan else "SCAN"
        table = plan.get("Relation Name", "")
        yield f"{verb} {table} USING INDEX {plan['Index Name']} ({plan.get('Index Cond', '')})"
    for child in plan.get("Plans", []):
        yield from _steps(child)


@contextmanager
def heard(connection: Connection) -> Iterator[list[tuple[str, object]]]:
    """Write down what is asked about jobs meanwhile."""
    statements: list[tuple[str, object]] = []

    def note(
        _connection: Connection, _cursor: object, statement: str, parameters: object, *_: object
    ) -> None:
        if "jobs" in statement:
            statements.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(connection, "before_cursor_execute", note)


def job_row(number: int, account_ids: list[str]) -> dict[str, object]:
    """Return what sets one of many jobs apart; the second half of them is over."""
    position = number % JOBS_OF_ACCOUNT
    is_over = number >= JOBS
    is_running = not is_over and position == 0
    is_announced = position == 1 and number < JOBS // 4 and not is_over
    created_at = START + timedelta(milliseconds=number)
    return {
        "id": f"job_{number:022d}",
        "account_id": account_ids[number % JOBS // JOBS_OF_ACCOUNT],
        "state": "succeeded" if is_over else "running" if is_running else "queued",
        "queue": QUEUE,
        "rank": int(position % 50 == 49),
        "start_tag": number * 50_000 if is_over or position < COMPETING else None,
        "dispatched_at": LATER if is_announced else None,
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
    account_ids = [
        studio.accounts.create_account(f"user-{n}", plan_id="free").id for n in range(ACCOUNTS)
    ]
    rows = [pattern | job_row(number, account_ids) for number in range(2 * JOBS)]
    shares = [
        {"account_id": account_id, "queue": queue, "rank": rank, "finish_tag": 9}
        for account_id in account_ids
        for queue in QUEUES
        for rank in range(2)
    ]

    def fill(connection: Connection) -> None:
        connection.execute(insert(jobs), rows)
        connection.execute(insert(fair_shares), shares)
        if connection.dialect.name == "postgresql":
            connection.execute(text("ANALYZE"))

    studio.database.write(fill)
    studio.database.moment = LATER
    return Crowd(studio, Place(account_id=account_ids[7], queue=QUEUE, rank=0))


Ask = Callable[[Connection, Place], object]
WANTED: dict[str, tuple[Ask, str]] = {
    "who is next": (
        lambda connection, _: fair_store.list_candidates(
            connection, QUEUE, models=MODELS, tiers=(), now=LATER
        ),
        "ix_jobs_ready",
    ),
    "who is next of some tiers": (
        lambda connection, _: fair_store.list_candidates(
            connection, QUEUE, models=MODELS, tiers=("free", "paid"), now=LATER
        ),
        "ix_jobs_ready",
    ),
    "whether anybody is next": (
        lambda connection, _: fair_store.has_due(
            connection, QUEUES, models=MODELS, tiers=(), now=LATER
        ),
        "ix_jobs_ready",
    ),
    "what is ahead": (
        lambda connection, _: fair_store.sum_ahead(
            connection, queue=QUEUE, rank=0, start_tag=10**8, job_id="job_1", limit=10_000
        ),
        "ix_jobs_ready",
    ),
    "what is ahead in the backlog": (
        lambda connection, place: fair_store.sum_backlog_before(
            connection, place, created_at=LATER, job_id="job_1", limit=10_000
        ),
        "ix_jobs_backlog",
    ),
    "who of an account waits": (
        fair_store.next_waiting,
        "ix_jobs_backlog",
    ),
    "since when an account waits": (
        fair_store.oldest_waiting,
        "ix_jobs_backlog",
    ),
    "how many of an account compete": (
        lambda connection, place: fair_store.count_competing(connection, place, limit=COMPETING),
        "ix_jobs_competing",
    ),
    "the clocks": (
        fair_store.read_clocks,
        "ix_jobs_running ix_jobs_ready ix_fair_shares_finish",
    ),
    "who has no place": (
        lambda connection, _: fair_store.list_unplaced(connection, models=MODELS, limit=100),
        "ix_jobs_backlog",
    ),
    "whose batch is old": (
        lambda connection, _: fair_store.list_aged(connection, before=START, limit=100),
        "ix_jobs_batch|ix_jobs_queue",
    ),
    "the first place with a backlog": (
        lambda connection, _: fair_store.next_backlog_place(connection, None),
        "ix_jobs_backlog",
    ),
    "the next place with a backlog": (fair_store.next_backlog_place, "ix_jobs_backlog"),
    "whose lease is over": (
        lambda connection, _: job_reads.list_lost(connection, now=LATER, limit=100),
        "ix_jobs_leases",
    ),
    "what runs, for operators": (
        lambda connection, _: lines.list_running(connection, limit=100),
        "ix_jobs_leases",
    ),
    "who is next, for operators": (
        lambda connection, _: lines.read_line(connection, QUEUE, limit=20),
        "ix_jobs_ready ix_jobs_backlog|ix_jobs_deadlines",
    ),
    "whose deadline is over": (
        lambda connection, _: job_reads.list_overdue(connection, now=START, limit=100),
        "ix_jobs_deadlines",
    ),
}
"""What is asked, and the indexes that answer it; `|` is between two of which either will do."""


def test_every_question_about_queues_is_answered_by_an_index(crowd: Crowd) -> None:
    """One test for all questions: making so many jobs takes longer than asking."""
    dispatch = DispatchService(database=crowd.studio.database, wakeups=MemoryWakeUps())
    wanted = WANTED | {
        "what to announce": (
            lambda connection, _: dispatch._list_due(connection, queue=QUEUE),
            "ix_jobs_dispatched ix_jobs_ready",
        )
    }

    wrong = {}
    for name, (ask, indexes) in wanted.items():
        plan = crowd.explain(lambda connection, ask=ask: ask(connection, crowd.place))  # type: ignore[misc] # bound now
        reads_all = [line for line in plan.splitlines() if line in {"SCAN jobs", "SCAN TABLE jobs"}]
        missing = [
            names for names in indexes.split() if not any(n in plan for n in names.split("|"))
        ]
        if reads_all or missing or not plan:
            wrong[name] = plan

    assert wrong == {}, json.dumps(wrong, indent=1)
