"""Admission: a request becomes a job, its hold, its charge and its key, in one transaction.

Order of locks: idempotency key, account, quota, shares, job, ledger. An error leaves nothing
behind; a client that never heard the answer finds the job again under the same key.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from sqlalchemy import Connection

from gen_video.accounts.errors import TooManyJobsError
from gen_video.accounts.models import Caller
from gen_video.accounts.service import AccountService
from gen_video.billing.ledger import Position
from gen_video.billing.service import LedgerService
from gen_video.db.database import Database, DatabaseUnavailableError
from gen_video.db.watch import announce
from gen_video.engines.catalogue import Catalogue
from gen_video.errors import ServiceError
from gen_video.generation import job_reads, registry_store, store
from gen_video.generation.depth import QueueDepth
from gen_video.generation.errors import IdempotencyKeyReusedError, QueueFullError
from gen_video.generation.models import Job, JobInput, JobProgress
from gen_video.generation.queueing import Queueing
from gen_video.generation.requests import ImageRequest, resolve_image
from gen_video.generation.shares import RANKS, Priority
from gen_video.generation.states import JobState
from gen_video.generation.video_requests import VideoRequest, resolve_video
from gen_video.ids import new_id
from gen_video.quotas.service import QuotaService
from gen_video.storage.objects import ObjectStore, object_key
from gen_video.webhooks.urls import UrlRules

IDEMPOTENCY_HOURS = 72
TWIN_MINUTES = 10
Request: TypeAlias = ImageRequest | VideoRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryHints:
    """What a client says about repetition.

    Attributes:
        idempotency_key: The header of that name; None without one.
        scope: Method and path that the key belongs to.
        retry_count: How often the client's SDK has sent this request before.
    """

    idempotency_key: str | None = None
    scope: str = ""
    retry_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The id of the job that answers a request; `is_replayed` when it existed before.

    `queue` is where a new job waits, empty for a replayed one.
    """

    job_id: str
    is_replayed: bool
    queue: str = ""


