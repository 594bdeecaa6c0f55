"""How long until a job is done: its place in the queue and an honest guess in seconds."""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, func, or_, select

from gen_video.generation import registry_store
from gen_video.generation.models import Job, JobProgress, QueueFigures
from gen_video.generation.states import JobState
from gen_video.generation.tables import job_attempts, jobs

SAMPLE_JOBS = 20
COUNT_LIMIT = 10_000
WORKER_SILENT_AFTER = timedelta(seconds=30)


def estimate(connection: Connection, job: Job, *, now: datetime) -> JobProgress:
    """Return the job's progress with its queue position and the seconds that remain.

    A running job is measured by its own steps; a queued one by the last finished jobs of its
    model. None where nothing was measured yet.
    """
    if job.state is JobState.RUNNING:
        started_at = _attempt_started_at(connection, job)
        return replace(job.progress, eta_seconds=_running_eta(job, started_at, now=now))
    ahead = _count_ahead(connection, job)
    seconds = _recent_seconds(connection, job.model)
    slots = max(1, len(registry_store.list_workers(connection, since=now - WORKER_SILENT_AFTER)))
    eta = None if seconds is None else round((ahead // slots + 1) * seconds, 1)
    return replace(job.progress, queue_position=ahead + 1, eta_seconds=eta)


def read_figures(connection: Connection, *, now: datetime) -> QueueFigures:
    """Return the queue's figures for health and metrics."""
    workers = registry_store.list_workers(connection, since=now - WORKER_SILENT_AFTER)
    queued = _count_by_kind(connection, JobState.QUEUED)
    oldest = connection.execute(
        select(func.min(jobs.c.created_at)).where(jobs.c.state == JobState.QUEUED.value)
    ).scalar_one_or_none()
    return QueueFigures(
        queued=queued,
        running=_count_by_kind(connection, JobState.RUNNING),
        time_to_drain_seconds=_time_to_drain(connection, slots=max(1, len(workers))),
        workers=len(workers),
        resident_models=tuple(sorted({name for row in workers for name in row.resident})),
        oldest_queued_seconds=0.0 if oldest is None else (now - oldest).total_seconds(),
    )


def _count_by_kind(connection: Connection, state: JobState) -> dict[str, int]:
    statement = (
        select(jobs.c.kind, func.count()).where(jobs.c.state == state.value).group_by(jobs.c.kind)
    )
    return {row[0]: int(row[1]) for row in connection.execute(statement)}


def _time_to_drain(connection: Connection, *, slots: int) -> float:
    statement = (
        select(jobs.c.model, func.count())
        .where(jobs.c.state == JobState.QUEUED.value)
        .group_by(jobs.c.model)
    )
    total: float = sum(
        count * (_recent_seconds(connection, model) or 0.0)
        for model, count in connection.execute(statement)
    )
    return round(total / slots, 3)


def _attempt_started_at(connection: Connection, job: Job) -> datetime | None:
    started_at: datetime | None = connection.execute(
        select(job_attempts.c.started_at)
        .where(job_attempts.c.job_id == job.id)
        .order_by(job_attempts.c.fence.desc())
        .limit(1)
    ).scalar_one_or_none()
    return started_at


def _running_eta(job: Job, started_at: datetime | None, *, now: datetime) -> float | None:
    progress = job.progress
    if started_at is None or progress.step <= 0 or progress.stage == "decoding":
        return None
    seconds_per_step = (now - started_at).total_seconds() / progress.step
    return round(max(0.0, seconds_per_step * (progress.steps - progress.step)), 1)


def _count_ahead(connection: Connection, job: Job) -> int:
    # Of its own kind: every worker claims pictures and videos side by side.
    rank = select(jobs.c.rank).where(jobs.c.id == job.id).scalar_subquery()
    is_ahead = or_(
        jobs.c.rank < rank,
        and_(jobs.c.rank == rank, jobs.c.created_at < job.created_at),
        and_(jobs.c.rank == rank, jobs.c.created_at == job.created_at, jobs.c.id < job.id),
    )
    ahead = (
        select(jobs.c.id)
        .where(jobs.c.state == JobState.QUEUED.value, jobs.c.kind == job.kind.value, is_ahead)
        .limit(COUNT_LIMIT)
        .subquery()
    )
    return connection.execute(select(func.count()).select_from(ahead)).scalar_one()


def _recent_seconds(connection: Connection, model: str) -> float | None:
    recent = (
        select(jobs.c.started_at, jobs.c.finished_at)
        .where(jobs.c.model == model, jobs.c.state == JobState.SUCCEEDED.value)
        .order_by(jobs.c.finished_at.desc())
        .limit(SAMPLE_JOBS)
    )
    seconds = sorted(
        (row.finished_at - row.started_at).total_seconds()
        for row in connection.execute(recent)
        if row.started_at is not None
    )
    return seconds[len(seconds) // 2] if seconds else None
