"""Dispatch: hands the first few jobs of each queue to the broker, as wake-ups for idle workers.

The backlog stays in the database, which also decides who gets what: a wake-up names a job, and
whoever hears it claims the job that is next then. So a wake-up that is lost, doubled, late or
forged costs time only. What was announced and still waits is announced again after a while.
"""

import hashlib
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

import structlog
from sqlalchemy import Connection, func, select, update
from typing_extensions import override

from gen_video.db.database import Database
from gen_video.errors import ServiceUnavailableError
from gen_video.generation import registry_store
from gen_video.generation.fair_store import is_ready
from gen_video.generation.tables import IS_QUEUED, jobs
from gen_video.queues.wakeups import QueueNameError, WakeUps, queue_name

WINDOW = 16
AGAIN_AFTER = timedelta(seconds=30)
LOOK_EVERY_SECONDS = 1.0
BROKER_PAUSE_SECONDS = 2.0
CHORE = "dispatch"
TIER_DIGITS = 16

log = structlog.get_logger(__name__)


def broker_queue(queue: str, tier: str) -> str:
    """Return the broker's name for the jobs of one tier in a queue."""
    pool, _, kind = queue.rpartition(".")
    try:
        return queue_name(pool, kind, tier)
    except QueueNameError:
        # Operators name tiers as they like, brokers' queues may not be called everything.
        digest = hashlib.sha256(tier.encode()).hexdigest()[:TIER_DIGITS]
        return queue_name(pool, kind, f"tier-{digest}")


class Announcer(Protocol):
    """Says that a queue has new work."""

    def notify(self, queue: str) -> None:
        """Announce soon; never blocks and never fails."""
        ...

    def close(self) -> None:
        """Announce nothing more."""
        ...


class NoAnnouncer(Announcer):
    """Without a broker: workers watch the database."""

    @override
    def notify(self, queue: str) -> None:
        return

    @override
    def close(self) -> None:
        return


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """A job to be announced."""

    job_id: str
    tier: str


class DispatchService:
    """Chooses what to announce, and announces it.

    Args:
        window: Jobs of one queue that may be announced and waiting at once.
    """

    def __init__(self, *, database: Database, wakeups: WakeUps, window: int = WINDOW) -> None:
        self._database = database
        self._wakeups = wakeups
        self._window = window

    def dispatch(self, queue: str) -> int:
        """Announce the first jobs of a queue; return how many.

        Raises:
            ServiceUnavailableError: Database or broker is away; the jobs are announced later.
        """
        if not self._database.read(partial(self._list_due, queue=queue)):
            return 0
        announcements = self._database.write(partial(self._take, queue=queue))
        for position, announcement in enumerate(announcements):
            try:
                self._announce(queue, announcement)
            except ServiceUnavailableError:
                self._take_back([unsent.job_id for unsent in announcements[position:]])
                raise
        return len(announcements)

    def take_chore(self) -> bool:
        """Tell whether this process is to look after all queues now, of all that ask."""

        def is_due(connection: Connection) -> bool:
            now = self._database.now(connection)
            return registry_store.is_chore_due(connection, CHORE, now=now)

        def take(connection: Connection) -> bool:
            now = self._database.now(connection)
            due_at = now + timedelta(seconds=LOOK_EVERY_SECONDS)
            return registry_store.take_chore(connection, CHORE, now=now, due_at=due_at)

        return self._database.read(is_due) and self._database.write(take)

    def _announce(self, queue: str, announcement: Announcement) -> None:
        self._wakeups.send(broker_queue(queue, announcement.tier), announcement.job_id)

    def _take(self, connection: Connection, *, queue: str) -> list[Announcement]:
        due = self._list_due(connection, queue=queue, is_locking=True)
        if due:
            connection.execute(
                update(jobs)
                .where(jobs.c.id.in_([announcement.job_id for announcement in due]), IS_QUEUED)
                .values(dispatched_at=self._database.now(connection))
            )
        return due

    def _list_due(
        self, connection: Connection, *, queue: str, is_locking: bool = False
    ) -> list[Announcement]:
        now = self._database.now(connection)
        room = self._window - self._count_announced(connection, queue, now=now)
        if room <= 0:
            return []
        statement = (
            select(jobs.c.id, jobs.c.tier)
            .where(
                jobs.c.queue == queue,
                is_ready(),
                jobs.c.not_before <= now,
                jobs.c.cancel_requested_at.is_(None),
                jobs.c.dispatched_at.is_(None) | (jobs.c.dispatched_at < now - AGAIN_AFTER),
            )
            .order_by(jobs.c.rank, jobs.c.start_tag, jobs.c.id)
            .limit(room)
        )
        if is_locking:
            statement = statement.with_for_update(skip_locked=True)
        return [Announcement(job_id=row.id, tier=row.tier) for row in connection.execute(statement)]

    def _count_announced(self, connection: Connection, queue: str, *, now: datetime) -> int:
        announced = (
            select(jobs.c.id)
            .where(
                jobs.c.queue == queue,
                IS_QUEUED,
                jobs.c.dispatched_at.is_not(None),
                jobs.c.dispatched_at >= now - AGAIN_AFTER,
            )
            .limit(self._window)
            .subquery()
        )
        return connection.execute(select(func.count()).select_from(announced)).scalar_one()

    def _take_back(self, job_ids: Sequence[str]) -> None:
        self._database.write(
            lambda connection: connection.execute(
                update(jobs).where(jobs.c.id.in_(job_ids), IS_QUEUED).values(dispatched_at=None)
            )
        )


class Dispatcher(Announcer):
    """The thread of a process that announces; requests only leave word with it.

    Args:
        queues: Those that a patrol walks over.
    """

    def __init__(self, service: DispatchService, queues: Sequence[str]) -> None:
        self._service = service
        self._queues = tuple(queues)
        self._guard = threading.Lock()
        self._wanted: set[str] = set()
        self._wake = threading.Event()
        self._is_closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_patrolling = False

    @override
    def notify(self, queue: str) -> None:
        with self._guard:
            self._wanted.add(queue)
            self._start()
        self._wake.set()

    def patrol(self) -> None:
        """From now on also look after retries, re-announcements and what others left undone."""
        with self._guard:
            self._is_patrolling = True
            self._start()
        self._wake.set()

    @override
    def close(self) -> None:
        self._is_closed.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._is_closed.is_set():
            self._wake.wait(LOOK_EVERY_SECONDS if self._is_patrolling else None)
            self._wake.clear()
            try:
                self._round()
            except ServiceUnavailableError as error:
                log.warning("dispatch_waits", reason=str(error))
                self._is_closed.wait(BROKER_PAUSE_SECONDS)
            except Exception:
                # The outer edge of this thread; workers find the jobs in the database meanwhile.
                log.exception("dispatch_failed")
                self._is_closed.wait(BROKER_PAUSE_SECONDS)

    def _round(self) -> None:
        with self._guard:
            wanted, self._wanted = self._wanted, set()
        started = time.monotonic()
        if self._is_patrolling and self._service.take_chore():
            wanted |= set(self._queues)
        for queue in sorted(wanted):
            self._service.dispatch(queue)
        log.debug("dispatched", queues=len(wanted), seconds=round(time.monotonic() - started, 4))
