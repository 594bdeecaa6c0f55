"""SQL of idempotency keys and of the workers' sign of life. Never commits."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from gen_video.generation.tables import chores, idempotency, workers


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """An idempotency key that is in use."""

    job_id: str
    fingerprint: str


def claim_key(
    connection: Connection,
    *,
    account_id: str,
    scope: str,
    key: str,
    fingerprint: str,
    job_id: str,
    now: datetime,
    expires_at: datetime,
) -> StoredKey | None:
    """Claim an idempotency key for a new job; return its owner if it is taken already.

    A twin that commits at the same moment makes PostgreSQL wait here; SQLite has one writer.
    """
    owner = (
        idempotency.c.account_id == account_id,
        idempotency.c.scope == scope,
        idempotency.c.key == key,
    )
    connection.execute(delete(idempotency).where(*owner, idempotency.c.expires_at <= now))
    dialect_insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    inserted = connection.execute(
        dialect_insert(idempotency)
        .values(
            account_id=account_id,
            scope=scope,
            key=key,
            fingerprint=fingerprint,
            job_id=job_id,
            created_at=now,
            expires_at=expires_at,
        )
        .on_conflict_do_nothing(index_elements=["account_id", "scope", "key"])
        .returning(idempotency.c.job_id)  # the row count of an INSERT is not to be had everywhere
    )
    if inserted.first() is not None:
        return None
    row = connection.execute(select(idempotency).where(*owner)).one()
    return StoredKey(job_id=row.job_id, fingerprint=row.fingerprint)


def find_key(
    connection: Connection, *, account_id: str, scope: str, key: str, now: datetime
) -> StoredKey | None:
    """Return the owner of an idempotency key, None while nobody has it."""
    row = connection.execute(
        select(idempotency).where(
            idempotency.c.account_id == account_id,
            idempotency.c.scope == scope,
            idempotency.c.key == key,
            idempotency.c.expires_at > now,
        )
    ).one_or_none()
    return None if row is None else StoredKey(job_id=row.job_id, fingerprint=row.fingerprint)


def has_purgeable(connection: Connection, *, now: datetime, silent_for: timedelta) -> bool:
    """Tell whether an idempotency key or a silent worker can be forgotten."""
    old_key = select(idempotency.c.key).where(idempotency.c.expires_at <= now).limit(1)
    silent = select(workers.c.id).where(workers.c.seen_at < now - silent_for).limit(1)
    return any(connection.execute(statement).first() for statement in (old_key, silent))


def purge_keys(connection: Connection, *, now: datetime) -> int:
    """Forget idempotency keys whose time is over; return how many."""
    return connection.execute(delete(idempotency).where(idempotency.c.expires_at <= now)).rowcount


WORKING = "running"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """A worker's sign of life.

    Attributes:
        queues: Where it takes jobs from; empty for a worker of the release before: everywhere.
        slots: Jobs of each kind that it runs at once.
    """

    id: str
    host: str
    pid: int
    models: tuple[str, ...]
    resident: tuple[str, ...]
    state: str
    seen_at: datetime
    queues: tuple[str, ...] = ()
    slots: int = 1
    started_at: datetime | None = None

    @property
    def is_working(self) -> bool:
        """Tell whether it takes jobs, and is not draining or drained by an operator's order."""
        return self.state == WORKING

    def serves(self, queue: str) -> bool:
        """Tell whether it takes jobs of a queue."""
        return not self.queues or queue in self.queues


def see_worker(connection: Connection, worker: WorkerRow) -> None:
    """Write down that a worker is alive and what it has in memory."""
    dialect_insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    changing = {
        "models_json": json.dumps(worker.models),
        "resident_json": json.dumps(worker.resident),
        "queues_json": json.dumps(worker.queues),
        "slots": worker.slots,
        "state": worker.state,
        "seen_at": worker.seen_at,
    }
    connection.execute(
        dialect_insert(workers)
        .values(
            id=worker.id,
            host=worker.host,
            pid=worker.pid,
            started_at=worker.seen_at,
            **changing,
        )
        .on_conflict_do_update(index_elements=["id"], set_=changing)
    )


def forget_worker(connection: Connection, worker_id: str) -> None:
    """Remove a worker that has ended."""
    connection.execute(delete(workers).where(workers.c.id == worker_id))


def forget_silent_workers(connection: Connection, *, before: datetime) -> None:
    """Remove workers that gave no sign of life since a moment."""
    connection.execute(delete(workers).where(workers.c.seen_at < before))


def list_workers(connection: Connection, *, since: datetime) -> list[WorkerRow]:
    """Return the workers that were alive since a moment."""
    rows = connection.execute(select(workers).where(workers.c.seen_at >= since))
    return [
        WorkerRow(
            id=row.id,
            host=row.host,
            pid=row.pid,
            models=tuple(json.loads(row.models_json)),
            resident=tuple(json.loads(row.resident_json)),
            state=row.state,
            seen_at=row.seen_at,
            queues=tuple(json.loads(row.queues_json)),
            slots=row.slots,
            started_at=row.started_at,
        )
        for row in rows
    ]


def take_chore(connection: Connection, name: str, *, now: datetime, due_at: datetime) -> bool:
    """Take a chore that is due, and say when it is due again; False when it is not.

    Of any number of workers that ask at once one is told yes.
    """
    dialect_insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = dialect_insert(chores).values(name=name, due_at=due_at)
    taken = connection.execute(
        statement.on_conflict_do_update(
            index_elements=["name"], set_={"due_at": due_at}, where=chores.c.due_at <= now
        ).returning(chores.c.name)
    )
    return taken.first() is not None


def is_chore_due(connection: Connection, name: str, *, now: datetime) -> bool:
    """Tell, without writing, whether a chore is due."""
    found: datetime | None = connection.execute(
        select(chores.c.due_at).where(chores.c.name == name)
    ).scalar_one_or_none()
    return found is None or found <= now
