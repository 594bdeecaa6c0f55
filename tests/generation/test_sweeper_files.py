"""The sweeper and files: what expired goes, what is missing is published, orphans go when old."""

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from gen_video.accounts.models import Caller
from gen_video.generation.errors import FileGoneError
from gen_video.generation.models import ClaimedJob
from gen_video.generation.sweeper import ORPHAN_AGE, ORPHAN_SWEEP_SECONDS, PUBLISH_WITHIN
from gen_video.storage.local import LocalObjectStore
from gen_video.storage.memory import MemoryObjectStore
from gen_video.storage.objects import StorageUnavailableError, object_key
from tests.db.clocked import on_sqlite_only
from tests.generation.studio import LEASE, NOTHING_MENDED, RETENTION, Studio, open_studio

SECOND = timedelta(seconds=1)


@pytest.fixture
def local(studio: Studio, tmp_path: Path) -> Studio:
    """Return a studio whose files lie in a folder."""
    return open_studio(studio.database, LocalObjectStore(tmp_path / "outputs"))


def make_old(folder: Path, key: str, *, age: timedelta = ORPHAN_AGE) -> None:
    """Let a stored file look a little older than this."""
    path = folder / "outputs" / key
    then = time.time() - age.total_seconds() - 5
    os.utime(path, (then, then))


def lost_file(studio: Studio, caller: Caller) -> str:
    """Leave the file of an attempt whose worker vanished; return its key."""
    studio.submit(caller)
    key = studio.deliver(studio.claim("lost")).storage_key
    studio.database.advance(LEASE + SECOND)
    studio.sweeper.sweep()
    return key


def finish_unpublished(studio: Studio, caller: Caller) -> tuple[ClaimedJob, str]:
    """Finish a job whose worker dies right after its commit; return it and its file's name."""
    studio.submit(caller)
    claimed = studio.claim()
    (name,) = studio.execution.finish(claimed, [studio.deliver(claimed)])
    return claimed, name


def test_files_past_their_retention_go_and_their_addresses_say_so(
    studio: Studio, caller: Caller
) -> None:
    job = studio.finished_job(caller)
    name = job.outputs[0].public_name
    studio.database.advance(RETENTION)
    assert studio.sweeper.sweep().expired_files == 0

    studio.database.advance(SECOND)
    report = studio.sweeper.sweep()

    assert report.expired_files == 1
    assert studio.list_files() == []
    assert not studio.objects.is_published(name)
    with pytest.raises(FileGoneError):
        studio.jobs.get_file(name)
    assert studio.jobs.get(caller, job.id).outputs[0].state == "expired"
    assert studio.sweeper.sweep() == NOTHING_MENDED
    assert studio.findings() == []


@on_sqlite_only
def test_files_that_could_not_be_removed_are_removed_when_the_store_is_back(
    studio: Studio, caller: Caller, objects: MemoryObjectStore
) -> None:
    name = studio.finished_job(caller).outputs[0].public_name
    studio.database.advance(RETENTION + SECOND)
    objects.failure = StorageUnavailableError("unplugged")
    with pytest.raises(StorageUnavailableError):
        studio.sweeper.sweep()
    objects.failure = None

    studio.sweeper.sweep()

    assert not studio.objects.is_published(name)
    assert studio.list_files() == []


def test_a_publishing_that_a_crash_cut_short_is_completed(studio: Studio, caller: Caller) -> None:
    claimed, name = finish_unpublished(studio, caller)
    assert not studio.objects.is_published(name)
    studio.database.advance(PUBLISH_WITHIN)

    assert studio.sweeper.sweep().published == 1

    assert studio.objects.is_published(name)
    assert studio.jobs.get_file(name).job_id == claimed.id
    assert studio.sweeper.sweep() == NOTHING_MENDED


@on_sqlite_only
def test_a_file_that_vanished_does_not_keep_the_sweeper_from_its_other_work(
    studio: Studio, caller: Caller
) -> None:
    claimed, _ = finish_unpublished(studio, caller)
    studio.objects.delete(studio.list_files()[0])
    painted = studio.submit_with_reference(caller)
    studio.jobs.cancel(caller, painted.id)

    studio.sweeper.sweep()

    assert studio.list_files() == [], "the reference image of a canceled job goes"
    assert claimed.id != painted.id


@on_sqlite_only
def test_a_file_that_belongs_to_nobody_is_removed_once_it_is_old(
    local: Studio, caller: Caller, tmp_path: Path
) -> None:
    key = lost_file(local, caller)
    assert local.list_files() == [key], "its worker may still be writing"

    make_old(tmp_path, key)
    local.database.advance(timedelta(seconds=ORPHAN_SWEEP_SECONDS))
    report = local.sweeper.sweep()

    assert report.orphans == 1
    assert local.list_files() == []


@on_sqlite_only
def test_a_file_that_belongs_to_somebody_is_kept_however_old(
    local: Studio, caller: Caller, tmp_path: Path
) -> None:
    local.finished_job(caller)
    local.submit_with_reference(caller)
    owned = local.list_files()
    assert len(owned) == 2
    for key in owned:
        make_old(tmp_path, key)

    report = local.sweeper.sweep()

    assert report.orphans == 0
    assert local.list_files() == owned


@on_sqlite_only
def test_leftovers_of_interrupted_writes_go_with_the_orphans(
    local: Studio, caller: Caller, tmp_path: Path
) -> None:
    local.finished_job(caller)
    leftover = tmp_path / "outputs" / "objects" / ".tmp-0123"
    leftover.write_bytes(b"half")
    make_old(tmp_path, "objects/.tmp-0123")

    local.sweeper.sweep()

    assert not leftover.exists()
    assert len(local.list_files()) == 1


@on_sqlite_only
def test_orphans_are_looked_for_every_ten_minutes_only_whoever_sweeps(
    local: Studio, caller: Caller, tmp_path: Path
) -> None:
    local.sweeper.sweep()
    key = object_key("job_0123456789abcdefghijAB", fence=1, index=1, extension="png")
    local.objects.put(key, b"orphan")
    make_old(tmp_path, key)
    sweepers = [local.sweeper, open_studio(local.database, local.objects).sweeper]
    half = timedelta(seconds=ORPHAN_SWEEP_SECONDS / 2)
    local.database.advance(half)

    early = [sweeper.sweep().orphans for sweeper in sweepers]
    local.database.advance(half)
    due = [sweeper.sweep().orphans for sweeper in sweepers]

    assert (early, due) == ([0, 0], [1, 0])
    assert local.list_files() == []


@pytest.mark.parametrize("ending", ["finished", "canceled", "expired"])
def test_a_reference_image_goes_when_its_job_has_ended(
    studio: Studio, caller: Caller, ending: str
) -> None:
    job = studio.submit_with_reference(caller)
    (key,) = studio.list_files()
    studio.sweeper.sweep()
    assert studio.list_files() == [key], "the job still needs it"

    match ending:
        case "finished":
            studio.finish(studio.claim())
        case "canceled":
            studio.jobs.cancel(caller, job.id)
        case _:
            studio.database.moment = job.deadline_at + SECOND
    studio.sweeper.sweep()

    assert key not in studio.list_files()
    assert studio.row(job.id).reference_key is None
    assert studio.sweeper.sweep() == NOTHING_MENDED
