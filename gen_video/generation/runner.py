"""Runs one claimed job: engine, encoding, storing, finishing; a heartbeat beside it.

No database connection is held while the engine works. The heartbeat renews the lease, carries
progress out and cancellation in; when it cannot renew for half a lease it stops the engine,
before anybody else may start the job.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import structlog

from gen_video.engines.errors import EngineCancelledError, EngineInterruptedError
from gen_video.engines.tasks import Engine, StepProgress
from gen_video.errors import ServiceError, ServiceUnavailableError
from gen_video.generation.errors import JobCanceledError, LeaseLostError
from gen_video.generation.execution import ExecutionService
from gen_video.generation.films import FilmWork
from gen_video.generation.models import (
    ClaimedJob,
    Delivery,
    JobProgress,
    LeaseState,
    VideoInput,
)
from gen_video.generation.pictures import PictureWork
from gen_video.generation.preview_tray import PreviewTray
from gen_video.generation.states import JobState
from gen_video.storage.objects import ObjectStore

HEARTBEAT_SECONDS = 0.25
LOOK_EVERY_SECONDS = 0.5
RENEWALS_PER_LEASE = 6

log = structlog.get_logger(__name__)


class StopReason(StrEnum):
    """Why a running job is stopped from outside."""

    CANCELED = "canceled"
    DEADLINE = "deadline"
    LEASE_LOST = "lease_lost"
    DRAINING = "draining"


class DeadlinePassedError(ServiceError):
    """The job ran past its deadline and was stopped."""

    code = "deadline_exceeded"
    status = 504
    message_en = "The job did not finish before its deadline; nothing was charged."
    message_zh = "任务未能在截止时间前完成，未扣除任何配额。"


class ResultTooSmallError(ServiceError):
    """The engine ended without a single file."""

    code = "generation_failed"
    is_retryable = True
    message_en = "The engine ended without a result."
    message_zh = "生成引擎未返回任何结果。"


class UnexpectedFailureError(ServiceError):
    """Something broke that nobody thought of; the log has the traceback."""

    code = "generation_failed"
    is_retryable = True
    message_en = "Something went wrong on our side while making the file."
    message_zh = "生成文件时服务内部出错。"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """How a run ended, for logs and metrics: the job's state, or why it is not known."""

    job_id: str
    outcome: str
    seconds: float
    encode_seconds: float


class Heartbeat:
    """Renews one job's lease on its own thread until the run ends."""

    def __init__(
        self, execution: ExecutionService, job: ClaimedJob, *, stop_engine: Callable[[], None]
    ) -> None:
        self._execution = execution
        self._job = job
        self._stop_engine = stop_engine
        self._lease_seconds = execution.lease.total_seconds()
        self._progress: JobProgress | None = None
        self._previews = PreviewTray()
        self._written: JobProgress | None = None
        self._renewed_at = self._looked_at = time.monotonic()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"heartbeat-{job.id}", daemon=True)
        self.reason: StopReason | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._is_over.set()
        self._thread.join()
        self._write_last_previews()

    def _write_last_previews(self) -> None:
        """Write what came since the last beat: of a short job these may be all there are."""
        previews = self._previews.peek()
        if previews and self.reason is None:
            with contextlib.suppress(ServiceError):  # whoever ends the job finds out why
                self._execution.renew(self._job, progress=self._progress, previews=previews)

    def report(self, progress: StepProgress) -> None:
        """Take note of the engine's progress; written out at most four times a second."""
        if progress.preview is not None:
            self._previews.add(progress.preview, step=progress.step, steps=progress.steps)
        self._progress = JobProgress(stage=progress.stage, step=progress.step, steps=progress.steps)

    def stop(self, reason: StopReason) -> None:
        """Stop the engine for this reason; the first reason counts."""
        if self.reason is None:
            self.reason = reason
            self._stop_engine()

    def check(self) -> None:
        """Go on, unless the run is to stop.

        Raises:
            EngineCancelledError: It is.
        """
        if self.reason is not None:
            raise EngineCancelledError

    def _run(self) -> None:
        beat = min(HEARTBEAT_SECONDS, self._lease_seconds / RENEWALS_PER_LEASE)
        while not self._is_over.wait(beat) and self.reason is not StopReason.LEASE_LOST:
            try:
                self._beat()
            except LeaseLostError:
                self.stop(StopReason.LEASE_LOST)
            except ServiceUnavailableError as error:
                log.warning("heartbeat_failed", job_id=self._job.id, reason=str(error))
                if time.monotonic() - self._renewed_at > self._lease_seconds / 2:
                    self.stop(StopReason.LEASE_LOST)

    def _beat(self) -> None:
        state = self._renew_or_look()
        if state is None:
            return
        if state.is_cancel_requested:
            self.stop(StopReason.CANCELED)
        elif state.is_past_deadline:
            self.stop(StopReason.DEADLINE)

    def _renew_or_look(self) -> LeaseState | None:
        now = time.monotonic()
        progress = self._progress
        is_due = now - self._renewed_at > self._lease_seconds / RENEWALS_PER_LEASE
        previews = self._previews.peek()
        if progress != self._written or previews or is_due:
            state = self._execution.renew(self._job, progress=progress, previews=previews)
            self._previews.drop(len(previews))
            self._written, self._renewed_at, self._looked_at = progress, now, now
            return state
        if now - self._looked_at > LOOK_EVERY_SECONDS:
            self._looked_at = now
            return self._execution.check_lease(self._job)
        return None


