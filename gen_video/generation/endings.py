"""How every job ends: one step that settles the hold, the ledger and the slot with the state.

All of it happens in the caller's transaction: a job is never terminal with its hold open, nor
its hold settled while it can still run, nor without the event that tells of it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from gen_video.accounts.service import AccountService
from gen_video.billing.ledger import Position
from gen_video.billing.service import LedgerService
from gen_video.db.watch import announce
from gen_video.errors import ServiceError
from gen_video.generation import store
from gen_video.generation.announcements import (
    FileAddress,
    NamedFile,
    describe_end,
    list_outputs,
)
from gen_video.generation.queueing import Queueing
from gen_video.generation.states import JobState
from gen_video.quotas.models import Hold
from gen_video.quotas.service import QuotaService
from gen_video.webhooks.event_log import EventLog

AnyRow = Row[*tuple[Any, ...]]


class Endings:
    """Moves jobs to terminal states, with everything that belongs to it.

    Args:
        file_address: Where events say that files are.
    """

    def __init__(
        self,
        *,
        accounts: AccountService,
        quotas: QuotaService,
        ledger: LedgerService,
        queueing: Queueing,
        events: EventLog,
        file_address: FileAddress,
    ) -> None:
        self._accounts = accounts
        self._events = events
        self._file_address = file_address
        self._queueing = queueing
        self._quotas = quotas
        self._ledger = ledger

    def end_job(
        self,
        connection: Connection,
        *,
        job_id: str,
        source: JobState,
        target: JobState,
        now: datetime,
        fence: int | None = None,
        is_unless_canceled: bool = False,
        files: Sequence[NamedFile] = (),
        error: ServiceError | None = None,
        used: timedelta | None = None,
        values: dict[str, object] | None = None,
    ) -> bool:
        """End a job if it still is in `source` (and under `fence`); tell whether it did.

        Each output among `files` is a unit that is charged, the rest of the hold is released.
        `error` says why there is no result; `used` is the device time of the attempt that ends, if
        there is one; `values` are more columns of the job to set.
        """
        captured = len(list_outputs(files))
        row = store.conclude(
            connection,
            job_id=job_id,
            source=source,
            target=target,
            now=now,
            fence=fence,
            is_unless_canceled=is_unless_canceled,
            values={"units_delivered": captured, "has_event": 1}
            | _error_values(error)
            | (values or {}),
        )
        if row is None:
            return False
        self._settle(connection, row, captured=captured, now=now)
        self._queueing.leave(connection, row, used=used)
        store.end_attempt(connection, job_id=job_id, fence=row.fence, outcome=target.value, now=now)
        facts = describe_end(row, files, file_address=self._file_address)
        self._events.record_job(connection, facts, webhook_url=row.webhook_url)
        announce(connection)
        return True

    def requeue_or_cancel(
        self,
        connection: Connection,
        *,
        job_id: str,
        fence: int,
        outcome: str,
        now: datetime,
        not_before: datetime,
        values: dict[str, object],
    ) -> JobState | None:
        """Give a running job back to the queue, or end it if its owner asked to cancel it.

        Args:
            connection: The caller's transaction.
            job_id: The job.
            fence: Of the attempt that ends.
            outcome: What is written down about that attempt.
            now: The database's clock.
            not_before: When the job may be claimed again.
            values: More columns of a job that goes back.

        Returns:
            The job's state now; None when the attempt did not hold the job any more.
        """
        is_back = store.requeue(
            connection, job_id=job_id, fence=fence, not_before=not_before, values=values
        )
        if is_back:
            store.end_attempt(connection, job_id=job_id, fence=fence, outcome=outcome, now=now)
            announce(connection)
            return JobState.QUEUED
        is_canceled = self.end_job(
            connection,
            job_id=job_id,
            source=JobState.RUNNING,
            target=JobState.CANCELED,
            now=now,
            fence=fence,
        )
        return JobState.CANCELED if is_canceled else None

    def _settle(self, connection: Connection, row: AnyRow, *, captured: int, now: datetime) -> None:
        # Lock order: account, quota, job, ledger, shares. The job row is locked already here,
        # which is safe because admission never waits for a job row.
        hold = Hold(
            account_id=row.account_id,
            key_id=row.api_key_id,
            kind=row.kind,
            units=row.units,
            window_date=row.window_date,
            is_key_limited=bool(row.is_key_limited),
        )
        self._accounts.free_slot(connection, row.account_id)
        self._quotas.settle(connection, hold, captured=captured)
        self._ledger.record_settle(
            connection,
            job_id=row.id,
            position=Position(
                account_id=row.account_id, kind=row.kind, window_date=row.window_date
            ),
            units=row.units,
            captured=captured,
            now=now,
        )
        remaining = self._quotas.remaining_of(connection, hold)
        store.set_quota_snapshot(connection, job_id=row.id, remaining=remaining)


def _error_values(error: ServiceError | None) -> dict[str, object]:
    if error is None:
        return {"error_code": None, "error_en": None, "error_zh": None}
    return {
        "error_code": error.code,
        "error_en": error.message("en"),
        "error_zh": error.message("zh"),
    }
