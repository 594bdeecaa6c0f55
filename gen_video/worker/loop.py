"""The worker's loop: claim, run, settle, again; asleep while there is nothing to do."""

import threading
import time
from collections.abc import Callable, Collection

import structlog

from gen_video.errors import ServiceUnavailableError
from gen_video.generation.execution import WorkerProfile
from gen_video.generation.models import ClaimedJob
from gen_video.generation.runner import JobRunner, RunReport
from gen_video.generation.states import JobState
from gen_video.wiring import Services
from gen_video.worker.desk import Desk

SIGN_OF_LIFE_SECONDS = 5.0
REST_SECONDS = 1.0
DATABASE_PAUSE_SECONDS = 1.0

log = structlog.get_logger(__name__)


class WorkerLoop:
    """Runs jobs one after another until it is told to stop.

    Args:
        profile: What it takes.
        desk: Where it is woken and takes a slot.
        resident: Returns the models that its engine has loaded.
        idle_seconds: Returns how long to sleep at most before the next look.
    """

    def __init__(
        self,
        services: Services,
        runner: JobRunner,
        *,
        profile: WorkerProfile,
        desk: Desk,
        resident: Callable[[], Collection[str]],
        idle_seconds: Callable[[], float],
    ) -> None:
        self._services = services
        self._runner = runner
        self._metrics = services.metrics
        self._wake = threading.Event()
        self._is_stopping = threading.Event()
        self._is_idle = threading.Event()
        self._is_idle.set()
        self._is_resting = threading.Event()
        self._profile = profile
        self._desk = desk
        self._resident = resident
        self._idle_seconds = idle_seconds
        desk.join(self._wake.set)

    def run(self) -> None:
        """Work until `stop`; the running job is finished or given back before this returns."""
        while not self._is_stopping.is_set():
            self._rest()
            self._look()
            self._wake.wait(self._idle_seconds())
            self._wake.clear()

    def stop(self) -> None:
        """Claim nothing more; `run` returns after the running job."""
        self._is_stopping.set()
        self._wake.set()

    def rest(self) -> None:
        """Claim nothing until `resume`; the running job is finished."""
        self._is_resting.set()
        self._wake.set()

    def resume(self) -> None:
        """Claim jobs again."""
        self._is_resting.clear()
        self._wake.set()

    @property
    def is_idle(self) -> bool:
        """Tell whether no job runs."""
        return self._is_idle.is_set()

    def wait_until_idle(self, timeout_seconds: float) -> bool:
        """Wait for the running job to end; False when the time ran out."""
        return self._is_idle.wait(timeout_seconds)

    def give_back(self) -> None:
        """Stop the running job and return it to the queue."""
        self._runner.stop_for_drain()

    def _rest(self) -> None:
        """Rest while told to, in a slot: a broker's wake-ups then go to other workers."""
        leave: Callable[[], None] | None = None
        while self._is_resting.is_set() and not self._is_stopping.is_set():
            self._desk.dismiss()
            leave = leave or self._desk.occupy()
            self._wake.wait(REST_SECONDS)
            self._wake.clear()
        if leave is not None:
            leave()

    def _look(self) -> None:
        end = self._desk.begin()
        if end is None:
            return
        try:
            # In one slot for as long as there is work: the listener, whose slot it may be, takes
            # a moment to lend it again, and a loop without one would sleep beside waiting jobs.
            while self._run_one():
                pass
        finally:
            end()

    def _run_one(self) -> bool:
        # Busy before the claim: a drain that begins in between must find the job.
        self._is_idle.clear()
        try:
            if self._is_stopping.is_set() or self._is_resting.is_set():  # since the caller looked
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
        if not execution.has_due_job(self._profile):
            return None
        return execution.claim(self._profile, resident=self._resident())

    def _run_job(self, job: ClaimedJob) -> None:
        now = time.time()
        self._metrics.job_waited(
            kind=job.kind.value, seconds=max(0.0, now - job.created_at.timestamp())
        )
        is_warm = job.input.model in self._resident()
        log.info("job_started", job_id=job.id, attempt=job.attempt, model=job.input.model)
        try:
            report = self._runner.run(job)
        except ServiceUnavailableError as error:
            # The database went away at the end: the lease runs out and the sweeper requeues.
            log.exception("job_left_to_sweeper", job_id=job.id, reason=str(error))
            return
        self._note(job, report, is_warm=is_warm)

    def _note(self, job: ClaimedJob, report: RunReport, *, is_warm: bool) -> None:
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
        if report.outcome == JobState.SUCCEEDED:
            self._services.execution.note_speed(job, seconds=report.seconds, is_warm=is_warm)
