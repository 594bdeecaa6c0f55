"""Use cases of jobs for their owners: submit, read, list, cancel, delete, fetch files.

Every query carries the caller's account: a foreign id and a missing id are the same thing.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from gen_video.accounts.models import Caller
from gen_video.db.database import Database
from gen_video.db.watch import announce
from gen_video.errors import NotFoundError
from gen_video.generation import artifact_store, estimates, job_reads, preview_store, store
from gen_video.generation.dispatch import Announcer, NoAnnouncer
from gen_video.generation.endings import Endings
from gen_video.generation.errors import (
    FileGoneError,
    FileNotFoundInServiceError,
    JobFinishedError,
    JobNotFoundError,
    JobUnfinishedError,
)
from gen_video.generation.models import Artifact, Job, JobPage, JobSnapshot, Preview, Submission
from gen_video.generation.states import JobKind, JobState
from gen_video.generation.submission import Request, RetryHints, Submitter
from gen_video.ids import is_id
from gen_video.storage.objects import ObjectStore, require_name

MAX_PAGE = 100


class JobService:
    """Jobs as their owners use them."""

    def __init__(
        self,
        *,
        database: Database,
        submitter: Submitter,
        endings: Endings,
        objects: ObjectStore,
        announcer: Announcer | None = None,
    ) -> None:
        self._announcer = announcer or NoAnnouncer()
        self._database = database
        self._submitter = submitter
        self._endings = endings
        self._objects = objects

    def submit(
        self,
        caller: Caller,
        request: Request,
        *,
        references: bytes | None = None,
        hints: RetryHints | None = None,
        cancel_after: timedelta | None = None,
    ) -> Submission:
        """Accept a request; it is durable when this returns.

        Args:
            caller: Who asks and pays.
            request: As the client wrote it; it names the references by their hashes.
            references: Reference images that `media.references` made safe, one after another in
                the order of the scenes; None without any.
            hints: What the client says about repetition.
            cancel_after: A deadline of the client's own; a missed one refunds.

        Raises:
            ServiceError: Nothing was kept.
        """
        admission = self._submitter.submit(
            caller,
            request,
            references=references,
            hints=hints or RetryHints(),
            cancel_after=cancel_after,
        )
        if admission.queue:
            self._announcer.notify(admission.queue)
        return Submission(job=self.get(caller, admission.job_id), is_replayed=admission.is_replayed)

    def peek(
        self, caller: Caller, request: Request, *, hints: RetryHints | None = None
    ) -> Submission | None:
        """Look, before costly work, whether a request is a repetition or sure to be refused.

        Returns:
            The answer of a repetition, None for a request that may be submitted.

        Raises:
            ServiceError: It is refused.
        """
        found = self._submitter.peek(caller, request, hints=hints or RetryHints())
        if found is None:
            return None
        return Submission(job=self.get(caller, found.job_id), is_replayed=True)

    def get(self, caller: Caller, job_id: str) -> Job:
        """Return one job with its outputs, its place in the queue and an estimate.

        Raises:
            JobNotFoundError: Missing or foreign.
        """
        if not is_id(job_id, "job"):
            raise JobNotFoundError

        def work(connection: Connection) -> Job:
            row = job_reads.find_row(connection, job_id, account_id=caller.account_id)
            if row is None:
                raise JobNotFoundError
            return self._complete(connection, job_reads.parse_job(row))

        return self._database.read(work)

    def list_jobs(
        self,
        caller: Caller,
        *,
        limit: int = 20,
        after: str | None = None,
        state: JobState | None = None,
        kind: JobKind | None = None,
        model: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        oldest_first: bool = False,
        search: str = "",
    ) -> JobPage:
        """Return a page of jobs, newest first unless told otherwise, from behind the job `after`.

        `search` are words that their prompts have, all of them.

        Raises:
            JobNotFoundError: `after` names no job of this caller.
        """
        if after is not None and not is_id(after, "job"):
            raise JobNotFoundError
        size = min(limit, MAX_PAGE)

        def work(connection: Connection) -> JobPage:
            rows = job_reads.list_rows(
                connection,
                account_id=caller.account_id,
                limit=size + 1,
                after=self._cursor(connection, caller, after),
                state=state,
                kind=kind,
                model=model,
                created_after=created_after,
                created_before=created_before,
                oldest_first=oldest_first,
                search=search,
            )
            jobs = [job_reads.parse_job(row) for row in rows[:size]]
            outputs = artifact_store.list_of_jobs(connection, [job.id for job in jobs])
            return JobPage(
                jobs=tuple(replace(job, files=tuple(outputs[job.id])) for job in jobs),
                has_more=len(rows) > size,
            )

        return self._database.read(work)

    def cancel(self, caller: Caller, job_id: str) -> Job:
        """Cancel a queued job at once, a running one within a step; idempotent.

        Raises:
            JobNotFoundError: Missing or foreign.
            JobFinishedError: It ended otherwise.
        """
        job = self.get(caller, job_id)
        if job.state is JobState.CANCELED:
            return job

        def work(connection: Connection) -> bool:
            now = self._database.now(connection)
            is_canceled = self._endings.end_job(
                connection,
                job_id=job_id,
                source=JobState.QUEUED,
                target=JobState.CANCELED,
                now=now,
                values={"cancel_requested_at": now},
            )
            is_asked = is_canceled or store.request_cancel(connection, job_id=job_id, now=now)
            announce(connection)
            return is_asked

        is_asked = self._database.write(work)
        job = self.get(caller, job_id)
        if not is_asked and job.state is not JobState.CANCELED:
            raise JobFinishedError(state=job.state.value)
        return job

    def delete(self, caller: Caller, job_id: str) -> Job:
        """Erase the files of a finished job; idempotent.

        Raises:
            JobNotFoundError: Missing or foreign.
            JobUnfinishedError: It is queued or running.
        """
        job = self.get(caller, job_id)
        if not job.state.is_terminal:
            raise JobUnfinishedError(state=job.state.value)

        def work(connection: Connection) -> None:
            store.mark_deleted(connection, job_id=job_id, now=self._database.now(connection))
            artifact_ids = [artifact.id for artifact in job.files]
            artifact_store.end(connection, artifact_ids=artifact_ids, state="deleted")
            preview_store.forget_of(connection, job_id)

        self._database.write(work)
        for artifact in job.files:
            self._objects.unpublish(artifact.public_name)
            self._objects.delete(artifact.storage_key)
        return self.get(caller, job_id)

    def get_file(self, public_name: str) -> Artifact:
        """Return the artifact behind a public name such as `images/job_….png`.

        Raises:
            FileNotFoundInServiceError: No such file.
            FileGoneError: Deleted or past its retention time.
        """
        try:
            require_name(public_name)
        except ValueError as error:
            raise FileNotFoundInServiceError from error

        def work(connection: Connection) -> Artifact:
            artifact = artifact_store.find_by_public_name(connection, public_name)
            if artifact is None:
                raise FileNotFoundInServiceError
            now = self._database.now(connection)
            is_over = artifact.expires_at is not None and artifact.expires_at <= now
            if artifact.state != "live" or is_over:
                raise FileGoneError
            return artifact

        return self._database.read(work)

    def get_file_of(self, caller: Caller, public_name: str) -> Artifact:
        """Return the artifact behind a public name if it belongs to the caller."""
        artifact = self.get_file(public_name)
        try:
            self.get(caller, artifact.job_id)
        except NotFoundError as error:
            raise FileNotFoundInServiceError from error
        return artifact

    def read_snapshots(self, job_ids: Sequence[str]) -> dict[str, JobSnapshot]:
        """Return what waiting clients watch, by job id."""
        return self._database.read(lambda connection: job_reads.read_snapshots(connection, job_ids))

    def list_previews(self, job_id: str, *, after: int = 0) -> tuple[Preview, ...]:
        """Return a job's previews with numbers larger than `after`, in order.

        Whoever calls has checked that the job may be seen.
        """
        return self._database.read(
            lambda connection: preview_store.list_of(connection, job_id, after=after)
        )

    def _cursor(
        self, connection: Connection, caller: Caller, after: str | None
    ) -> tuple[datetime, str] | None:
        if after is None:
            return None
        row = job_reads.find_row(connection, after, account_id=caller.account_id)
        if row is None:
            raise JobNotFoundError
        return row.created_at, row.id

    def _complete(self, connection: Connection, job: Job) -> Job:
        if job.state.is_terminal:
            outputs = artifact_store.list_of_jobs(connection, [job.id])[job.id]
            return replace(job, files=tuple(outputs))
        now = self._database.now(connection)
        return replace(job, progress=estimates.estimate(connection, job, now=now))
