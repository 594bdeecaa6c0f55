"""Use cases of a worker: claim a job under a lease, renew it, finish it, or give it up.

The fencing number decides: a claim and a sweep move it, and every later step must show it. A
worker that was thought dead and comes back cannot change, charge or publish anything.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from gen_video.db.database import Database
from gen_video.db.watch import announce
from gen_video.engines.catalogue import Catalogue
from gen_video.engines.errors import EngineError
from gen_video.errors import ServiceError
from gen_video.generation import (
    artifact_store,
    fair_store,
    job_reads,
    preview_store,
    registry_store,
    store,
)
from gen_video.generation.backoff import backoff
from gen_video.generation.deliveries import public_names
from gen_video.generation.endings import Endings
from gen_video.generation.errors import JobCanceledError, LeaseLostError, PoisonError
from gen_video.generation.models import (
    ClaimedJob,
    Delivery,
    JobProgress,
    LeaseState,
    NewPreview,
)
from gen_video.generation.shares import Choice, choose, order_queues
from gen_video.generation.speeds import Speeds
from gen_video.generation.states import JobState

POISON_CRASHES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerProfile:
    """What a worker takes.

    Attributes:
        worker_id: Names it in leases.
        queues: Where it looks, such as `default.image`.
        models: Ids of the models that it can run.
        tiers: Tiers of plans whose jobs it takes; all when empty.
        slots: Jobs that it runs at once.
    """

    worker_id: str
    queues: tuple[str, ...]
    models: tuple[str, ...]
    tiers: tuple[str, ...] = ()
    slots: int = 1


class ExecutionService:
    """What a worker does with jobs.

    Args:
        lease: How long a job stays leased without a renewal.
        attempts: How often a job is tried before a retryable failure becomes final.
        retention: How long files are kept; None for ever.
        patience: How long the first job in line may wait for ones whose model is loaded.
    """

    def __init__(
        self,
        *,
        database: Database,
        endings: Endings,
        lease: timedelta,
        speeds: Speeds,
        catalogue: Catalogue,
        attempts: int,
        retention: timedelta | None,
        patience: timedelta = timedelta(0),
    ) -> None:
        self._database = database
        self._speeds = speeds
        self._catalogue = catalogue
        self._patience = patience
        self._endings = endings
        self.lease = lease
        self._attempts = attempts
        self._retention = retention

    def claim(self, worker: WorkerProfile, *, resident: Collection[str] = ()) -> ClaimedJob | None:
        """Lease the next job that this worker may run; None when there is none.

        Args:
            worker: Who asks.
            resident: Models that its engine has loaded: a job of theirs may go first for a while.
        """

        def work(connection: Connection) -> ClaimedJob | None:
            now = self._database.now(connection)
            for choice in self._choices(connection, worker, resident, now=now):
                job_id = store.lock_first(connection, choice.job_ids)
                if job_id is None:
                    continue
                if choice.passed_over not in {None, job_id}:
                    fair_store.mark_passed(connection, str(choice.passed_over), now=now)
                announce(connection)
                return store.claim(
                    connection,
                    job_id,
                    worker_id=worker.worker_id,
                    now=now,
                    lease_until=now + self.lease,
                )
            return None

        return self._database.write(work)

    def has_due_job(self, worker: WorkerProfile) -> bool:
        """Tell, without writing, whether a claim would find something."""

        def work(connection: Connection) -> bool:
            return fair_store.has_due(
                connection,
                worker.queues,
                models=worker.models,
                tiers=worker.tiers,
                now=self._database.now(connection),
            )

        return self._database.read(work)

    def _choices(
        self,
        connection: Connection,
        worker: WorkerProfile,
        resident: Collection[str],
        *,
        now: datetime,
    ) -> list[Choice]:
        found = {
            queue: fair_store.list_candidates(
                connection, queue, models=worker.models, tiers=worker.tiers, now=now
            )
            for queue in worker.queues
        }
        order = order_queues([(queue, jobs[0]) for queue, jobs in found.items() if jobs])
        return [
            choose(found[queue], resident=resident, now=now, patience=self._patience)
            for queue in order
        ]

    def renew(
        self,
        job: ClaimedJob,
        *,
        progress: JobProgress | None,
        previews: Sequence[NewPreview] = (),
    ) -> LeaseState:
        """Prolong the lease and write progress and previews.

        Raises:
            LeaseLostError: The attempt is dead; stop at once and throw everything away.
        """

        def work(connection: Connection) -> LeaseState:
            now = self._database.now(connection)
            row = store.renew(
                connection,
                job_id=job.id,
                fence=job.fence,
                lease_until=now + self.lease,
                now=now,
                progress=progress,
            )
            if row is None:
                raise LeaseLostError(job_id=job.id)
            preview_store.add(connection, job_id=job.id, previews=previews, now=now)
            announce(connection)
            return _lease_state(row.cancel_requested_at, row.deadline_at, now=now)

        return self._database.write(work)

    def check_lease(self, job: ClaimedJob) -> LeaseState:
        """Look, without writing, whether the job should stop.

        Raises:
            LeaseLostError: The attempt is dead.
        """

        def work(connection: Connection) -> LeaseState:
            row = job_reads.read_lease(connection, job_id=job.id, fence=job.fence)
            if row is None:
                raise LeaseLostError(job_id=job.id)
            now = self._database.now(connection)
            return _lease_state(row.cancel_requested_at, row.deadline_at, now=now)

        return self._database.read(work)

    def finish(self, job: ClaimedJob, deliveries: Sequence[Delivery]) -> tuple[str, ...]:
        """Make an attempt's files the job's result; return their public names in order.

        Raises:
            JobCanceledError: Its owner canceled the job, which ends here.
            LeaseLostError: Another attempt owns the job. Either way the files belong to nobody.
        """
        names = public_names(job, deliveries)

        def work(connection: Connection) -> bool:
            now = self._database.now(connection)
            expires_at = None if self._retention is None else now + self._retention
            is_won = self._endings.end_job(
                connection,
                job_id=job.id,
                source=JobState.RUNNING,
                target=JobState.SUCCEEDED,
                now=now,
                fence=job.fence,
                is_unless_canceled=True,
                used=now - job.claimed_at,
                files=tuple(zip(names, deliveries, strict=True)),
                values={"committed_fence": job.fence, "expires_at": expires_at},
            )
            if is_won:
                artifact_store.insert_live(
                    connection,
                    job_id=job.id,
                    fence=job.fence,
                    deliveries=deliveries,
                    public_names=names,
                    now=now,
                    expires_at=expires_at,
                )
            return is_won

        if not self._database.write(work):
            raise (JobCanceledError if self.cancel(job) else LeaseLostError)(job_id=job.id)
        return names

    def note_speed(self, job: ClaimedJob, *, seconds: float, is_warm: bool) -> None:
        """Take note of the device time that a finished job took.

        Where its model had to be loaded first, that counts only while nothing better is known.
        """
        spec = self._catalogue.find(job.input.model)
        if spec is not None:
            self._speeds.note(job.input, spec, seconds=seconds, is_warm=is_warm)

    def cancel(self, job: ClaimedJob) -> bool:
        """End a running job whose owner asked for it; False when it was not ours any more."""

        def work(connection: Connection) -> bool:
            now = self._database.now(connection)
            return self._endings.end_job(
                connection,
                job_id=job.id,
                source=JobState.RUNNING,
                target=JobState.CANCELED,
                now=now,
                fence=job.fence,
                used=now - job.claimed_at,
            )

        return self._database.write(work)

    def fail(self, job: ClaimedJob, error: ServiceError) -> JobState | None:
        """End an attempt that failed: back to the queue, or for good.

        Returns:
            The job's state now; None when the lease was lost.
        """
        crashes = _crashes(job, error)
        final: ServiceError | None = None
        if crashes >= POISON_CRASHES:
            final = PoisonError(crashes=crashes, reason=error.message("en"))
        elif self.is_last_attempt(job, error):
            final = error

        def work(connection: Connection) -> JobState | None:
            now = self._database.now(connection)
            if final is not None:
                is_ended = self._endings.end_job(
                    connection,
                    job_id=job.id,
                    source=JobState.RUNNING,
                    target=JobState.FAILED,
                    now=now,
                    fence=job.fence,
                    error=final,
                    used=now - job.claimed_at,
                    values={"crash_count": crashes},
                )
                return JobState.FAILED if is_ended else None
            return self._retry(connection, job, error, crashes=crashes, now=now)

        return self._database.write(work)

    def is_last_attempt(self, job: ClaimedJob, error: ServiceError) -> bool:
        """Tell whether a failure with this error would be final."""
        is_poison = _crashes(job, error) >= POISON_CRASHES
        return is_poison or not error.is_retryable or job.attempt >= self._attempts

    def give_back(self, job: ClaimedJob) -> JobState | None:
        """Return a job to the queue unfinished, because this worker stops; costs no attempt.

        Returns:
            The job's state now; None when the lease was lost.
        """

        def work(connection: Connection) -> JobState | None:
            now = self._database.now(connection)
            return self._endings.requeue_or_cancel(
                connection,
                job_id=job.id,
                fence=job.fence,
                outcome="given_back",
                now=now,
                not_before=now,
                values={"attempt": job.attempt - 1},
            )

        return self._database.write(work)

    def see_worker(
        self,
        worker: WorkerProfile,
        *,
        host: str,
        pid: int,
        resident: Sequence[str],
        state: str,
    ) -> None:
        """Write down a worker's sign of life, and how fast its models were."""

        def work(connection: Connection) -> None:
            now = self._database.now(connection)
            registry_store.see_worker(
                connection,
                registry_store.WorkerRow(
                    id=worker.worker_id,
                    host=host,
                    pid=pid,
                    models=worker.models,
                    resident=tuple(resident),
                    state=state,
                    queues=worker.queues,
                    slots=worker.slots,
                    seen_at=now,
                ),
            )
            self._speeds.write(connection, now=now)

        self._database.write(work)

    def forget_worker(self, worker_id: str) -> None:
        """Remove a worker that ends."""
        self._database.write(lambda connection: registry_store.forget_worker(connection, worker_id))

    def _retry(
        self,
        connection: Connection,
        job: ClaimedJob,
        error: ServiceError,
        *,
        crashes: int,
        now: datetime,
    ) -> JobState | None:
        values: dict[str, object] = {
            "crash_count": crashes,
            "error_code": error.code,
            "error_en": error.message("en"),
            "error_zh": error.message("zh"),
        }
        return self._endings.requeue_or_cancel(
            connection,
            job_id=job.id,
            fence=job.fence,
            outcome=error.code,
            now=now,
            not_before=now + backoff(job.attempt),
            values=values,
        )


def _crashes(job: ClaimedJob, error: ServiceError) -> int:
    return job.crash_count + (isinstance(error, EngineError) and error.is_crash)


def _lease_state(
    cancel_requested_at: datetime | None, deadline_at: datetime, *, now: datetime
) -> LeaseState:
    return LeaseState(
        is_cancel_requested=cancel_requested_at is not None, is_past_deadline=now > deadline_at
    )