class _TwinFoundError(Exception):
    """An identical job was accepted moments ago; unwinds the transaction."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        super().__init__(job_id)


class Submitter:
    """Admits jobs.

    Args:
        webhook_rules: What addresses a request may name to be told at.
    """

    def __init__(
        self,
        *,
        database: Database,
        accounts: AccountService,
        quotas: QuotaService,
        ledger: LedgerService,
        objects: ObjectStore,
        catalogue: Catalogue,
        adapters: frozenset[str],
        queueing: Queueing,
        queue_limit: int,
        deadline: timedelta,
        webhook_rules: UrlRules,
    ) -> None:
        self._database = database
        self._webhook_rules = webhook_rules
        self._accounts = accounts
        self._quotas = quotas
        self._ledger = ledger
        self._objects = objects
        self._catalogue = catalogue
        self._adapters = adapters
        self._queueing = queueing
        self._depth = QueueDepth(queue_limit)
        self._deadline = deadline

    def submit(
        self,
        caller: Caller,
        request: Request,
        *,
        references: bytes | None,
        hints: RetryHints,
        cancel_after: timedelta | None,
    ) -> Admission:
        """Accept a request; durable when this returns.

        Raises:
            ServiceError: Nothing was kept.
        """
        resolved = self._resolve(caller, request)
        job_id = new_id("job")
        reference_key = None
        if references is not None:
            reference_key = object_key(job_id, fence=0, index=0, extension="png")
            self._objects.put(reference_key, references)
        try:
            admission = self._database.write(
                lambda connection: self._admit(
                    connection,
                    caller,
                    job_id=job_id,
                    request=request,
                    resolved=resolved,
                    reference_key=reference_key,
                    hints=hints,
                    cancel_after=cancel_after,
                )
            )
        except _TwinFoundError as twin:
            admission = Admission(job_id=twin.job_id, is_replayed=True)
        except DatabaseUnavailableError:
            # The job may be there all the same, and need its reference: only the sweeper, which
            # can see whether it is, may throw the file away.
            raise
        except ServiceError:
            self._drop(reference_key)
            raise
        if admission.is_replayed:
            self._drop(reference_key)
        return admission

    def peek(self, caller: Caller, request: Request, *, hints: RetryHints) -> Admission | None:
        """Look, before costly work, whether a request is a repetition or sure to be refused.

        Nothing is taken; `submit` decides. The references need not be known yet.

        Raises:
            ServiceError: It is refused.
        """
        resolved = self._resolve(caller, request)
        fingerprint = request.fingerprint()

        def work(connection: Connection) -> Admission | None:
            now = self._database.now(connection)
            found = self._find_repetition(connection, caller, hints, fingerprint, now=now)
            if found is not None:
                return found
            if self._depth.is_full(connection):
                raise QueueFullError
            self._quotas.require_units(
                connection, caller, kind=request.kind.value, units=resolved.units
            )
            return None

        return self._database.read(work)

    def _find_repetition(
        self,
        connection: Connection,
        caller: Caller,
        hints: RetryHints,
        fingerprint: str,
        *,
        now: datetime,
    ) -> Admission | None:
        if hints.idempotency_key is None:
            try:
                self._refuse_twin(connection, caller, hints, fingerprint=fingerprint, now=now)
            except _TwinFoundError as twin:
                return Admission(job_id=twin.job_id, is_replayed=True)
            return None
        stored = registry_store.find_key(
            connection,
            account_id=caller.account_id,
            scope=hints.scope,
            key=hints.idempotency_key,
            now=now,
        )
        if stored is None:
            return None
        if stored.fingerprint != fingerprint:
            raise IdempotencyKeyReusedError
        return Admission(job_id=stored.job_id, is_replayed=True)

    def _resolve(self, caller: Caller, request: Request) -> JobInput:
        if request.webhook_url is not None:
            self._webhook_rules.require(request.webhook_url, pointer="/webhook")
        if isinstance(request, VideoRequest):
            return resolve_video(request, catalogue=self._catalogue, plan=caller.plan)
        return resolve_image(
            request, catalogue=self._catalogue, plan=caller.plan, adapters=self._adapters
        )

    def _drop(self, reference_key: str | None) -> None:
        if reference_key is not None:
            self._objects.delete(reference_key)

    def _admit(
        self,
        connection: Connection,
        caller: Caller,
        *,
        job_id: str,
        request: Request,
        resolved: JobInput,
        reference_key: str | None,
        hints: RetryHints,
        cancel_after: timedelta | None,
    ) -> Admission:
        now = self._database.now(connection)
        fingerprint = request.fingerprint()
        stored = self._claim_key(
            connection, caller, hints, job_id=job_id, fingerprint=fingerprint, now=now
        )
        if stored is not None:
            return stored
        self._take_place(connection, caller, hints, fingerprint=fingerprint, now=now)
        hold = self._quotas.place_hold(
            connection, caller, kind=request.kind.value, units=resolved.units
        )
        placement = self._queueing.enter(
            connection,
            account_id=caller.account_id,
            plan=caller.plan,
            resolved=resolved,
            rank=RANKS[Priority(request.priority)],
        )
        job = self._new_job(
            caller,
            request,
            resolved,
            job_id=job_id,
            quota_remaining=self._quotas.view(connection, caller).remaining,
            now=now,
            deadline_at=now + (cancel_after or self._deadline),
        )
        store.insert_job(
            connection,
            job,
            fingerprint=fingerprint,
            reference_key=reference_key,
            window_date=hold.window_date,
            is_key_limited=int(hold.is_key_limited),
            webhook_url=request.webhook_url,
            **asdict(placement),
        )
        position = Position(
            account_id=caller.account_id, kind=hold.kind, window_date=hold.window_date
        )
        self._ledger.record_reserve(
            connection, job_id=job_id, position=position, units=job.units, now=now
        )
        announce(connection)
        return Admission(job_id=job_id, is_replayed=False, queue=placement.queue)

    def _new_job(
        self,
        caller: Caller,
        request: Request,
        resolved: JobInput,
        *,
        job_id: str,
        quota_remaining: dict[str, int],
        now: datetime,
        deadline_at: datetime,
    ) -> Job:
        units = resolved.units
        return Job(
            id=job_id,
            account_id=caller.account_id,
            api_key_id=caller.key_id,
            kind=request.kind,
            model=resolved.model,
            state=JobState.QUEUED,
            input=resolved,
            metadata=request.metadata,
            units=units,
            units_delivered=None,
            price_micros=self._catalogue.get(resolved.model).price_micros * units,
            quota_remaining=quota_remaining,
            attempt=0,
            progress=JobProgress(stage="queued", step=0, steps=resolved.all_steps),
            error=None,
            cancel_requested_at=None,
            created_at=now,
            started_at=None,
            finished_at=None,
            deadline_at=deadline_at,
            expires_at=None,
            deleted_at=None,
        )

    def _take_place(
        self,
        connection: Connection,
        caller: Caller,
        hints: RetryHints,
        *,
        fingerprint: str,
        now: datetime,
    ) -> None:
        try:
            self._queue_up(connection, caller)
        except (QueueFullError, TooManyJobsError):
            # The place may have been taken by the very request that is repeated here.
            self._refuse_twin(connection, caller, hints, fingerprint=fingerprint, now=now)
            raise
        self._refuse_twin(connection, caller, hints, fingerprint=fingerprint, now=now)

    def _queue_up(self, connection: Connection, caller: Caller) -> None:
        if self._depth.is_full(connection):
            raise QueueFullError
        self._accounts.take_slot(connection, caller)

    def _claim_key(
        self,
        connection: Connection,
        caller: Caller,
        hints: RetryHints,
        *,
        job_id: str,
        fingerprint: str,
        now: datetime,
    ) -> Admission | None:
        if hints.idempotency_key is None:
            return None
        taken = registry_store.claim_key(
            connection,
            account_id=caller.account_id,
            scope=hints.scope,
            key=hints.idempotency_key,
            fingerprint=fingerprint,
            job_id=job_id,
            now=now,
            expires_at=now + timedelta(hours=IDEMPOTENCY_HOURS),
        )
        if taken is None:
            return None
        if taken.fingerprint != fingerprint:
            raise IdempotencyKeyReusedError
        return Admission(job_id=taken.job_id, is_replayed=True)

    def _refuse_twin(
        self,
        connection: Connection,
        caller: Caller,
        hints: RetryHints,
        *,
        fingerprint: str,
        now: datetime,
    ) -> None:
        # An SDK that retries by itself sends no key. The account row is locked by now, so the
        # first request of the pair is either visible here or will see this one.
        if hints.idempotency_key is not None or hints.retry_count <= 0:
            return
        since = now - timedelta(minutes=TWIN_MINUTES)
        twin = job_reads.find_recent_twin(
            connection,
            account_id=caller.account_id,
            fingerprint=fingerprint,
            since=since,
            earliest=since - self._deadline,
        )
        if twin is not None:
            raise _TwinFoundError(twin)
