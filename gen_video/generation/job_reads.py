"""SQL that reads jobs. Every function takes the connection first and changes nothing."""

import json
import operator
from collections.abc import Sequence
from dataclasses import MISSING, asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, or_, select

from gen_video.generation.models import (
    ImageInput,
    Job,
    JobError,
    JobInput,
    JobProgress,
    JobSnapshot,
    SceneInput,
    VideoInput,
)
from gen_video.generation.prompt_search import prompt_has
from gen_video.generation.states import TERMINAL, JobKind, JobState
from gen_video.generation.tables import IS_QUEUED, IS_RUNNING, jobs

AnyRow = Row[*tuple[Any, ...]]


def count_queued(connection: Connection, *, limit: int) -> int:
    """Return how many jobs are queued, counting no further than `limit`."""
    queued = select(jobs.c.id).where(IS_QUEUED).limit(limit).subquery()
    return connection.execute(select(func.count()).select_from(queued)).scalar_one()


def find_recent_twin(
    connection: Connection,
    *,
    account_id: str,
    fingerprint: str,
    since: datetime,
    earliest: datetime,
) -> str | None:
    """Return the newest job of this account with the same request that may still be waited for.

    It has not ended, or not before `since`: a client that waited long for an answer repeats its
    request long after. Nothing older than `earliest` is looked at.
    """
    found: str | None = connection.execute(
        select(jobs.c.id)
        .where(
            jobs.c.account_id == account_id,
            jobs.c.fingerprint == fingerprint,
            jobs.c.created_at >= earliest,
            or_(jobs.c.finished_at.is_(None), jobs.c.finished_at >= since),
        )
        .order_by(jobs.c.created_at.desc())
        .limit(1)
    ).scalar_one_or_none()
    return found


def read_lease(connection: Connection, *, job_id: str, fence: int) -> AnyRow | None:
    """Return the cancel request and the deadline of a held job; None when the lease is lost."""
    return connection.execute(
        select(jobs.c.cancel_requested_at, jobs.c.deadline_at).where(held(job_id, fence))
    ).one_or_none()


def find_row(
    connection: Connection, job_id: str, *, account_id: str | None = None
) -> AnyRow | None:
    """Return a job's row; with an account, only if it is that account's."""
    statement = select(jobs).where(jobs.c.id == job_id)
    if account_id is not None:
        statement = statement.where(jobs.c.account_id == account_id)
    return connection.execute(statement).one_or_none()


def list_rows(
    connection: Connection,
    *,
    account_id: str,
    limit: int,
    after: tuple[datetime, str] | None = None,
    state: JobState | None = None,
    kind: JobKind | None = None,
    model: str | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
    oldest_first: bool = False,
    search: str = "",
) -> list[AnyRow]:
    """Return an account's jobs in the order of their times, from behind (created_at, id).

    `search` are words that their prompts have, all of them.
    """
    conditions: list[ColumnElement[bool]] = [
        jobs.c.account_id == account_id,
        jobs.c.deleted_at.is_(None),
    ]
    if state is not None:
        conditions.append(jobs.c.state == state.value)
    if kind is not None:
        conditions.append(jobs.c.kind == kind.value)
    if model is not None:
        conditions.append(jobs.c.model == model)
    if created_after is not None:
        conditions.append(jobs.c.created_at >= created_after)
    if created_before is not None:
        conditions.append(jobs.c.created_at < created_before)
    if search.strip():
        conditions.append(prompt_has(connection, search))
    if after is not None:
        moment, job_id = after
        is_behind = operator.gt if oldest_first else operator.lt
        conditions.append(
            or_(
                is_behind(jobs.c.created_at, moment),
                and_(jobs.c.created_at == moment, is_behind(jobs.c.id, job_id)),
            )
        )
    order = [jobs.c.created_at, jobs.c.id]
    statement = (
        select(jobs)
        .where(*conditions)
        .order_by(*(order if oldest_first else [column.desc() for column in order]))
        .limit(limit)
    )
    return list(connection.execute(statement))


