"""Recording: the finished jobs of a live database as a trace for simulations. Only reads.

Accounts are numbered; prompts, names and ids stay where they are.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from gen_video.accounts.service import AccountService
from gen_video.db.database import Database
from gen_video.generation.queueing import share_of
from gen_video.generation.shares import MICROSECONDS, Priority, Rank
from gen_video.generation.tables import job_attempts, jobs

STATEMENT_SECONDS = 120.0
MICROSECOND = timedelta(microseconds=1)

TraceRow = dict[str, str | int | float]


def record_trace(
    database: Database, accounts: AccountService, *, since: timedelta
) -> list[TraceRow]:
    """Return the jobs that were accepted within `since` and have succeeded, the oldest first."""

    def work(connection: Connection) -> list[TraceRow]:
        begin = database.now(connection) - since
        return list(_rows(connection, accounts, begin))

    with database.patient(statement_seconds=STATEMENT_SECONDS) as patient:
        return patient.read(work)


def _rows(connection: Connection, accounts: AccountService, begin: datetime) -> Iterator[TraceRow]:
    last = (
        select(job_attempts.c.job_id, func.max(job_attempts.c.fence).label("fence"))
        .where(job_attempts.c.outcome == "succeeded")
        .group_by(job_attempts.c.job_id)
        .subquery()
    )
    statement = (
        select(
            jobs.c.account_id,
            jobs.c.created_at,
            jobs.c.model,
            jobs.c.queue,
            jobs.c.rank,
            jobs.c.tier,
            jobs.c.predicted_us,
            job_attempts.c.started_at,
            job_attempts.c.ended_at,
        )
        .join(last, last.c.job_id == jobs.c.id)
        .join(
            job_attempts,
            (job_attempts.c.job_id == last.c.job_id) & (job_attempts.c.fence == last.c.fence),
        )
        .where(jobs.c.created_at >= begin, jobs.c.queue != "")
        .order_by(jobs.c.created_at, jobs.c.id)
    )
    numbers: dict[str, int] = {}
    for row in connection.execute(statement):
        number = numbers.setdefault(row.account_id, len(numbers) + 1)
        share = share_of(accounts.get_plan_of(connection, row.account_id))
        seconds = max((row.ended_at - row.started_at) / timedelta(seconds=1), 0.001)
        is_batch = row.rank == Rank.BATCH
        yield {
            "at": round((row.created_at - begin) / timedelta(seconds=1), 6),
            "account": f"account-{number}",
            "seconds": round(seconds, 6),
            "predicted_seconds": (row.predicted_us or seconds * MICROSECONDS) / MICROSECONDS,
            "model": row.model,
            "queue": row.queue,
            "priority": (Priority.BATCH if is_batch else Priority.INTERACTIVE).value,
            "group": row.tier or "all",
            "weight": share.weight,
            "max_running": share.max_running,
            "tier": row.tier or "free",
        }
