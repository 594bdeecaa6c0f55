"""The audit: silent on a healthy database, and it names the very invariant that was broken."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from gen_video.accounts.models import Caller
from gen_video.engines.errors import EngineFailedError, ModelUnavailableError
from gen_video.generation.models import Job
from gen_video.storage.local import LocalObjectStore
from tests.db.clocked import on_sqlite_only
from tests.generation.studio import LAKE, LEASE, SWEEP_GRACE, Studio, open_studio

INSERT_TXN = (
    "INSERT INTO ledger_txns (id, idem_key, job_id, kind, created_at)"
    " VALUES (999999, 'stray', :job, :kind, 0)"
)
INSERT_ATTEMPT = (
    "INSERT INTO job_attempts (job_id, fence, worker_id, started_at, outcome)"
    " VALUES (:job, 0, 'ghost', 0, 'succeeded')"
)
INSERT_FILE = (
    "INSERT INTO artifacts (id, job_id, fence, position, storage_key, public_name, state, mime,"
    " sha256, size_bytes, width, height, seed, created_at)"
    " VALUES ('art_stray', :job, 2, 0, 'stray', 'stray', 'expired', 'image/png', '', 0, 1, 1, 1, 0)"
)
OF_TXN = "(SELECT id FROM ledger_txns WHERE idem_key = :txn)"


@dataclass(frozen=True)
class World:
    """A database with a job in every condition."""

    studio: Studio
    finished: Job
    failed: Job
    queued: Job


@pytest.fixture
def world(studio: Studio) -> World:
    return build_world(studio)


@pytest.fixture
def world_on_disk(studio: Studio, tmp_path: Path) -> World:
    return build_world(open_studio(studio.database, LocalObjectStore(tmp_path / "outputs")))


def build_world(studio: Studio) -> World:
    caller = studio.new_caller("ada", plan_id="paid")
    finished = studio.finished_job(caller, replace(LAKE, n=2))
    _end_in_every_way(studio, caller)
    failed = studio.submit(caller, key="order-1")
    studio.execution.fail(studio.claim(), ModelUnavailableError("sketch", "no weights"))
    queued = studio.submit(caller)
    return World(studio, finished, failed, queued)


def _end_in_every_way(studio: Studio, caller: Caller) -> None:
    """Leave a deleted, an expired, a canceled, a retried and a running job behind."""
    studio.jobs.delete(caller, studio.finished_job(caller).id)
    studio.submit(caller, cancel_after=timedelta(seconds=1))
    studio.database.advance(timedelta(seconds=2))
    studio.sweeper.sweep()
    studio.jobs.cancel(caller, studio.submit(caller).id)
    limited = studio.new_caller("ada", images_per_day=5)
    studio.submit(limited, replace(LAKE, n=3))
    studio.execution.fail(studio.claim(), EngineFailedError("no luck"))
    studio.database.advance(timedelta(seconds=2))
    studio.claim("slow")


def found(world: World) -> list[tuple[str, str, str]]:
    report = world.studio.auditor.audit()
    return [(finding.invariant, finding.subject, finding.text) for finding in report.findings]


def test_a_healthy_database_has_no_findings(world: World) -> None:
    report = world.studio.auditor.audit()

    assert report.findings == ()
    assert (report.jobs, report.files) == (7, 2)


@dataclass(frozen=True)
class Damage:
    """A change behind the services' back, and the one finding that it must cause."""

    statement: str
    invariant: str
    text: str
    job: str = "finished"
    values: tuple[tuple[str, object], ...] = ()