class JobRunner:
    """Turns claimed jobs into files.

    Args:
        engine: One device; one job at a time.
        version: Written into the metadata of every file.
    """

    def __init__(
        self, *, execution: ExecutionService, engine: Engine, objects: ObjectStore, version: str
    ) -> None:
        self._execution = execution
        self._engine = engine
        self._objects = objects
        self._software = f"gen_video {version}"
        self._heartbeat: Heartbeat | None = None
        self._is_draining = False
        self._work: PictureWork | FilmWork | None = None

    def run(self, job: ClaimedJob) -> RunReport:
        """Run a job to its end; whatever happens, it is not left open by a living worker."""
        started = time.monotonic()
        self._work = None
        task_id = f"{job.id}.{job.fence}"
        deliveries: list[Delivery] = []
        heartbeat = Heartbeat(
            self._execution, job, stop_engine=lambda: self._engine.cancel(task_id)
        )
        with heartbeat:
            self._heartbeat = heartbeat
            if self._is_draining:
                heartbeat.stop(StopReason.DRAINING)
            failure = self._generate(job, task_id, heartbeat, deliveries)
            self._heartbeat = None
        outcome = self._conclude(job, deliveries, reason=heartbeat.reason, failure=failure)
        if outcome != "succeeded":
            self._discard(deliveries)
        return RunReport(
            job_id=job.id,
            outcome=outcome,
            seconds=time.monotonic() - started,
            encode_seconds=self._encode_seconds(),
        )

    def stop_for_drain(self) -> None:
        """Stop the running job so that it can be given back."""
        self._is_draining = True  # for a job that was claimed and has not begun
        heartbeat = self._heartbeat
        if heartbeat is not None:
            heartbeat.stop(StopReason.DRAINING)

    def _generate(
        self, job: ClaimedJob, task_id: str, heartbeat: Heartbeat, deliveries: list[Delivery]
    ) -> ServiceError | None:
        try:
            # What was stored before a failure stays in the list.
            deliveries.extend(self._produce(job, task_id, heartbeat))
        except ServiceError as error:
            return error
        except Exception:
            # A fault of ours in this job must not end the worker, and with it the other jobs.
            log.exception("job_broke_down", job_id=job.id)
            return UnexpectedFailureError()
        return None if deliveries else ResultTooSmallError()

    def _encode_seconds(self) -> float:
        return 0.0 if self._work is None else self._work.encode_seconds

    def _produce(self, job: ClaimedJob, task_id: str, heartbeat: Heartbeat) -> Iterator[Delivery]:
        wanted = job.input
        if isinstance(wanted, VideoInput):
            film = self._work = FilmWork(
                engine=self._engine, objects=self._objects, software=self._software
            )
            return film.produce(
                job,
                wanted,
                task_id=task_id,
                on_progress=heartbeat.report,
                check=heartbeat.check,
            )
        picture = self._work = PictureWork(
            engine=self._engine, objects=self._objects, software=self._software
        )
        return picture.produce(job, wanted, task_id=task_id, on_progress=heartbeat.report)

    def _conclude(
        self,
        job: ClaimedJob,
        deliveries: list[Delivery],
        *,
        reason: StopReason | None,
        failure: ServiceError | None,
    ) -> str:
        match reason:
            case StopReason.LEASE_LOST:
                return "lease_lost"
            case StopReason.DRAINING if failure is not None:
                return _given_back(self._execution.give_back(job))
            case StopReason.CANCELED if failure is not None:
                return "canceled" if self._execution.cancel(job) else "lease_lost"
            case StopReason.DEADLINE if failure is not None:
                failure = DeadlinePassedError()
        if isinstance(failure, EngineInterruptedError):
            return _given_back(self._execution.give_back(job))
        if failure is None or self._is_worth_delivering(job, deliveries, failure):
            return self._finish(job, deliveries)
        state = self._execution.fail(job, failure)
        log.warning(
            "attempt_failed",
            job_id=job.id,
            attempt=job.attempt,
            code=failure.code,
            reason=str(failure),
            state=None if state is None else state.value,
        )
        return "lease_lost" if state is None else state.value

    def _is_worth_delivering(
        self, job: ClaimedJob, deliveries: list[Delivery], failure: ServiceError
    ) -> bool:
        # The last attempt failed after some of n pictures: deliver and charge those.
        is_last = self._execution.is_last_attempt(job, failure)
        is_called_off = isinstance(failure, EngineCancelledError | DeadlinePassedError)
        return bool(deliveries) and is_last and not is_called_off

    def _finish(self, job: ClaimedJob, deliveries: list[Delivery]) -> str:
        try:
            names = self._execution.finish(job, deliveries)
        except JobCanceledError:
            return "canceled"
        except LeaseLostError:
            return "lease_lost"
        for delivery, name in zip(deliveries, names, strict=True):
            self._publish(delivery.storage_key, name)
        return "succeeded"

    def _publish(self, storage_key: str, name: str) -> None:
        try:
            self._objects.publish(storage_key, name)
        except ServiceError as error:
            # The job has succeeded and its file is served from its key; the sweeper publishes.
            log.warning("publish_failed", name=name, reason=str(error))

    def _discard(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            try:
                self._objects.delete(delivery.storage_key)
            except ServiceError as error:
                log.warning("discard_failed", key=delivery.storage_key, reason=str(error))


def _given_back(state: JobState | None) -> str:
    match state:
        case None:
            return "lease_lost"
        case JobState.QUEUED:
            return "given_back"
        case _:
            return state.value
