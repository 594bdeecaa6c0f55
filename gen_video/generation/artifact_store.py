"""SQL of artifacts. Every function takes the connection first and never commits."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, or_, select, update

from gen_video.generation.models import Artifact, Delivery
from gen_video.generation.tables import IS_LIVE, artifacts, jobs
from gen_video.ids import new_id

AnyRow = Row[*tuple[Any, ...]]


def insert_live(
    connection: Connection,
    *,
    job_id: str,
    fence: int,
    deliveries: Sequence[Delivery],
    public_names: Sequence[str],
    now: datetime,
    expires_at: datetime | None,
) -> None:
    """Make the files of the winning attempt visible."""
    connection.execute(
        insert(artifacts),
        [
            {
                "id": new_id("art"),
                "job_id": job_id,
                "fence": fence,
                "position": delivery.position,
                "storage_key": delivery.storage_key,
                "public_name": public_name,
                "state": "live",
                "mime": delivery.mime,
                "sha256": delivery.sha256,
                "size_bytes": delivery.size_bytes,
                "width": delivery.width,
                "height": delivery.height,
                "seed": delivery.seed,
                "created_at": now,
                "expires_at": expires_at,
                "role": delivery.role.value,
                "num_frames": delivery.num_frames,
                "fps": delivery.fps,
            }
            for delivery, public_name in zip(deliveries, public_names, strict=True)
        ],
    )


def list_of_jobs(connection: Connection, job_ids: Sequence[str]) -> dict[str, list[Artifact]]:
    """Return the artifacts of some jobs in their order, by job."""
    found: dict[str, list[Artifact]] = {job_id: [] for job_id in job_ids}
    statement = (
        select(artifacts)
        .where(artifacts.c.job_id.in_(job_ids))
        .order_by(artifacts.c.job_id, artifacts.c.position)
    )
    for row in connection.execute(statement):
        found[row.job_id].append(_artifact(row))
    return found


def find_by_public_name(connection: Connection, public_name: str) -> Artifact | None:
    """Return the artifact behind a public name."""
    row = connection.execute(
        select(artifacts).where(artifacts.c.public_name == public_name)
    ).one_or_none()
    return None if row is None else _artifact(row)


def list_expired(connection: Connection, *, now: datetime, limit: int) -> list[Artifact]:
    """Return live artifacts whose retention time is over."""
    statement = (
        select(artifacts)
        .where(IS_LIVE, artifacts.c.expires_at < now)
        .order_by(artifacts.c.expires_at)
        .limit(limit)
    )
    return [_artifact(row) for row in connection.execute(statement)]


def list_created_since(connection: Connection, *, since: datetime) -> list[Artifact]:
    """Return live artifacts made since a moment, to complete their publishing."""
    statement = select(artifacts).where(
        artifacts.c.state == "live", artifacts.c.created_at >= since
    )
    return [_artifact(row) for row in connection.execute(statement)]


def list_deleted_since(connection: Connection, *, since: datetime) -> list[Artifact]:
    """Return artifacts that their owners deleted since a moment."""
    statement = (
        select(artifacts)
        .join(jobs, jobs.c.id == artifacts.c.job_id)
        .where(artifacts.c.state == "deleted", jobs.c.deleted_at >= since)
    )
    return [_artifact(row) for row in connection.execute(statement)]


def list_live(connection: Connection, *, now: datetime) -> list[Artifact]:
    """Return every live artifact whose retention time is not over, for the audit."""
    is_kept = or_(artifacts.c.expires_at.is_(None), artifacts.c.expires_at > now)
    statement = select(artifacts).where(artifacts.c.state == "live", is_kept)
    return [_artifact(row) for row in connection.execute(statement)]


def end(connection: Connection, *, artifact_ids: Sequence[str], state: str) -> None:
    """Mark artifacts as expired or deleted."""
    connection.execute(
        update(artifacts)
        .where(artifacts.c.id.in_(artifact_ids), artifacts.c.state == "live")
        .values(state=state)
    )


def find_known_keys(connection: Connection, storage_keys: Sequence[str]) -> set[str]:
    """Return those of some storage keys that live artifacts own."""
    statement = select(artifacts.c.storage_key).where(
        artifacts.c.storage_key.in_(storage_keys), artifacts.c.state == "live"
    )
    return set(connection.execute(statement).scalars())


def _artifact(row: AnyRow) -> Artifact:
    mapping = row._asdict()
    return Artifact(**{name: mapping[name] for name in Artifact.__dataclass_fields__})
