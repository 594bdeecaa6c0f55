"""SQL of fair shares: tags, who competes, who waits behind. Takes the connection, never commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    Subquery,
    and_,
    case,
    func,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from gen_video.db.schema import UtcTime
from gen_video.generation.job_reads import AnyRow
from gen_video.generation.shares import Candidate
from gen_video.generation.tables import (
    IS_BATCH,
    IS_OPEN,
    IS_QUEUED,
    IS_RUNNING,
    fair_shares,
    jobs,
)

CANDIDATES = 16
"""How far a worker looks for a job whose model is loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One account's place in one class of one queue."""

    account_id: str
    queue: str
    rank: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingJob:
    """A job in its account's backlog."""

    job_id: str
    predicted_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """What the next job's tags follow from; see `shares.next_tags`."""

    virtual_time: int
    last_finish: int
    last_start: int | None


def read_clocks(connection: Connection, place: Place) -> Clocks:
    """Return the clocks of a queue and of an account in it.

    The virtual time is the start tag of the job that began last; without one that of the first
    in line; in an empty queue the end of all that was served.
    """
    in_queue = (jobs.c.queue == place.queue, jobs.c.rank == place.rank)
    running = select(func.max(jobs.c.start_tag)).where(*in_queue, IS_RUNNING)
    ready = select(func.min(jobs.c.start_tag)).where(*in_queue, is_ready())
    served = select(func.max(fair_shares.c.finish_tag)).where(
        fair_shares.c.queue == place.queue, fair_shares.c.rank == place.rank
    )
    own = select(fair_shares.c.finish_tag).where(*_is_place(place))
    last = select(func.max(jobs.c.start_tag)).where(
        *_is_job_of(place), IS_OPEN, jobs.c.start_tag.is_not(None)
    )
    row = connection.execute(
        select(
            func.coalesce(
                running.scalar_subquery(), ready.scalar_subquery(), served.scalar_subquery(), 0
            ),
            func.coalesce(own.scalar_subquery(), 0),
            last.scalar_subquery(),
        )
    ).one()
    return Clocks(virtual_time=int(row[0]), last_finish=int(row[1]), last_start=row[2])


def write_finish(connection: Connection, place: Place, *, finish_tag: int) -> None:
    """Move an account's finish tag; the account's row is locked by the caller."""
    dialect_insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    connection.execute(
        dialect_insert(fair_shares)
        .values(
            account_id=place.account_id, queue=place.queue, rank=place.rank, finish_tag=finish_tag
        )
        .on_conflict_do_update(
            index_elements=["account_id", "queue", "rank"], set_={"finish_tag": finish_tag}
        )
    )


def move_finish(connection: Connection, place: Place, *, change: int) -> None:
    """Move an account's finish tag forth or back, never below 0."""
    moved = fair_shares.c.finish_tag + change
    connection.execute(
        update(fair_shares)
        .where(*_is_place(place))
        .values(finish_tag=case((moved < 0, 0), else_=moved))
    )


def count_competing(connection: Connection, place: Place, *, limit: int) -> int:
    """Return how many jobs of an account compete or run, counting no further than `limit`."""
    competing = (
        select(jobs.c.id)
        .where(
            *_is_job_of(place),
            IS_OPEN,
            jobs.c.start_tag.is_not(None),
        )
        .limit(limit)
        .subquery()
    )
    return connection.execute(select(func.count()).select_from(competing)).scalar_one()