def read_snapshots(connection: Connection, job_ids: Sequence[str]) -> dict[str, JobSnapshot]:
    """Return what waiting clients watch, by job id."""
    statement = select(
        jobs.c.id,
        jobs.c.state,
        jobs.c.progress_stage,
        jobs.c.progress_step,
        jobs.c.progress_steps,
        jobs.c.fence,
        jobs.c.previews,
    ).where(jobs.c.id.in_(job_ids))
    return {
        row.id: JobSnapshot(
            state=JobState(row.state),
            stage=row.progress_stage or "queued",
            step=row.progress_step or 0,
            steps=row.progress_steps or 0,
            fence=row.fence,
            previews=row.previews,
        )
        for row in connection.execute(statement)
    }


def list_lost(connection: Connection, *, now: datetime, limit: int) -> list[AnyRow]:
    """Return running jobs whose lease has run out."""
    statement = (
        select(jobs)
        .where(IS_RUNNING, jobs.c.lease_expires_at < now)
        .order_by(jobs.c.lease_expires_at)
        .limit(limit)
    )
    return list(connection.execute(statement))


def list_overdue(connection: Connection, *, now: datetime, limit: int) -> list[AnyRow]:
    """Return queued jobs whose deadline has passed."""
    statement = select(jobs).where(IS_QUEUED, jobs.c.deadline_at < now).limit(limit)
    return list(connection.execute(statement))


def list_finished_references(connection: Connection, *, limit: int) -> list[tuple[str, str]]:
    """Return (job, storage key) of reference images that nobody needs any more."""
    statement = (
        select(jobs.c.id, jobs.c.reference_key)
        .where(jobs.c.finished_at.is_not(None), jobs.c.reference_key.is_not(None))
        .limit(limit)
    )
    return [(row.id, row.reference_key) for row in connection.execute(statement)]


def list_reference_keys(connection: Connection, storage_keys: Sequence[str]) -> set[str]:
    """Return those of some storage keys that are reference images of jobs."""
    statement = select(jobs.c.reference_key).where(jobs.c.reference_key.in_(storage_keys))
    return set(connection.execute(statement).scalars())


def held(job_id: str, fence: int) -> ColumnElement[bool]:
    """Return the condition that an attempt still holds its job."""
    return and_(jobs.c.id == job_id, jobs.c.fence == fence, jobs.c.state == JobState.RUNNING.value)


def parse_input(text: str, kind: JobKind) -> JobInput:
    """Read a stored input back."""
    values = json.loads(text)
    if kind is JobKind.VIDEO:
        scenes = tuple(SceneInput(**scene) for scene in values.pop("scenes"))
        return VideoInput(**values, scenes=scenes)
    for name in ("loras", "reference_bytes"):
        values[name] = tuple(values.get(name, ()))
    return ImageInput(**values)


def write_input(resolved: JobInput) -> str:
    """Write an input to be stored.

    What is as it is when left out is left out: the release before reads what it knows.
    """
    kept = {
        field.name: getattr(resolved, field.name)
        for field in fields(resolved)
        if field.default is MISSING or getattr(resolved, field.name) != field.default
    }
    if isinstance(resolved, VideoInput):
        kept["scenes"] = [asdict(scene) for scene in resolved.scenes]
    return json.dumps(kept, ensure_ascii=False)


def parse_job(row: AnyRow) -> Job:
    """Turn a row into what its owner sees; outputs are added by the service."""
    state = JobState(row.state)
    error = None
    if row.error_code is not None and state.is_terminal:
        error = JobError(code=row.error_code, en=row.error_en or "", zh=row.error_zh or "")
    steps = row.progress_steps or 0
    is_done = state is JobState.SUCCEEDED
    return Job(
        id=row.id,
        account_id=row.account_id,
        api_key_id=row.api_key_id,
        kind=JobKind(row.kind),
        model=row.model,
        state=state,
        input=parse_input(row.input_json, JobKind(row.kind)),
        metadata=json.loads(row.metadata_json) if row.metadata_json else {},
        units=row.units,
        units_delivered=row.units_delivered,
        price_micros=row.price_micros,
        quota_remaining=json.loads(row.quota_json),
        attempt=row.attempt,
        progress=JobProgress(
            stage=state.value if state in TERMINAL else row.progress_stage or "queued",
            step=steps if is_done else row.progress_step or 0,
            steps=steps,
        ),
        error=error,
        cancel_requested_at=row.cancel_requested_at,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        deadline_at=row.deadline_at,
        expires_at=row.expires_at,
        deleted_at=row.deleted_at,
    )
