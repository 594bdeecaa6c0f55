"""The worker's loop: claim, run, settle, again; asleep while there is nothing to do."""

import threading
import time

import structlog

from gen_video.errors import ServiceUnavailableError
from gen_video.generation.models import ClaimedJob
from gen_video.generation.runner import JobRunner, RunReport
from gen_video.generation.states import JobKind
from gen_video.telemetry.metrics import Metrics
from gen_video.wiring import Services

IDLE_LOOK_SECONDS = 1.0
SIGN_OF_LIFE_SECONDS = 5.0
DATABASE_PAUSE_SECONDS = 1.0

log = structlog.get_logger(__name__)


class WorkerLoop:
    """Runs jobs (of one kind) one after another until it is told to stop.

    A wake-up from the change watcher makes the next look immediate; a missed one costs at most a
    second.

    Args:
        worker_id: Names this process in leases.
        kind: Only jobs of this kind; None for all.
    """

    def __init__(
        self,
        services: Services,
        runner: JobRunner,
        *,
        metrics: Metrics,
        worker_id: str,
        kind: JobKind | None = None,
    ) -> None:
        self._services = services
        self._runner = runner
        self._metrics = metrics
        self._wake = threading.Event()
        self._is_stopping = threading.Event()
        self._is_idle = threading.Event()
        self._is_idle.set()
        self._worker_id = worker_id
        self._kind = kind
        self._models = tuple(spec.id for spec in services.catalogue.list_models())

    def run(self) -> None:
        """Work until `stop`; the running job is finished or given back before this returns."""
        unsubscribe = self._services.watcher.subscribe(self._wake.set)
        try:
            while not self._is_stopping.is_set():
                if not self._run_one():
                    self._wake.wait(IDLE_LOOK_SECONDS)
                    self._wake.clear()
        finally:
            unsubscribe()

    def stop(self) -> None:
        """Claim nothing more; `run` returns after the running job."""
        self._is_stopping.set()
        self._wake.set()

    def wait_until_idle(self, timeout_seconds: float) -> bool:
        """Wait for the running job to end; False when the time ran out."""
        return self._is_idle.wait(timeout_seconds)

    def give_back(self) -> None:
        """Stop the running job and return it to the queue."""
        self._runner.stop_for_drain()

    def _run_one(self) -> bool:
        # Busy before the claim: a drain that begins in between must find the job.
        self._is_idle.clear()
        try:
            if self._is_stopping.is_set():  # since the caller looked
                return False
            job = self._claim()
            if job is not None:
                self._run_job(job)
        except ServiceUnavailableError as error:
            log.warning("claim_failed", reason=str(error))
            self._is_stopping.wait(DATABASE_PAUSE_SECONDS)
            return False
        finally:
            self._is_idle.set()
        return job is not None

    def _claim(self) -> ClaimedJob | None:
        # Looking is a read: an idle worker takes no write lock and forces no disk writes.
        execution = self._services.execution
        if not execution.has_due_job(self._models, self._kind):
            return None
        return execution.claim(worker_id=self._worker_id, models=self._models, kind=self._kind)

    def _run_job(self, job: ClaimedJob) -> None:
        now = time.time()
        self._metrics.job_waited(
            kind=job.kind.value, seconds=max(0.0, now - job.created_at.timestamp())
        )
        log.info("job_started", job_id=job.id, attempt=job.attempt, model=job.input.model)
        try:
            report = self._runner.run(job)
        except ServiceUnavailableError as error:
            # The database went away at the end: the lease runs out and the sweeper requeues.
            log.exception("job_left_to_sweeper", job_id=job.id, reason=str(error))
            return
        self._note(job, report)

    def _note(self, job: ClaimedJob, report: RunReport) -> None:
        log.info(
            "job_ended", job_id=job.id, outcome=report.outcome, seconds=round(report.seconds, 3)
        )
        self._metrics.job_finished(
            kind=job.kind.value,
            model=job.input.model,
            status=report.outcome,
            seconds=report.seconds,
        )
        self._metrics.files_encoded(kind=job.kind.value, seconds=report.encode_seconds)
