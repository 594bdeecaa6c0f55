"""SQL that moves jobs. Every function takes the connection first and never commits.

Every move is one conditional UPDATE that names the state (and fence) it starts from and tells
whether it happened.
"""

import json
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, case, func, insert, literal, select, update

from gen_video.db.schema import UtcTime
from gen_video.generation.job_reads import AnyRow, held, parse_input, write_input
from gen_video.generation.models import ClaimedJob, Job, JobProgress
from gen_video.generation.states import JobKind, JobState, can_move
from gen_video.generation.tables import IS_QUEUED, job_attempts, jobs


def insert_job(
    connection: Connection, job: Job, *, fingerprint: str, reference_key: str | None, **more: object
) -> None:
    """Add a queued job."""
    connection.execute(
        insert(jobs).values(
            id=job.id,
            account_id=job.account_id,
            api_key_id=job.api_key_id,
            kind=job.kind.value,
            model=job.model,
            state=job.state.value,
            fingerprint=fingerprint,
            input_json=write_input(job.input),
            reference_key=reference_key,
            metadata_json=json.dumps(job.metadata, ensure_ascii=False) if job.metadata else None,
            units=job.units,
            price_micros=job.price_micros,
            quota_json=json.dumps(job.quota_remaining),
            not_before=job.created_at,
            created_at=job.created_at,
            deadline_at=job.deadline_at,
            progress_stage="queued",
            progress_step=0,
            progress_steps=job.progress.steps,
            **more,
        )
    )


def lock_first(connection: Connection, job_ids: Sequence[str]) -> str | None:
    """Lock and return the first of some jobs, in this order, that nobody else is claiming."""
    order = case({job_id: at for at, job_id in enumerate(job_ids)}, value=jobs.c.id)
    statement = (
        select(jobs.c.id)
        .where(jobs.c.id.in_(job_ids), IS_QUEUED)
        .order_by(order)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    found: str | None = connection.execute(statement).scalar_one_or_none()
    return found


def claim(
    connection: Connection, job_id: str, *, worker_id: str, now: datetime, lease_until: datetime
) -> ClaimedJob | None:
    """Lease a queued job; None when somebody was faster."""
    statement = (
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.state == JobState.QUEUED.value)
        .values(
            state=JobState.RUNNING.value,
            fence=jobs.c.fence + 1,
            attempt=jobs.c.attempt + 1,
            lease_owner=worker_id,
            lease_expires_at=lease_until,
            started_at=func.coalesce(jobs.c.started_at, literal(now, UtcTime())),
            progress_stage="starting",
            progress_step=0,
            progress_at=now,
            dispatched_at=None,
        )
        .returning(jobs)
    )
    row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    connection.execute(
        insert(job_attempts).values(
            job_id=job_id, fence=row.fence, worker_id=worker_id, started_at=now
        )
    )
    return _claimed(row, now=now)


def renew(
    connection: Connection,
    *,
    job_id: str,
    fence: int,
    lease_until: datetime,
    now: datetime,
    progress: JobProgress | None,
) -> AnyRow | None:
    """Prolong a lease and write progress; None when the lease is lost."""
    values: dict[str, object] = {"lease_expires_at": lease_until}
    if progress is not None:
        values |= {
            "progress_stage": progress.stage,
            "progress_step": progress.step,
            "progress_steps": progress.steps,
            "progress_at": now,
        }
    statement = (
        update(jobs)
        .where(held(job_id, fence))
        .values(values)
        .returning(jobs.c.cancel_requested_at, jobs.c.deadline_at)
    )
    return connection.execute(statement).one_or_none()


def conclude(
    connection: Connection,
    *,
    job_id: str,
    source: JobState,
    target: JobState,
    now: datetime,
    fence: int | None = None,
    is_unless_canceled: bool = False,
    values: dict[str, object] | None = None,
) -> AnyRow | None:
    """Move a job to a terminal state; return its row as it now stands, None when it had moved.

    `fence` names the lease that must still hold, None for a job that nobody runs;
    `is_unless_canceled` refuses when the owner asked to cancel meanwhile.
    """
    if not (can_move(source, target) and target.is_terminal):
        raise ValueError(f"a job cannot end by going from {source} to {target}")
    condition = and_(jobs.c.id == job_id, jobs.c.state == source.value)
    if fence is not None:
        condition = and_(condition, jobs.c.fence == fence)
    if is_unless_canceled:
        condition = and_(condition, jobs.c.cancel_requested_at.is_(None))
    ending = {
        "state": target.value,
        "finished_at": now,
        "lease_owner": None,
        "lease_expires_at": None,
    }
    statement = update(jobs).where(condition).values(ending | (values or {})).returning(jobs)
    return connection.execute(statement).one_or_none()


def requeue(
    connection: Connection,
    *,
    job_id: str,
    fence: int,
    not_before: datetime,
    values: dict[str, object] | None = None,
) -> bool:
    """Give a running job back to the queue; the fence moves, so its attempt is dead at once.

    False when the attempt no longer holds the job, or its owner asked to cancel it: nobody would
    ever claim it again.
    """
    back = {
        "state": JobState.QUEUED.value,
        "fence": jobs.c.fence + 1,
        "lease_owner": None,
        "lease_expires_at": None,
        "not_before": not_before,
        "progress_stage": "queued",
        "progress_step": 0,
        "dispatched_at": None,
    }
    is_wanted = and_(held(job_id, fence), jobs.c.cancel_requested_at.is_(None))
    statement = update(jobs).where(is_wanted).values(back | (values or {}))
    return connection.execute(statement).rowcount == 1


def end_attempt(
    connection: Connection, *, job_id: str, fence: int, outcome: str, now: datetime
) -> None:
    """Write down how an attempt ended."""
    connection.execute(
        update(job_attempts)
        .where(
            job_attempts.c.job_id == job_id,
            job_attempts.c.fence == fence,
            job_attempts.c.ended_at.is_(None),
        )
        .values(ended_at=now, outcome=outcome)
    )


def set_quota_snapshot(connection: Connection, *, job_id: str, remaining: dict[str, int]) -> None:
    """Remember what was left when the job ended, so that its answer never changes."""
    connection.execute(
        update(jobs).where(jobs.c.id == job_id).values(quota_json=json.dumps(remaining))
    )


def request_cancel(connection: Connection, *, job_id: str, now: datetime) -> bool:
    """Ask a running job to stop; False when it is not running (any more)."""
    statement = (
        update(jobs)
        .where(jobs.c.id == job_id, jobs.c.state == JobState.RUNNING.value)
        .values(
            cancel_requested_at=func.coalesce(jobs.c.cancel_requested_at, literal(now, UtcTime()))
        )
    )
    return connection.execute(statement).rowcount == 1


def mark_deleted(connection: Connection, *, job_id: str, now: datetime) -> None:
    """Note that the owner erased the job's files."""
    connection.execute(
        update(jobs).where(jobs.c.id == job_id, jobs.c.deleted_at.is_(None)).values(deleted_at=now)
    )


def clear_reference(connection: Connection, *, job_id: str) -> None:
    """Forget a job's reference image."""
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(reference_key=None))


def _claimed(row: AnyRow, *, now: datetime) -> ClaimedJob:
    return ClaimedJob(
        id=row.id,
        fence=row.fence,
        attempt=row.attempt,
        crash_count=row.crash_count,
        kind=JobKind(row.kind),
        input=parse_input(row.input_json, JobKind(row.kind)),
        reference_key=row.reference_key,
        created_at=row.created_at,
        deadline_at=row.deadline_at,
        claimed_at=now,
    )
