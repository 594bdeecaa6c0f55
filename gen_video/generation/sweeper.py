"""The sweeper: mends what crashes left behind. Any number may run, none leads.

Each step is a conditional move like everybody else's, so two sweepers, or a sweeper and a worker
that comes back, cannot both win.
"""

from dataclasses import asdict, dataclass
from datetime import timedelta

import structlog
from sqlalchemy import Connection

from gen_video.db.database import Database
from gen_video.errors import ServiceError
from gen_video.generation import (
    artifact_store,
    job_reads,
    preview_store,
    registry_store,
    store,
)
from gen_video.generation.endings import AnyRow, Endings
from gen_video.generation.estimates import WORKER_SILENT_AFTER
from gen_video.generation.mending import QueueMender
from gen_video.generation.models import Artifact
from gen_video.generation.states import JobState
from gen_video.storage.objects import ObjectStore
from gen_video.throttles import store as rates

LOST_WORKERS_LIMIT = 8
BATCH = 100
LOST_BATCHES = 20
"""In one sweep at most: what else it does must not wait for ever."""
PUBLISH_WITHIN = timedelta(minutes=10)
ORPHAN_AGE = timedelta(hours=1)
ORPHAN_SWEEP_SECONDS = 600.0
WORKER_FORGOTTEN_AFTER = timedelta(minutes=10)
RATES_KEPT = timedelta(minutes=10)
PREVIEWS_KEPT = timedelta(minutes=10)
"""After a job's end: its watchers have the finished file by then."""

log = structlog.get_logger(__name__)


class WorkersLostError(ServiceError):
    """The job's workers vanished again and again."""

    code = "poison"
    message_en = "The workers that ran this job vanished {times} times; it was given up."
    message_zh = "运行该任务的工作进程已消失 {times} 次，任务已放弃。"


class DeadlineError(ServiceError):
    """The job did not start before its deadline."""

    code = "deadline_exceeded"
    message_en = "The job could not start before its deadline; nothing was charged."
    message_zh = "任务未能在截止时间前开始，未扣除任何配额。"


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepReport:
    """What one sweep mended."""

    requeued: int
    given_up: int
    canceled: int
    expired_jobs: int
    expired_files: int
    published: int
    orphans: int
    moved: int

    @property
    def counts(self) -> dict[str, int]:
        """Return all figures by their names."""
        return asdict(self)


