"""Runs one claimed job: engine, encoding, storing, finishing; a heartbeat beside it.

No database connection is held while the engine works. The heartbeat renews the lease, carries
progress out and cancellation in; when it cannot renew for half a lease it stops the engine,
before anybody else may start the job.
"""

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import structlog

from gen_video.engines.errors import EngineCancelledError
from gen_video.engines.tasks import Engine, ImageTask, LoraChoice, Picture, StepProgress
from gen_video.errors import ServiceError, ServiceUnavailableError
from gen_video.generation.errors import JobCanceledError, LeaseLostError
from gen_video.generation.execution import ExecutionService
from gen_video.generation.models import ClaimedJob, Delivery, JobProgress, LeaseState
from gen_video.generation.states import JobState
from gen_video.media.pictures import PictureFormat, encode_picture, verify_picture
from gen_video.storage.objects import ObjectStore, object_key

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
    """The engine ended without a single picture."""

    code = "generation_failed"
    is_retryable = True
    message_en = "The engine ended without a picture."
    message_zh = "生成引擎未返回任何图片。"


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

    def report(self, progress: StepProgress) -> None:
        """Take note of the engine's progress; written out at most four times a second."""
        self._progress = JobProgress(stage=progress.stage, step=progress.step, steps=progress.steps)

    def stop(self, reason: StopReason) -> None:
        """Stop the engine for this reason; the first reason counts."""
        if self.reason is None:
            self.reason = reason
            self._stop_engine()

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
        if progress != self._written or is_due:
            state = self._execution.renew(self._job, progress=progress)
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
        self._version = version
        self._heartbeat: Heartbeat | None = None
        self._encode_seconds = 0.0

    def run(self, job: ClaimedJob) -> RunReport:
        """Run a job to its end; whatever happens, it is not left open by a living worker."""
        started = time.monotonic()
        self._encode_seconds = 0.0
        task_id = f"{job.id}.{job.fence}"
        deliveries: list[Delivery] = []
        heartbeat = Heartbeat(
            self._execution, job, stop_engine=lambda: self._engine.cancel(task_id)
        )
        with heartbeat:
            self._heartbeat = heartbeat
            failure = self._generate(job, task_id, heartbeat, deliveries)
            self._heartbeat = None
        outcome = self._conclude(job, deliveries, reason=heartbeat.reason, failure=failure)
        if outcome != "succeeded":
            self._discard(deliveries)
        return RunReport(
            job_id=job.id,
            outcome=outcome,
            seconds=time.monotonic() - started,
            encode_seconds=self._encode_seconds,
        )

    def stop_for_drain(self) -> None:
        """Stop the running job so that it can be given back."""
        heartbeat = self._heartbeat
        if heartbeat is not None:
            heartbeat.stop(StopReason.DRAINING)

    def _generate(
        self, job: ClaimedJob, task_id: str, heartbeat: Heartbeat, deliveries: list[Delivery]
    ) -> ServiceError | None:
        try:
            task = self._task(job, task_id)
            for picture in self._engine.generate(task, on_progress=heartbeat.report):
                delivery = self._store(job, picture)
                deliveries.append(delivery)
        except ServiceError as error:
            return error
        return None if deliveries else ResultTooSmallError()

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

    def _task(self, job: ClaimedJob, task_id: str) -> ImageTask:
        wanted = job.input
        reference = None
        if job.reference_key is not None:
            reference = b"".join(self._objects.read(job.reference_key))
        return ImageTask(
            task_id=task_id,
            model=wanted.model,
            prompt=wanted.prompt,
            negative_prompt=wanted.negative_prompt,
            width=wanted.width,
            height=wanted.height,
            num_inference_steps=wanted.num_inference_steps,
            guidance_scale=wanted.guidance_scale,
            seed=wanted.seed,
            n=wanted.n,
            reference_image=reference,
            strength=wanted.strength if wanted.strength is not None else 1.0,
            loras=tuple(LoraChoice(name=name) for name in wanted.loras),
            attempt=job.attempt,
        )

    def _store(self, job: ClaimedJob, picture: Picture) -> Delivery:
        started = time.monotonic()
        picture_format = PictureFormat(job.input.output_format)
        data = encode_picture(
            picture.rgb,
            width=picture.width,
            height=picture.height,
            picture_format=picture_format,
            parameters=self._parameters(job, picture),
        )
        verify_picture(
            data, width=picture.width, height=picture.height, picture_format=picture_format
        )
        self._encode_seconds += time.monotonic() - started
        extension = picture_format.extension
        key = object_key(job.id, fence=job.fence, index=picture.index + 1, extension=extension)
        self._objects.put(key, data)
        return Delivery(
            position=picture.index,
            storage_key=key,
            extension=extension,
            mime=picture_format.mime,
            sha256=hashlib.sha256(data).hexdigest(),
            size_bytes=len(data),
            width=picture.width,
            height=picture.height,
            seed=picture.seed,
        )

    def _parameters(self, job: ClaimedJob, picture: Picture) -> dict[str, str]:
        wanted = job.input
        parameters = {
            "prompt": wanted.prompt,
            "negative_prompt": wanted.negative_prompt,
            "model": wanted.model,
            "seed": str(picture.seed),
            "num_inference_steps": str(wanted.num_inference_steps),
            "guidance_scale": str(wanted.guidance_scale),
            "width": str(picture.width),
            "height": str(picture.height),
            "task_id": job.id,
            "software": f"gen_video {self._version}",
        }
        if wanted.strength is not None:
            parameters["strength"] = str(wanted.strength)
        if wanted.loras:
            parameters["loras"] = ", ".join(wanted.loras)
        return parameters


def _given_back(state: JobState | None) -> str:
    match state:
        case None:
            return "lease_lost"
        case JobState.QUEUED:
            return "given_back"
        case _:
            return state.value
