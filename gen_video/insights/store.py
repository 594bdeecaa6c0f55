"""SQL of the insights slice: reads jobs, changes nothing.

Every question is about a span of time and answered through an index: `ix_jobs_finished` for the
whole service, `ix_jobs_account` for one account.
"""

import math
from collections import Counter
from datetime import date, datetime

from sqlalchemy import BigInteger, Connection, Select, case, distinct, func, select, type_coerce

from gen_video.generation.states import JobKind, JobState
from gen_video.generation.tables import jobs
from gen_video.insights.models import ModelFigures, SpanFigures, UsageRow

MICROSECONDS = 1_000_000
P95 = 0.95
FAILURES = (JobState.FAILED.value, JobState.EXPIRED.value)

_SUCCEEDED = jobs.c.state == JobState.SUCCEEDED.value
_TOOK_US = type_coerce(jobs.c.finished_at, BigInteger) - type_coerce(jobs.c.started_at, BigInteger)


def read_span(connection: Connection, *, start: datetime, end: datetime) -> SpanFigures:
    """Return the figures of what ended between two moments."""
    ended = (jobs.c.finished_at >= start) & (jobs.c.finished_at < end)
    states: Counter[str] = Counter()
    units: Counter[str] = Counter()
    took_us = 0
    rows = connection.execute(
        select(
            jobs.c.state,
            jobs.c.kind,
            func.count().label("number"),
            func.coalesce(func.sum(jobs.c.units_delivered), 0).label("units"),
            func.coalesce(func.sum(_TOOK_US), 0).label("took_us"),
        )
        .where(ended)
        .group_by(jobs.c.state, jobs.c.kind)
    )
    for row in rows:
        states[row.state] += row.number
        if row.state == JobState.SUCCEEDED.value:
            units[row.kind] += int(row.units)
            took_us += int(row.took_us)
    succeeded = states[JobState.SUCCEEDED.value]
    return SpanFigures(
        succeeded=succeeded,
        failed=sum(states[state] for state in FAILURES),
        canceled=states[JobState.CANCELED.value],
        images=units[JobKind.IMAGE.value],
        videos=units[JobKind.VIDEO.value],
        mean_seconds=took_us / succeeded / MICROSECONDS if succeeded else None,
        p95_seconds=_p95_seconds(connection, start=start, end=end, count=succeeded),
        active_accounts=connection.execute(
            select(func.count(distinct(jobs.c.account_id))).where(ended)
        ).scalar_one(),
    )


def list_models(connection: Connection, *, start: datetime, end: datetime) -> list[ModelFigures]:
    """Return what each model did between two moments, the busiest first."""
    is_success = case((_SUCCEEDED, 1), else_=0)
    is_failure = case((jobs.c.state.in_(FAILURES), 1), else_=0)
    succeeded = func.sum(is_success)
    statement = (
        select(
            jobs.c.model,
            jobs.c.kind,
            succeeded.label("succeeded"),
            func.sum(is_failure).label("failed"),
            func.sum(case((_SUCCEEDED, _TOOK_US), else_=0)).label("took_us"),
        )
        .where(jobs.c.finished_at >= start, jobs.c.finished_at < end)
        .group_by(jobs.c.model, jobs.c.kind)
        .order_by(succeeded.desc(), jobs.c.model)
    )
    return [
        ModelFigures(
            model=row.model,
            kind=row.kind,
            succeeded=int(row.succeeded),
            failed=int(row.failed),
            mean_seconds=int(row.took_us) / int(row.succeeded) / MICROSECONDS
            if row.succeeded
            else None,
        )
        for row in connection.execute(statement)
    ]


def list_usage(connection: Connection, *, account_id: str, since: datetime) -> list[UsageRow]:
    """Return what an account has asked for since a moment, by day, model and key."""
    groups = (jobs.c.window_date, jobs.c.kind, jobs.c.model, jobs.c.api_key_id)
    statement: Select[tuple[object, ...]] = (
        select(
            *groups,
            func.count().label("number"),
            func.sum(case((_SUCCEEDED, 1), else_=0)).label("succeeded"),
            func.coalesce(func.sum(jobs.c.units_delivered), 0).label("units"),
        )
        .where(jobs.c.account_id == account_id, jobs.c.created_at >= since)
        .group_by(*groups)
        .order_by(*groups)
    )
    return [
        UsageRow(
            day=date.fromisoformat(row.window_date),
            kind=row.kind,
            model=row.model,
            key_id=row.api_key_id,
            jobs=row.number,
            succeeded=int(row.succeeded),
            units=int(row.units),
        )
        for row in connection.execute(statement)
    ]


def _p95_seconds(
    connection: Connection, *, start: datetime, end: datetime, count: int
) -> float | None:
    if not count:
        return None
    took_us = connection.execute(
        select(_TOOK_US.label("took_us"))
        .where(jobs.c.finished_at >= start, jobs.c.finished_at < end, _SUCCEEDED)
        .order_by("took_us")
        .limit(1)
        .offset(math.ceil(P95 * count) - 1)
    ).scalar_one()
    return int(took_us) / MICROSECONDS
