"""How long until a job is done: its place in the queue and an honest guess in seconds.

Both come from the numbers that decide the order: tags, predicted device times, slots.
"""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from gen_video.db.database import Database
from gen_video.generation import fair_store, registry_store
from gen_video.generation.fair_store import Place
from gen_video.generation.models import Job, JobProgress, PoolFigures, QueueFigures
from gen_video.generation.registry_store import WorkerRow
from gen_video.generation.shares import MICROSECONDS, seconds_until_start
from gen_video.generation.states import JobState
from gen_video.generation.tables import IS_OPEN, job_attempts, jobs, model_speeds

COUNT_LIMIT = 1_000
"""Jobs that are counted ahead of one; who is further behind hears that there are at least so many.

Each costs a microsecond or two, and this is paid for every look at a job.
"""
WORKER_SILENT_AFTER = timedelta(seconds=30)
COSTLY_SECONDS = 0.05
DUTY_CYCLE = 20.0


class FiguresReader:
    """Reads the figures of every queue, now and then while that is costly.

    Counting a million rows takes a good part of a second: however often it is asked for, at most a
    twentieth of the time goes into it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._guard = threading.Lock()
        self._kept: QueueFigures | None = None
        self._keep_until = 0.0

    def read(self) -> QueueFigures:
        """Return the figures, a little old where the queue is deep."""
        with self._guard:
            if self._kept is None or time.monotonic() >= self._keep_until:
                started = time.monotonic()
                self._kept = self._database.read(
                    lambda connection: read_figures(connection, now=self._database.now(connection))
                )
                spent = time.monotonic() - started
                keep = DUTY_CYCLE * spent if spent > COSTLY_SECONDS else 0.0
                self._keep_until = time.monotonic() + keep
            return self._kept


def estimate(connection: Connection, job: Job, *, now: datetime) -> JobProgress:
    """Return the job's progress with its queue position and the seconds that remain.

    A running job is measured by its own steps. A queued one by the predicted device time of the
    jobs before it, over the slots that serve its queue; None where its model never ran here.
    Jobs that come later and go first, because their accounts have had less, are not foreseen.
    """
    if job.state is JobState.RUNNING:
        started_at = _attempt_started_at(connection, job)
        return replace(job.progress, eta_seconds=_running_eta(job, started_at, now=now))
    row = connection.execute(
        select(
            jobs.c.queue, jobs.c.rank, jobs.c.start_tag, jobs.c.predicted_us, jobs.c.account_id
        ).where(jobs.c.id == job.id)
    ).one()
    if not row.queue:  # accepted by the release before; the sweeper is about to place it
        return job.progress
    place = Place(account_id=row.account_id, queue=row.queue, rank=row.rank)
    if row.start_tag is None:
        ahead, ahead_us = _ahead_in_backlog(connection, job, place)
    else:
        ahead, ahead_us = _ahead_in_queue(connection, place, row.start_tag, job.id)
    eta = None
    if _is_measured(connection, job.model):
        slots = _count_slots(_list_workers(connection, now=now), place.queue)
        wait = seconds_until_start(ahead_us=ahead_us, slots=slots)
        eta = round(wait + row.predicted_us / MICROSECONDS, 1)
    return replace(job.progress, queue_position=ahead + 1, eta_seconds=eta)


def read_figures(connection: Connection, *, now: datetime) -> QueueFigures:
    """Return the figures of every queue for health and metrics."""
    workers = _list_workers(connection, now=now)
    statement = (
        select(
            jobs.c.queue,
            jobs.c.kind,
            jobs.c.state,
            func.count().label("number"),
            func.sum(jobs.c.predicted_us).label("predicted_us"),
            func.min(jobs.c.created_at).label("oldest"),
        )
        .where(IS_OPEN)
        .group_by(jobs.c.queue, jobs.c.kind, jobs.c.state)
    )
    counted: Counter[tuple[str, str, str]] = Counter()
    waiting_us: Counter[tuple[str, str]] = Counter()
    oldest: dict[tuple[str, str], datetime] = {}
    keys = {(queue, queue.rpartition(".")[2]) for worker in workers for queue in worker.queues}
    for row in connection.execute(statement):
        keys.add((row.queue, row.kind))
        counted[row.queue, row.kind, row.state] += row.number
        if row.state == JobState.QUEUED.value:
            waiting_us[row.queue, row.kind] += int(row.predicted_us or 0)
            oldest[row.queue, row.kind] = row.oldest
    pools = []
    for queue, kind in sorted(keys):
        slots = _count_slots(workers, queue)
        since = oldest.get((queue, kind))
        drain = seconds_until_start(ahead_us=waiting_us[queue, kind], slots=slots)
        pools.append(
            PoolFigures(
                pool=queue.rpartition(".")[0],
                kind=kind,
                queued=counted[queue, kind, JobState.QUEUED.value],
                running=counted[queue, kind, JobState.RUNNING.value],
                slots=slots,
                time_to_drain_seconds=round(drain, 3),
                oldest_queued_seconds=0.0 if since is None else (now - since).total_seconds(),
            )
        )
    return QueueFigures(
        pools=tuple(pools),
        workers=len(workers),
        resident_models=tuple(sorted({name for row in workers for name in row.resident})),
    )


def _ahead_in_queue(
    connection: Connection, place: Place, start_tag: int, job_id: str
) -> tuple[int, int]:
    return fair_store.sum_ahead(
        connection,
        queue=place.queue,
        rank=place.rank,
        start_tag=start_tag,
        job_id=job_id,
        limit=COUNT_LIMIT,
    )


def _ahead_in_backlog(connection: Connection, job: Job, place: Place) -> tuple[int, int]:
    """Guess where a waiting job will be put: behind all that its account has asked for before."""
    own, own_us = fair_store.sum_backlog_before(
        connection, place, created_at=job.created_at, job_id=job.id, limit=COUNT_LIMIT
    )
    clocks = fair_store.read_clocks(connection, place)
    others, others_us = _ahead_in_queue(
        connection, place, max(clocks.virtual_time, clocks.last_finish) + own_us, job.id
    )
    return own + others, own_us + others_us


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


def _is_measured(connection: Connection, model: str) -> bool:
    statement = select(model_speeds.c.model).where(model_speeds.c.model == model)
    return connection.execute(statement).first() is not None


def _list_workers(connection: Connection, *, now: datetime) -> list[WorkerRow]:
    return registry_store.list_workers(connection, since=now - WORKER_SILENT_AFTER)


def _count_slots(workers: Sequence[WorkerRow], queue: str) -> int:
    return sum(worker.slots for worker in workers if worker.is_working and worker.serves(queue))