class Sweeper:
    """Runs every few seconds in every worker."""

    def __init__(
        self, *, database: Database, endings: Endings, objects: ObjectStore, mender: QueueMender
    ) -> None:
        self._database = database
        self._mender = mender
        self._endings = endings
        self._objects = objects

    def sweep(self) -> SweepReport:
        """Mend everything that is due; safe to run at any time, anywhere."""
        outcomes = self._sweep_lost()
        report = SweepReport(
            requeued=outcomes.count(JobState.QUEUED),
            given_up=outcomes.count(JobState.FAILED),
            canceled=outcomes.count(JobState.CANCELED),
            expired_jobs=self._expire_jobs(),
            expired_files=self._expire_files(),
            published=self._complete_publishing(),
            orphans=self._sweep_orphans(),
            moved=self._mender.mend(),
        )
        self._complete_deletions()
        self._drop_references()
        self._forget_previews()
        self._purge()
        self._purge_rates()
        if any(report.counts.values()):
            log.info("sweep_mended", **report.counts)
        return report

    def sweep_if_due(self, every_seconds: float) -> SweepReport | None:
        """Sweep, unless another worker has just done so; None when it has."""

        def is_alone(connection: Connection) -> bool:
            now = self._database.now(connection)
            alive = registry_store.list_workers(connection, since=now - WORKER_SILENT_AFTER)
            return len(alive) <= 1

        # A worker that is alone and idle writes nothing: it need not ask.
        if self._database.read(is_alone) or self._take_chore("sweep", every_seconds):
            return self.sweep()
        return None

    def _take_chore(self, name: str, every_seconds: float) -> bool:
        def is_due(connection: Connection) -> bool:
            now = self._database.now(connection)
            return registry_store.is_chore_due(connection, name, now=now)

        def take(connection: Connection) -> bool:
            now = self._database.now(connection)
            # A little less than the workers' own rhythm, so that no turn is missed by a hair.
            due_at = now + timedelta(seconds=0.9 * every_seconds)
            return registry_store.take_chore(connection, name, now=now, due_at=due_at)

        return self._database.read(is_due) and self._database.write(take)

    def _sweep_lost(self) -> list[JobState]:
        """Take every job from workers that let its lease run out, however many they were."""
        outcomes: list[JobState | None] = []
        for _ in range(LOST_BATCHES):
            lost = self._database.read(
                lambda connection: job_reads.list_lost(
                    connection, now=self._database.now(connection), limit=BATCH
                )
            )
            outcomes += [self._recover(row) for row in lost]
            if len(lost) < BATCH:
                break
        return [outcome for outcome in outcomes if outcome is not None]

    def _recover(self, row: AnyRow) -> JobState | None:
        """Take one job from a worker that let its lease run out."""
        times = row.lost_count + 1

        def work(connection: Connection) -> JobState | None:
            now = self._database.now(connection)
            if row.cancel_requested_at is not None:
                target, error = JobState.CANCELED, None
            elif times >= LOST_WORKERS_LIMIT:
                target, error = JobState.FAILED, WorkersLostError(times=times)
            else:
                return self._endings.requeue_or_cancel(
                    connection,
                    job_id=row.id,
                    fence=row.fence,
                    outcome="lost",
                    now=now,
                    not_before=now,
                    values={"lost_count": times, "attempt": row.attempt - 1},
                )
            is_ended = self._endings.end_job(
                connection,
                job_id=row.id,
                source=JobState.RUNNING,
                target=target,
                now=now,
                fence=row.fence,
                error=error,
                values={"lost_count": times},
            )
            return target if is_ended else None

        return self._database.write(work)

    def _expire_jobs(self) -> int:
        overdue = self._database.read(
            lambda connection: job_reads.list_overdue(
                connection, now=self._database.now(connection), limit=BATCH
            )
        )
        return sum(self._expire_job(row.id) for row in overdue)

    def _expire_job(self, job_id: str) -> bool:
        def work(connection: Connection) -> bool:
            return self._endings.end_job(
                connection,
                job_id=job_id,
                source=JobState.QUEUED,
                target=JobState.EXPIRED,
                now=self._database.now(connection),
                error=DeadlineError(),
            )

        return self._database.write(work)

    def _expire_files(self) -> int:
        expired = self._database.read(
            lambda connection: artifact_store.list_expired(
                connection, now=self._database.now(connection), limit=BATCH
            )
        )
        # Files first: what is marked is never looked at again.
        gone = [artifact.id for artifact in expired if self._remove(artifact)]
        if gone:
            self._database.write(
                lambda connection: artifact_store.end(
                    connection, artifact_ids=gone, state="expired"
                )
            )
        return len(gone)

    def _remove(self, artifact: Artifact) -> bool:
        try:
            self._objects.unpublish(artifact.public_name)
            self._objects.delete(artifact.storage_key)
        except ServiceError as error:
            log.warning("file_not_removed", name=artifact.public_name, reason=str(error))
            return False
        return True

    def _complete_deletions(self) -> None:
        """Remove files whose owner deleted them while the process died or the store failed."""
        # A remote store charges for every request: there a minute between two looks will do.
        if not (self._objects.has_public_names or self._take_chore("deletions", 60.0)):
            return
        deleted = self._database.read(
            lambda connection: artifact_store.list_deleted_since(
                connection, since=self._database.now(connection) - PUBLISH_WITHIN
            )
        )
        for artifact in deleted:
            self._remove(artifact)

    def _complete_publishing(self) -> int:
        """Publish files whose worker died between its commit and the publishing."""
        if not self._objects.has_public_names:
            return 0
        recent = self._database.read(
            lambda connection: artifact_store.list_created_since(
                connection, since=self._database.now(connection) - PUBLISH_WITHIN
            )
        )
        missing = [
            artifact for artifact in recent if not self._objects.is_published(artifact.public_name)
        ]
        return sum(self._publish(artifact) for artifact in missing)

    def _publish(self, artifact: Artifact) -> bool:
        try:
            self._objects.publish(artifact.storage_key, artifact.public_name)
        except ServiceError as error:
            log.warning("file_not_published", name=artifact.public_name, reason=str(error))
            return False
        return True

    def _drop_references(self) -> None:
        finished = self._database.read(
            lambda connection: job_reads.list_finished_references(connection, limit=BATCH)
        )
        for job_id, storage_key in finished:
            self._objects.delete(storage_key)
            self._clear_reference(job_id)

    def _clear_reference(self, job_id: str) -> None:
        self._database.write(lambda connection: store.clear_reference(connection, job_id=job_id))

    def _sweep_orphans(self) -> int:
        """Delete stored files that no job owns, such as those of an attempt that lost its lease."""
        if not self._take_chore("orphans", ORPHAN_SWEEP_SECONDS):
            return 0
        self._objects.remove_stale_temporaries(older_than_seconds=ORPHAN_AGE.total_seconds())
        age = ORPHAN_AGE.total_seconds()
        old = [found.key for found in self._objects.list_keys() if found.age_seconds > age]
        return sum(self._delete_unknown(old[i : i + BATCH]) for i in range(0, len(old), BATCH))

    def _delete_unknown(self, storage_keys: list[str]) -> int:
        def work(connection: Connection) -> set[str]:
            return artifact_store.find_known_keys(
                connection, storage_keys
            ) | job_reads.list_reference_keys(connection, storage_keys)

        known = self._database.read(work)
        unknown = [key for key in storage_keys if key not in known]
        for key in unknown:
            self._objects.delete(key)
        return len(unknown)

    def _forget_previews(self) -> None:
        def find(connection: Connection) -> list[str]:
            before = self._database.now(connection) - PREVIEWS_KEPT
            return preview_store.list_outdated(connection, before=before, limit=BATCH)

        def forget(connection: Connection) -> None:
            before = self._database.now(connection) - PREVIEWS_KEPT
            preview_store.forget_outdated(connection, outdated, before=before)

        outdated = self._database.read(find)
        if outdated:
            self._database.write(forget)

    def _purge_rates(self) -> None:
        def work(connection: Connection) -> bool:
            before = self._database.now(connection) - RATES_KEPT
            return rates.has_old(connection, before=before)

        def purge(connection: Connection) -> None:
            rates.purge(connection, before=self._database.now(connection) - RATES_KEPT)

        if self._database.read(work):
            self._database.write(purge)

    def _purge(self) -> None:
        def is_due(connection: Connection) -> bool:
            return registry_store.has_purgeable(
                connection, now=self._database.now(connection), silent_for=WORKER_FORGOTTEN_AFTER
            )

        def work(connection: Connection) -> None:
            now = self._database.now(connection)
            registry_store.purge_keys(connection, now=now)
            registry_store.forget_silent_workers(connection, before=now - WORKER_FORGOTTEN_AFTER)

        if self._database.read(is_due):
            self._database.write(work)
