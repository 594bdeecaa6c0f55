"""The audit: proves on a live database that nothing was lost, doubled or left open.

The invariants carry the numbers of the operations guide. All are read in one snapshot; file
contents are compared with their hashes outside of it.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, func, select

from gen_video.accounts.service import AccountService
from gen_video.billing.ledger import Position
from gen_video.billing.service import LedgerService
from gen_video.db.database import Database
from gen_video.errors import ServiceError
from gen_video.generation import artifact_store, fair_store, job_reads
from gen_video.generation.models import Artifact, FileRole
from gen_video.generation.queueing import Queueing, share_of
from gen_video.generation.states import JobState
from gen_video.generation.tables import artifacts, idempotency, job_attempts, jobs
from gen_video.quotas.service import QuotaService
from gen_video.storage.objects import ObjectStore
from gen_video.webhooks.event_log import KEPT, EventLog

ORPHAN_LIMIT = timedelta(hours=2)
"""The sweeper removes files that are an hour old, and looks for them every ten minutes."""
BATCH = 500
EVENT_MARGIN = timedelta(days=1)

AnyRow = Row[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One broken invariant."""

    invariant: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What the audit looked at and what it found."""

    jobs: int
    files: int
    findings: tuple[Finding, ...]


class AuditService:
    """Checks the invariants.

    Args:
        sweep_grace: How long past its lease a job may stay running, or wait though there is room,
            before that is a finding: two sweeps.
    """

    def __init__(
        self,
        *,
        database: Database,
        accounts: AccountService,
        quotas: QuotaService,
        ledger: LedgerService,
        objects: ObjectStore,
        events: EventLog,
        sweep_grace: timedelta,
    ) -> None:
        self._events = events
        self._database = database
        self._accounts = accounts
        self._quotas = quotas
        self._ledger = ledger
        self._objects = objects
        self._sweep_grace = sweep_grace

    def audit(self, *, is_reading_files: bool = True) -> AuditReport:
        """Check everything; an empty list of findings is the proof."""

        def work(connection: Connection) -> tuple[list[Finding], int, list[Artifact]]:
            rows = list(connection.execute(select(jobs)))
            findings = [
                *self._check_ledger(connection, rows),
                *self._check_windows(connection, rows),
                *_check_artifacts(connection, rows),
                *_check_fences(connection),
                *self._check_leases(connection, rows),
                *self._check_events(connection, rows),
                *_check_keys(connection),
                *self._check_in_flight(connection, rows),
                *self._check_backlogs(connection),
            ]
            now = self._database.now(connection)
            return findings, len(rows), artifact_store.list_live(connection, now=now)

        findings, count, live = self._database.read(work)
        if is_reading_files:
            findings += self._check_files(live)
            findings += self._check_orphans()
        return AuditReport(jobs=count, files=len(live), findings=tuple(findings))

    def _check_ledger(self, connection: Connection, rows: list[AnyRow]) -> Iterator[Finding]:
        counts = self._ledger.count_txns(connection)
        for row in rows:
            reserves = counts.get((row.id, "reserve"), 0)
            settles = counts.get((row.id, "settle"), 0)
            expected = 1 if JobState(row.state).is_terminal else 0
            if reserves != 1 or settles != expected:
                yield Finding(
                    invariant="I1",
                    subject=row.id,
                    text=f"{row.state}: {reserves} reserve and {settles} settle transactions",
                )
        for job_id in {job_id for job_id, _ in counts} - {row.id for row in rows}:
            yield Finding(invariant="I1", subject=job_id, text="in the ledger, but no such job")
        for txn_id, asset, total in self._ledger.list_unbalanced(connection):
            yield Finding(
                invariant="I3", subject=f"txn {txn_id}", text=f"{asset} sums to {total}, not 0"
            )

    def _check_windows(self, connection: Connection, rows: list[AnyRow]) -> Iterator[Finding]:
        reserved: Counter[tuple[str, str, str]] = Counter()
        used: Counter[tuple[str, str, str]] = Counter()
        for row in rows:
            owners = [row.account_id, *([row.api_key_id] if row.is_key_limited else [])]
            for owner in owners:
                window = (owner, row.kind, row.window_date)
                if JobState(row.state).is_terminal:
                    used[window] += row.units_delivered or 0
                else:
                    reserved[window] += row.units
        windows = self._quotas.list_windows(connection)
        for window in windows.keys() | reserved.keys() | used.keys():
            quota = windows.get(window)
            stored = (0, 0) if quota is None else (quota.used, quota.reserved)
            if stored != (used[window], reserved[window]):
                yield Finding(
                    invariant="I2",
                    subject=":".join(window),
                    text=(
                        f"used, reserved are {stored}, the jobs say "
                        f"{(used[window], reserved[window])}"
                    ),
                )
        yield from self._compare_ledger(connection, rows, used=used, reserved=reserved)

    def _compare_ledger(
        self,
        connection: Connection,
        rows: list[AnyRow],
        *,
        used: Counter[tuple[str, str, str]],
        reserved: Counter[tuple[str, str, str]],
    ) -> Iterator[Finding]:
        balances = self._ledger.sum_accounts(connection)
        for window in {(row.account_id, row.kind, row.window_date) for row in rows}:
            position = Position(account_id=window[0], kind=window[1], window_date=window[2])
            found = tuple(
                balances.get(position.ledger_account(part), 0) for part in ("used", "held")
            )
            if found != (used[window], reserved[window]):
                yield Finding(
                    invariant="I2",
                    subject=":".join(window),
                    text=(
                        f"the ledger says used, held are {found}, the jobs say "
                        f"{(used[window], reserved[window])}"
                    ),
                )

    def _check_leases(self, connection: Connection, rows: list[AnyRow]) -> Iterator[Finding]:
        limit = self._database.now(connection) - self._sweep_grace
        for row in rows:
            is_silent = row.state == JobState.RUNNING.value and row.lease_expires_at < limit
            is_overdue = row.state == JobState.QUEUED.value and row.deadline_at < limit
            if is_silent or is_overdue:
                yield Finding(
                    invariant="I7", subject=row.id, text=f"{row.state}, and no sweep mended it"
                )

    def _check_events(self, connection: Connection, rows: list[AnyRow]) -> Iterator[Finding]:
        """Look for jobs that ended untold; events of long ago are forgotten."""
        now = self._database.now(connection)
        found = self._events.count_of_jobs(connection)
        known = {row.id: row.state for row in rows}
        for row in rows:
            is_told = row.has_event and row.finished_at > now - KEPT + EVENT_MARGIN
            if is_told and found.get((row.id, f"job.{row.state}")) != 1:
                text = f"{row.state}, and no event says so"
                yield Finding(invariant="I6", subject=row.id, text=text)
        for job_id, event_type in found:
            state = known.get(job_id, "gone")
            if event_type != f"job.{state}":
                text = f"{event_type} was told, the job is {state}"
                yield Finding(invariant="I6", subject=job_id, text=text)
        for delivery_id in self._events.list_lost(connection, before=now - self._sweep_grace):
            text = "its courier died, and no other took it back"
            yield Finding(invariant="I7", subject=delivery_id, text=text)

    def _check_in_flight(self, connection: Connection, rows: list[AnyRow]) -> Iterator[Finding]:
        open_jobs = Counter(row.account_id for row in rows if not JobState(row.state).is_terminal)
        for account_id, counted in self._accounts.list_in_flight(connection).items():
            if counted != open_jobs[account_id]:
                yield Finding(
                    invariant="I10",
                    subject=account_id,
                    text=f"in_flight is {counted}, {open_jobs[account_id]} jobs are open",
                )

    def _check_backlogs(self, connection: Connection) -> Iterator[Finding]:
        """Look at every account and queue with a backlog: who has room lets nobody wait."""
        now = self._database.now(connection)
        place = fair_store.next_backlog_place(connection, None)
        while place is not None:
            share = share_of(self._accounts.get_plan_of(connection, place.account_id))
            if Queueing.is_stuck(connection, place, share, now=now, grace=self._sweep_grace):
                yield Finding(
                    invariant="I12",
                    subject=f"{place.account_id}:{place.queue}:{place.rank}",
                    text="a job waits behind its account's others, though there is room",
                )
            place = fair_store.next_backlog_place(connection, place)

    def _check_files(self, live: list[Artifact]) -> Iterator[Finding]:
        for artifact in live:
            problem = self._file_problem(artifact)
            if problem is not None:
                yield Finding(invariant="I4", subject=artifact.public_name, text=problem)

    def _check_orphans(self) -> Iterator[Finding]:
        old = [
            found.key
            for found in self._objects.list_keys()
            if found.age_seconds > ORPHAN_LIMIT.total_seconds()
        ]
        for start in range(0, len(old), BATCH):
            keys = old[start : start + BATCH]
            known = self._database.read(partial(_find_owned, keys))
            for key in keys:
                if key not in known:
                    text = "a file that belongs to no job, and no sweep removed it"
                    yield Finding(invariant="I4", subject=key, text=text)

    def _file_problem(self, artifact: Artifact) -> str | None:
        digest = hashlib.sha256()
        try:
            for chunk in self._objects.read(artifact.storage_key):
                digest.update(chunk)
        except ServiceError as error:
            return f"cannot be read: {error.message('en')}"
        return None if digest.hexdigest() == artifact.sha256 else "differs from its hash"


def _find_owned(keys: list[str], connection: Connection) -> set[str]:
    owned = artifact_store.find_known_keys(connection, keys)
    return owned | job_reads.list_reference_keys(connection, keys)


def _check_artifacts(connection: Connection, rows: list[AnyRow]) -> Iterator[Finding]:
    found: dict[str, list[AnyRow]] = defaultdict(list)
    for artifact in connection.execute(select(artifacts)):
        found[artifact.job_id].append(artifact)
    for row in rows:
        own = found.get(row.id, [])
        is_succeeded = row.state == JobState.SUCCEEDED.value
        paid = sum(artifact.role == FileRole.OUTPUT for artifact in own)
        if is_succeeded != bool(own) or (is_succeeded and paid != row.units_delivered):
            text = f"{row.state} with {paid} files, {row.units_delivered} charged"
            yield Finding(invariant="I4", subject=row.id, text=text)
        if any(artifact.fence != row.committed_fence for artifact in own):
            text = f"has files of another attempt than {row.committed_fence}"
            yield Finding(invariant="I4", subject=row.id, text=text)


def _check_fences(connection: Connection) -> Iterator[Finding]:
    statement = (
        select(job_attempts.c.job_id, func.count())
        .where(job_attempts.c.outcome == JobState.SUCCEEDED.value)
        .group_by(job_attempts.c.job_id)
        .having(func.count() > 1)
    )
    for job_id, count in connection.execute(statement):
        yield Finding(invariant="I5", subject=job_id, text=f"{count} attempts succeeded")
    ahead = (
        select(job_attempts.c.job_id)
        .join(jobs, jobs.c.id == job_attempts.c.job_id)
        .where(job_attempts.c.fence > jobs.c.fence)
    )
    for job_id in connection.execute(ahead).scalars():
        yield Finding(invariant="I5", subject=job_id, text="an attempt is ahead of the job's fence")


def _check_keys(connection: Connection) -> Iterator[Finding]:
    statement = (
        select(idempotency.c.key, idempotency.c.job_id)
        .outerjoin(jobs, jobs.c.id == idempotency.c.job_id)
        .where(jobs.c.id.is_(None))
    )
    for key, job_id in connection.execute(statement):
        yield Finding(
            invariant="I9",
            subject=key,
            text=f"idempotency key of a job that is not there: {job_id}",
        )
