"""SQL of previews. Every function takes the connection first and never commits."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, Select, delete, insert, select, update

from gen_video.generation.models import NewPreview, Preview
from gen_video.generation.tables import job_previews, jobs


def add(
    connection: Connection, *, job_id: str, previews: Sequence[NewPreview], now: datetime
) -> None:
    """Number some previews of a job and keep them.

    The caller has locked the job's row and holds its lease. Numbers go on over attempts.
    """
    if not previews:
        return
    statement = (
        update(jobs)
        .where(jobs.c.id == job_id)
        .values(previews=jobs.c.previews + len(previews))
        .returning(jobs.c.previews)
    )
    last = connection.execute(statement).scalar_one()
    rows = [
        asdict(preview) | {"job_id": job_id, "number": number, "created_at": now}
        for number, preview in enumerate(previews, start=last - len(previews) + 1)
    ]
    connection.execute(insert(job_previews), rows)


def list_of(connection: Connection, job_id: str, *, after: int) -> tuple[Preview, ...]:
    """Return a job's previews whose numbers are larger than `after`, in order."""
    statement = (
        select(job_previews)
        .where(job_previews.c.job_id == job_id, job_previews.c.number > after)
        .order_by(job_previews.c.number)
    )
    return tuple(
        Preview(
            number=row.number,
            step=row.step,
            steps=row.steps,
            mime=row.mime,
            width=row.width,
            height=row.height,
            data=row.data,
        )
        for row in connection.execute(statement)
    )


def forget_of(connection: Connection, job_id: str) -> None:
    """Delete a job's previews."""
    connection.execute(delete(job_previews).where(job_previews.c.job_id == job_id))


def list_outdated(connection: Connection, *, before: datetime, limit: int) -> list[str]:
    """Return jobs that have previews and ended before a moment."""
    return list(connection.execute(_outdated(before).limit(limit)).scalars())


def forget_outdated(connection: Connection, job_ids: Sequence[str], *, before: datetime) -> None:
    """Delete the previews of those among some jobs that ended before a moment."""
    outdated = _outdated(before).where(jobs.c.id.in_(job_ids))
    connection.execute(delete(job_previews).where(job_previews.c.job_id.in_(outdated)))


def _outdated(before: datetime) -> Select[str]:
    # What is older than the end of its job is found by the index on its own age.
    return (
        select(jobs.c.id)
        .join(job_previews, job_previews.c.job_id == jobs.c.id)
        .where(job_previews.c.created_at < before, jobs.c.finished_at < before)
        .distinct()
    )