def next_waiting(connection: Connection, place: Place) -> WaitingJob | None:
    """Lock and return the first job of an account's backlog that nobody else holds.

    Whoever cancels or expires a job holds it and waits for its account, which is ours by now.
    """
    row = connection.execute(
        select(jobs.c.id, jobs.c.predicted_us)
        .where(*_is_job_of(place), is_waiting())
        .order_by(jobs.c.created_at, jobs.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).one_or_none()
    return None if row is None else WaitingJob(job_id=row.id, predicted_us=row.predicted_us)


def lock_job(connection: Connection, job_id: str) -> AnyRow | None:
    """Lock and return a job; None when somebody holds it, for the reason above."""
    statement = select(jobs).where(jobs.c.id == job_id).with_for_update(skip_locked=True)
    return connection.execute(statement).one_or_none()


def oldest_waiting(connection: Connection, place: Place) -> datetime | None:
    """Return since when the first job of an account's backlog has waited."""
    found: datetime | None = connection.execute(
        select(func.min(jobs.c.created_at)).where(*_is_job_of(place), is_waiting())
    ).scalar_one()
    return found


def set_tag(connection: Connection, *, job_id: str, start_tag: int) -> bool:
    """Let a waiting job compete; False when it is not waiting any more."""
    statement = update(jobs).where(jobs.c.id == job_id, is_waiting()).values(start_tag=start_tag)
    return connection.execute(statement).rowcount == 1


def move_to_place(
    connection: Connection,
    *,
    job_id: str,
    place: Place,
    tier: str,
    predicted_us: int,
) -> bool:
    """Put a queued job into a place's backlog, whatever place it had; False when it left."""
    statement = (
        update(jobs)
        .where(jobs.c.id == job_id, IS_QUEUED)
        .values(
            queue=place.queue,
            rank=place.rank,
            tier=tier,
            predicted_us=predicted_us,
            start_tag=None,
            passed_at=None,
        )
    )
    return connection.execute(statement).rowcount == 1


def list_candidates(
    connection: Connection,
    queue: str,
    *,
    models: Sequence[str],
    tiers: Sequence[str],
    now: datetime,
    limit: int = CANDIDATES,
) -> list[Candidate]:
    """Return the first jobs of a queue that may start now, in their fair order."""
    statement = (
        select(
            jobs.c.id,
            jobs.c.model,
            jobs.c.rank,
            jobs.c.start_tag,
            jobs.c.created_at,
            jobs.c.passed_at,
        )
        .where(*is_due(queue, models=models, tiers=tiers, now=now))
        .order_by(jobs.c.rank, jobs.c.start_tag, jobs.c.id)
        .limit(limit)
    )
    return [
        Candidate(
            job_id=row.id,
            model=row.model,
            rank=row.rank,
            start_tag=row.start_tag,
            created_at=row.created_at,
            passed_at=row.passed_at,
        )
        for row in connection.execute(statement)
    ]


def has_due(
    connection: Connection,
    queues: Sequence[str],
    *,
    models: Sequence[str],
    tiers: Sequence[str],
    now: datetime,
) -> bool:
    """Tell whether a job of one of these queues may start now."""
    # In the order of the index: without one PostgreSQL may read the whole table for a single row.
    return any(
        connection.execute(
            select(jobs.c.id)
            .where(*is_due(queue, models=models, tiers=tiers, now=now))
            .order_by(jobs.c.rank, jobs.c.start_tag, jobs.c.id)
            .limit(1)
        ).first()
        is not None
        for queue in queues
    )


def mark_passed(connection: Connection, job_id: str, *, now: datetime) -> None:
    """Note that a job was passed over for the first time."""
    connection.execute(
        update(jobs).where(jobs.c.id == job_id, jobs.c.passed_at.is_(None)).values(passed_at=now)
    )


def sum_ahead(
    connection: Connection, *, queue: str, rank: int, start_tag: int, job_id: str, limit: int
) -> tuple[int, int]:
    """Return (jobs, predicted microseconds) before a place in the order, no more than `limit`."""
    # As one row comparison it is a range of the index.
    is_ahead = tuple_(jobs.c.rank, jobs.c.start_tag, jobs.c.id) < (rank, start_tag, job_id)
    ahead = (
        select(jobs.c.predicted_us)
        .where(jobs.c.queue == queue, is_ready(), is_ahead)
        .order_by(jobs.c.rank, jobs.c.start_tag)
        .limit(limit)
        .subquery()
    )
    return _count_and_sum(connection, ahead)


def sum_backlog_before(
    connection: Connection, place: Place, *, created_at: datetime, job_id: str, limit: int
) -> tuple[int, int]:
    """Return (jobs, predicted microseconds) before a job in its account's backlog."""
    created_at_value = literal(created_at, UtcTime())
    before = (
        select(jobs.c.predicted_us)
        .where(
            *_is_job_of(place),
            is_waiting(),
            tuple_(jobs.c.created_at, jobs.c.id) < tuple_(created_at_value, literal(job_id)),
        )
        .limit(limit)
        .subquery()
    )
    return _count_and_sum(connection, before)


def list_unplaced(connection: Connection, *, models: Sequence[str], limit: int) -> list[str]:
    """Return queued jobs that have no queue: accepted by the release before. The oldest first."""
    statement = (
        select(jobs.c.id)
        .where(jobs.c.queue == "", is_waiting(), jobs.c.model.in_(models))
        .order_by(jobs.c.created_at, jobs.c.id)
        .limit(limit)
    )
    return list(connection.execute(statement).scalars())


def list_aged(connection: Connection, *, before: datetime, limit: int) -> list[str]:
    """Return batch jobs that have waited since before a moment, the oldest first."""
    statement = (
        select(jobs.c.id)
        .where(IS_QUEUED, IS_BATCH, jobs.c.created_at < before)
        .order_by(jobs.c.created_at, jobs.c.id)
        .limit(limit)
    )
    return list(connection.execute(statement).scalars())


def next_backlog_place(connection: Connection, after: Place | None) -> Place | None:
    """Return the first place with a backlog behind another one, in the order of the index."""
    statement = select(jobs.c.queue, jobs.c.account_id, jobs.c.rank).where(
        is_waiting(), jobs.c.queue != ""
    )
    if after is not None:
        key = tuple_(jobs.c.queue, jobs.c.account_id, jobs.c.rank)
        statement = statement.where(key > (after.queue, after.account_id, after.rank))
    row = connection.execute(
        statement.order_by(jobs.c.queue, jobs.c.account_id, jobs.c.rank).limit(1)
    ).one_or_none()
    if row is None:
        return None
    return Place(account_id=row.account_id, queue=row.queue, rank=row.rank)


def is_due(
    queue: str, *, models: Sequence[str], tiers: Sequence[str], now: datetime
) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that a job of a queue may start now on such a worker."""
    conditions = (
        jobs.c.queue == queue,
        is_ready(),
        jobs.c.not_before <= now,
        jobs.c.cancel_requested_at.is_(None),
        jobs.c.model.in_(models),
    )
    return (*conditions, jobs.c.tier.in_(tiers)) if tiers else conditions


def is_ready() -> ColumnElement[bool]:
    """Return the condition that a job competes for a device."""
    return and_(IS_QUEUED, jobs.c.start_tag.is_not(None))


def is_waiting() -> ColumnElement[bool]:
    """Return the condition that a job waits behind its own account's others."""
    return and_(IS_QUEUED, jobs.c.start_tag.is_(None))


def _is_place(place: Place) -> tuple[ColumnElement[bool], ...]:
    return (
        fair_shares.c.account_id == place.account_id,
        fair_shares.c.queue == place.queue,
        fair_shares.c.rank == place.rank,
    )


def _is_job_of(place: Place) -> tuple[ColumnElement[bool], ...]:
    return (
        jobs.c.account_id == place.account_id,
        jobs.c.queue == place.queue,
        jobs.c.rank == place.rank,
    )


def _count_and_sum(connection: Connection, rows: Subquery) -> tuple[int, int]:
    statement = select(func.count(), func.sum(rows.c.predicted_us)).select_from(rows)
    count, total = connection.execute(statement).one()
    return int(count), int(total or 0)
