"""Lines: what runs and who is next in every queue, for those who run the service.

Takes the connection first and changes nothing. A job that waits behind its own account's others
has no place yet: it is counted, not listed.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Select, func, select

from gen_video.accounts.tables import accounts
from gen_video.generation.fair_store import is_ready, is_waiting
from gen_video.generation.job_reads import AnyRow
from gen_video.generation.tables import IS_RUNNING, jobs

COUNT_LIMIT = 10_000
_COLUMNS = (
    jobs.c.id,
    accounts.c.name.label("account_name"),
    jobs.c.kind,
    jobs.c.model,
    jobs.c.queue,
    jobs.c.rank,
    jobs.c.tier,
    jobs.c.lease_owner,
    jobs.c.progress_step,
    jobs.c.progress_steps,
    jobs.c.predicted_us,
    jobs.c.created_at,
    jobs.c.started_at,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenJob:
    """A job that runs or waits, without its prompt.

    Attributes:
        position: Its place in line, from 1; None while it runs.
        worker_id: Who runs it.
    """

    id: str
    account_name: str
    kind: str
    model: str
    tier: str
    is_batch: bool
    position: int | None
    worker_id: str | None
    step: int
    steps: int
    predicted_seconds: float
    created_at: datetime
    started_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The first jobs of one queue.

    Attributes:
        backlog: Jobs that wait behind their own accounts' others, counted up to 10,000.
    """

    queue: str
    ready: tuple[OpenJob, ...]
    backlog: int


def list_running(connection: Connection, *, limit: int) -> list[OpenJob]:
    """Return jobs that run, those whose lease was renewed longest ago first."""
    statement = _open_jobs().where(IS_RUNNING).order_by(jobs.c.lease_expires_at).limit(limit)
    return [_open_job(row, None) for row in connection.execute(statement)]


def read_line(connection: Connection, queue: str, *, limit: int) -> Line:
    """Return who is next in a queue, in the order in which a worker would take them."""
    ready = (
        _open_jobs()
        .where(jobs.c.queue == queue, is_ready())
        .order_by(jobs.c.rank, jobs.c.start_tag, jobs.c.id)
        .limit(limit)
    )
    backlog = (
        select(jobs.c.id).where(jobs.c.queue == queue, is_waiting()).limit(COUNT_LIMIT).subquery()
    )
    return Line(
        queue=queue,
        ready=tuple(
            _open_job(row, position)
            for position, row in enumerate(connection.execute(ready), start=1)
        ),
        backlog=connection.execute(select(func.count()).select_from(backlog)).scalar_one(),
    )


def _open_jobs() -> Select[tuple[object, ...]]:
    return select(*_COLUMNS).join(accounts, accounts.c.id == jobs.c.account_id)


def _open_job(row: AnyRow, position: int | None) -> OpenJob:
    return OpenJob(
        id=row.id,
        account_name=row.account_name,
        kind=row.kind,
        model=row.model,
        tier=row.tier,
        is_batch=bool(row.rank),
        position=position,
        worker_id=row.lease_owner,
        step=row.progress_step or 0,
        steps=row.progress_steps or 0,
        predicted_seconds=row.predicted_us / 1_000_000,
        created_at=row.created_at,
        started_at=row.started_at,
    )