DAMAGES = {
    "a reserve is missing": Damage(
        "UPDATE ledger_txns SET job_id = NULL WHERE job_id = :job AND kind = 'reserve'",
        "I1",
        "queued: 0 reserve and 0 settle",
        job="queued",
    ),
    "a settle is missing": Damage(
        "UPDATE ledger_txns SET job_id = NULL WHERE job_id = :job AND kind = 'settle'",
        "I1",
        "succeeded: 1 reserve and 0 settle",
    ),
    "a job was promised twice": Damage(
        INSERT_TXN,
        "I1",
        "2 reserve and 1 settle",
        values=(("kind", "reserve"),),
    ),
    "a job was settled twice": Damage(
        INSERT_TXN,
        "I1",
        "failed: 1 reserve and 2 settle",
        job="failed",
        values=(("kind", "settle"),),
    ),
    "an open job was settled": Damage(
        INSERT_TXN,
        "I1",
        "queued: 1 reserve and 1 settle",
        job="queued",
        values=(("kind", "settle"),),
    ),
    "used is too high": Damage(
        "UPDATE quota_windows SET used = used + 1 WHERE owner_id = :account",
        "I2",
        "used, reserved are (4, 4), the jobs say (3, 4)",
    ),
    "reserved is too low": Damage(
        "UPDATE quota_windows SET reserved = reserved - 1 WHERE owner_id = :account",
        "I2",
        "used, reserved are (3, 3), the jobs say (3, 4)",
    ),
    "a window is gone": Damage(
        "DELETE FROM quota_windows WHERE owner_id = :account",
        "I2",
        "used, reserved are (0, 0), the jobs say (3, 4)",
    ),
    "a window of nobody": Damage(
        "INSERT INTO quota_windows (owner_id, kind, window_date, limit_units, used)"
        " VALUES ('acc_ghost', 'image', '2026-03-10', 10, 1)",
        "I2",
        "used, reserved are (1, 0), the jobs say (0, 0)",
    ),
    "the ledger promised more": Damage(
        f"UPDATE ledger_entries SET amount = amount * 2 WHERE txn_id = {OF_TXN}",  # noqa: S608 - our own text
        "I2",
        "the ledger says used, held are (3, 5), the jobs say (3, 4)",
        job="queued",
        values=(("txn", "reserve"),),
    ),
    "a transaction does not sum to zero": Damage(
        f"UPDATE ledger_entries SET amount = amount - 1 WHERE txn_id = {OF_TXN}"  # noqa: S608 - our own text
        " AND ledger_account LIKE '%available'",
        "I3",
        "image sums to -1, not 0",
        job="queued",
        values=(("txn", "reserve"),),
    ),
    "a file has no row": Damage(
        "DELETE FROM artifacts WHERE job_id = :job AND position = 1",
        "I4",
        "succeeded with 1 files, 2 charged",
    ),
    "no file has a row": Damage(
        "DELETE FROM artifacts WHERE job_id = :job", "I4", "succeeded with 0 files, 2 charged"
    ),
    "a failed job has a file": Damage(
        INSERT_FILE, "I4", "failed with 1 files, 0 charged", job="failed"
    ),
    "a file is of another attempt": Damage(
        "UPDATE artifacts SET fence = 7 WHERE job_id = :job AND position = 1",
        "I4",
        "has files of another attempt than 1",
    ),
    "a hash is wrong": Damage(
        "UPDATE artifacts SET sha256 = 'beef' WHERE job_id = :job AND position = 1",
        "I4",
        "differs from its hash",
    ),
    "two attempts succeeded": Damage(INSERT_ATTEMPT, "I5", "2 attempts succeeded"),
    "an attempt is ahead of its job": Damage(
        "UPDATE job_attempts SET fence = 9 WHERE job_id = :job",
        "I5",
        "an attempt is ahead of the job's fence",
        job="failed",
    ),
    "a lease ran out long ago": Damage(
        "UPDATE jobs SET lease_expires_at = 0 WHERE state = 'running'",
        "I7",
        "running, and no sweep mended it",
    ),
    "a deadline passed long ago": Damage(
        "UPDATE jobs SET deadline_at = 0 WHERE id = :job",
        "I7",
        "queued, and no sweep mended it",
        job="queued",
    ),
    "a key of a job that is not there": Damage(
        "UPDATE idempotency SET job_id = 'job_gone' WHERE job_id = :job",
        "I9",
        "idempotency key of a job that is not there: job_gone",
        job="failed",
    ),
    "nobody was let compete": Damage(
        "UPDATE jobs SET start_tag = NULL, created_at = 0 WHERE id = :job",
        "I12",
        "a job waits behind its account's others, though there is room",
        job="queued",
    ),
    "a slot was not freed": Damage(
        "UPDATE accounts SET in_flight = in_flight + 1 WHERE id = :account",
        "I10",
        "in_flight is 3, 2 jobs are open",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damage_is_found_and_named(world: World, damage: Damage) -> None:
    job: Job = getattr(world, damage.job)
    values = dict(damage.values)
    if "txn" in values:
        values["txn"] = f"{values['txn']}:{job.id}"
    known = {"job": job.id, "account": job.account_id}
    values |= {name: value for name, value in known.items() if f":{name}" in damage.statement}

    world.studio.execute(damage.statement, **values)

    findings = found(world)
    assert {finding[0] for finding in findings} == {damage.invariant}
    assert damage.text in findings[0][2]


def remove(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[3] ^= 1
    path.write_bytes(data)


@on_sqlite_only
@pytest.mark.parametrize(
    ("harm", "text"),
    [
        (remove, "cannot be read"),
        (cut, "differs from its hash"),
        (flip, "differs from its hash"),
    ],
)
def test_a_file_that_is_not_what_was_delivered_is_found(
    world_on_disk: World, tmp_path: Path, harm: Callable[[Path], None], text: str
) -> None:
    output = world_on_disk.finished.outputs[1]
    harm(tmp_path / "outputs" / output.storage_key)

    findings = found(world_on_disk)

    assert [finding[:2] for finding in findings] == [("I4", output.public_name)]
    assert text in findings[0][2]
    assert world_on_disk.studio.auditor.audit(is_reading_files=False).findings == ()


@pytest.mark.parametrize("is_late", [True, False])
def test_two_sweeps_may_pass_before_a_lease_that_ran_out_is_a_finding(
    world: World, *, is_late: bool
) -> None:
    expires_at = world.studio.database.moment + LEASE

    world.studio.database.moment = expires_at + SWEEP_GRACE
    world.studio.database.advance(timedelta(seconds=int(is_late)))

    assert world.studio.findings() == (["I7"] if is_late else [])


@pytest.mark.parametrize("is_late", [True, False])
def test_two_sweeps_may_pass_before_a_job_that_waits_in_vain_is_a_finding(
    world: World, *, is_late: bool
) -> None:
    job = world.queued
    world.studio.execute("UPDATE jobs SET start_tag = NULL WHERE id = :job", job=job.id)

    world.studio.database.moment = job.created_at + SWEEP_GRACE
    world.studio.database.advance(timedelta(microseconds=-int(not is_late)))

    assert world.studio.findings() == (["I12"] if is_late else [])


@pytest.mark.parametrize(
    ("max_running", "finding"),
    [(0, ["I12"]), (3, ["I12"]), (2, []), (1, [])],
    ids=["no cap", "room for one more", "no room", "lowered since"],
)
def test_who_waits_behind_a_full_account_waits_rightly(
    world: World, max_running: int, finding: list[str]
) -> None:
    studio = world.studio
    caller = studio.new_caller("ada")
    job = studio.submit(caller)
    studio.database.advance(SWEEP_GRACE)
    studio.execute("UPDATE jobs SET start_tag = NULL WHERE id = :job", job=job.id)

    studio.accounts.save_plan(replace(caller.plan, max_running=max_running))

    assert studio.findings() == finding


def test_a_job_of_the_release_before_waits_for_a_place_rightly(world: World) -> None:
    world.studio.execute(
        "UPDATE jobs SET start_tag = NULL, queue = '', created_at = 0 WHERE id = :job",
        job=world.queued.id,
    )

    assert world.studio.findings() == []


def test_every_account_with_a_backlog_is_looked_at(world: World) -> None:
    studio = world.studio
    for name in ("bob", "cleo", "dan"):
        studio.submit(studio.new_caller(name))
    studio.execute("UPDATE jobs SET start_tag = NULL, created_at = 0 WHERE state = 'queued'")

    subjects = {subject.split(":")[0] for _, subject, _ in found(world)}

    accounts = {row.id for row in studio.accounts.list_accounts() if row.in_flight}
    assert len(subjects) == 4
    assert subjects == accounts
