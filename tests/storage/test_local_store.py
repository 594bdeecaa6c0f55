"""The store in a folder: crashes, full and broken disks, links laid by somebody else."""

import errno
import gc
import os
import resource
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gen_video.storage.local import TEMPORARY_PREFIX, LocalObjectStore
from gen_video.storage.objects import (
    ObjectExistsError,
    ObjectMissingError,
    StorageFullError,
    StorageUnavailableError,
    object_key,
)

JOB = "job_0123456789abcdefghijAB"
KEY = object_key(JOB, fence=1, index=0, extension="png")
OTHER_KEY = object_key(JOB, fence=2, index=0, extension="png")
NAME = f"images/{JOB}.png"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def objects(root: Path) -> LocalObjectStore:
    return LocalObjectStore(root)


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if not path.is_dir()]


def open_descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


# Crashes


@pytest.mark.parametrize("step", ["write", "fsync", "link"])
def test_a_writer_killed_in_the_middle_leaves_no_object(root: Path, step: str) -> None:
    """A process that kills itself at each system call of a put, as kill -9 would."""
    script = f"""
        import os, signal, sys
        from pathlib import Path
        from gen_video.storage.local import LocalObjectStore

        def die(*args, **kwargs):
            if {step!r} == "write":
                os.pwrite(args[0], bytes(args[1])[:1000], 0)
            os.kill(os.getpid(), signal.SIGKILL)

        Path(sys.argv[1]).mkdir()
        store = LocalObjectStore(Path(sys.argv[1]))
        for folder in {KEY!r}.split("/")[:-1]:
            sys.argv[1] += "/" + folder
            os.mkdir(sys.argv[1])
        os.{step} = die
        store.put({KEY!r}, bytes(10_000))
    """
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(root)], check=False, timeout=20
    )
    objects = LocalObjectStore(root)

    assert killed.returncode == -9
    with pytest.raises(ObjectMissingError):
        objects.stat(KEY)
    assert list(objects.list_keys()) == []
    assert len(files_below(root)) == 1

    assert objects.remove_stale_temporaries(older_than_seconds=3600) == 0
    assert objects.remove_stale_temporaries(older_than_seconds=-1) == 1
    assert files_below(root) == []
    objects.put(KEY, b"the next attempt")


def test_random_kills_leave_only_whole_objects(root: Path) -> None:
    script = f"""
        import itertools, sys
        from pathlib import Path
        from gen_video.storage.local import LocalObjectStore
        from gen_video.storage.objects import object_key

        store = LocalObjectStore(Path(sys.argv[1]))
        print("ready", flush=True)
        for fence in itertools.count(int(sys.argv[2])):
            store.put(object_key({JOB!r}, fence=fence, index=0, extension="png"), b"x" * 300_000)
    """
    for number in range(6):
        command = [sys.executable, "-c", textwrap.dedent(script), str(root), str(number * 10**6)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(0.02 + 0.013 * number)
            writer.kill()

    listed = list(LocalObjectStore(root).list_keys())

    assert listed
    assert {found.size_bytes for found in listed} == {300_000}


def test_young_temporary_files_are_left_to_their_writers(
    objects: LocalObjectStore, root: Path
) -> None:
    objects.put(KEY, b"picture")
    young = (root / KEY).with_name(f"{TEMPORARY_PREFIX}young")
    old = (root / KEY).with_name(f"{TEMPORARY_PREFIX}old")
    for path in (young, old):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))

    assert objects.remove_stale_temporaries(older_than_seconds=3600) == 1
    assert young.exists()
    assert [found.key for found in objects.list_keys()] == [KEY]


# Full and broken disks


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["/usr/bin/mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    can_mount = os.geteuid() == 0 and Path(command[0]).exists()
    if not can_mount or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    yield folder
    subprocess.run(["/usr/bin/umount", "-l", str(folder)], check=True)


def test_a_full_disk_says_so_and_recovers(small_disk: Path) -> None:
    objects = LocalObjectStore(small_disk)
    objects.put(KEY, b"picture")

    with pytest.raises(StorageFullError) as caught:
        objects.put(OTHER_KEY, bytes(2 * 2**20))

    assert (caught.value.status, caught.value.code) == (507, "storage_full")
    assert caught.value.is_retryable
    assert [path.name for path in files_below(small_disk)] == ["0.png"]
    assert objects.probe() > 0
    objects.put(OTHER_KEY, bytes(2**19))


def test_a_read_only_disk_says_so(small_disk: Path) -> None:
    objects = LocalObjectStore(small_disk)
    objects.put(KEY, b"picture")
    subprocess.run(["/usr/bin/mount", "-o", "remount,ro", str(small_disk)], check=True)

    for write in (
        lambda: objects.put(OTHER_KEY, b"picture"),
        lambda: objects.delete(KEY),
        lambda: objects.publish(KEY, NAME),
        objects.probe,
    ):
        with pytest.raises(StorageUnavailableError) as caught:
            write()
        assert (caught.value.status, caught.value.code) == (503, "storage_unavailable")
    assert b"".join(objects.read(KEY)) == b"picture"


def test_a_file_too_big_for_the_process_leaves_nothing(root: Path) -> None:
    script = f"""
        import resource, signal, sys
        from pathlib import Path
        from gen_video.storage.local import LocalObjectStore
        from gen_video.storage.objects import StorageFullError

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))
        try:
            LocalObjectStore(Path(sys.argv[1])).put({KEY!r}, bytes(10_000))
        except StorageFullError:
            sys.exit(7)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(root)], check=False, timeout=20
    )

    assert done.returncode == 7
    assert files_below(root) == []


@pytest.mark.parametrize("call", ["write", "fsync", "link"])
def test_an_input_output_error_is_not_a_success(
    objects: LocalObjectStore, root: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def fail(*_args: object, **_kwargs: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(StorageUnavailableError):
            objects.put(KEY, b"picture")

    with pytest.raises(ObjectMissingError):
        objects.stat(KEY)
    assert files_below(root) == []


def test_an_error_while_reading_is_translated(
    objects: LocalObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    objects.put(KEY, b"picture")
    chunks = objects.read(KEY)
    monkeypatch.setattr(os, "pread", fail)

    with pytest.raises(StorageUnavailableError):
        next(chunks)


def test_a_file_in_place_of_the_root_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    objects = LocalObjectStore(tmp_path / "file")

    for call in (lambda: objects.put(KEY, b""), objects.probe, lambda: objects.stat(KEY)):
        with pytest.raises(StorageUnavailableError):
            call()


# File systems without hard links


@pytest.fixture
def _without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("_without_links")
def test_without_hard_links_objects_are_still_never_replaced(
    objects: LocalObjectStore, root: Path
) -> None:
    objects.put(KEY, b"picture")
    objects.put(KEY, b"picture")

    with pytest.raises(ObjectExistsError):
        objects.put(KEY, b"another")

    assert b"".join(objects.read(KEY)) == b"picture"
    assert files_below(root) == [root / KEY]


@pytest.mark.usefixtures("_without_links")
def test_without_hard_links_publishing_copies(objects: LocalObjectStore, root: Path) -> None:
    data = os.urandom(700_000)
    objects.put(KEY, data)

    objects.publish(KEY, NAME)

    assert (root / NAME).read_bytes() == data
    assert (root / NAME).stat().st_ino != (root / KEY).stat().st_ino


# Public names


def test_a_public_name_is_the_same_file(objects: LocalObjectStore, root: Path) -> None:
    objects.put(KEY, b"picture")

    objects.publish(KEY, NAME)

    assert (root / NAME).stat().st_ino == (root / KEY).stat().st_ino
    assert objects.local_path(KEY) == root / KEY


def test_publishing_replaces_what_had_the_name(objects: LocalObjectStore, root: Path) -> None:
    objects.put(KEY, b"first")
    objects.put(OTHER_KEY, b"second")
    objects.publish(KEY, NAME)

    objects.publish(OTHER_KEY, NAME)
    objects.publish(OTHER_KEY, NAME)

    assert (root / NAME).read_bytes() == b"second"
    assert b"".join(objects.read(KEY)) == b"first"
    assert len(files_below(root)) == 3


def test_deleting_takes_empty_folders_along(objects: LocalObjectStore, root: Path) -> None:
    objects.put(KEY, b"picture")
    objects.put(OTHER_KEY, b"picture")

    objects.delete(KEY)
    assert (root / OTHER_KEY).exists()
    objects.delete(OTHER_KEY)

    assert not (root / KEY).parent.parent.exists()


# Links that somebody else laid


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    path = tmp_path / "outside" / "1" / "0.png"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"canary")
    return path


def lay_link(root: Path, at: str, target: Path) -> None:
    path = root / at
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


@pytest.mark.parametrize("depth", ["file", "fence", "job", "objects"])
def test_links_inside_the_store_are_not_followed(
    objects: LocalObjectStore, root: Path, canary: Path, depth: str
) -> None:
    links = {
        "file": (KEY, canary),
        "fence": (KEY.removesuffix("/0.png"), canary.parent),
        "job": (KEY.removesuffix("/1/0.png"), canary.parent.parent),
        "objects": ("objects", canary.parent.parent),
    }
    lay_link(root, *links[depth])

    for call in (
        lambda: objects.stat(KEY),
        lambda: objects.read(KEY),
        lambda: objects.local_path(KEY),
        lambda: objects.publish(KEY, NAME),
        lambda: objects.put(KEY, b"canary"),
    ):
        with pytest.raises(StorageUnavailableError, match="a link or special file"):
            call()
    assert list(objects.list_keys()) == []
    assert not objects.is_published(NAME)
    assert canary.read_bytes() == b"canary"


def test_deleting_through_a_link_does_not_reach_outside(
    objects: LocalObjectStore, root: Path, canary: Path
) -> None:
    lay_link(root, KEY.removesuffix("/1/0.png"), canary.parent.parent)

    with pytest.raises(StorageUnavailableError):
        objects.delete(KEY)

    assert canary.exists()


def test_sweeping_temporary_files_does_not_reach_outside(
    objects: LocalObjectStore, root: Path, canary: Path
) -> None:
    stranger = canary.with_name(f"{TEMPORARY_PREFIX}stranger")
    stranger.write_bytes(b"")
    lay_link(root, "objects/ab", canary.parent)

    assert objects.remove_stale_temporaries(older_than_seconds=-1) == 0
    assert stranger.exists()


def test_publishing_over_a_link_replaces_the_link(
    objects: LocalObjectStore, root: Path, canary: Path
) -> None:
    lay_link(root, NAME, canary)
    objects.put(KEY, b"picture")

    objects.publish(KEY, NAME)

    assert (root / NAME).read_bytes() == b"picture"
    assert not (root / NAME).is_symlink()
    assert canary.read_bytes() == b"canary"


def test_a_named_pipe_does_not_hang_a_reader(objects: LocalObjectStore, root: Path) -> None:
    (root / KEY).parent.mkdir(parents=True)
    os.mkfifo(root / KEY)

    with pytest.raises(StorageUnavailableError):
        objects.read(KEY)


def test_the_root_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "big-disk").mkdir()
    (tmp_path / "store").symlink_to(tmp_path / "big-disk")
    objects = LocalObjectStore(tmp_path / "store")

    objects.put(KEY, b"picture")

    assert b"".join(objects.read(KEY)) == b"picture"


def test_strange_files_are_not_listed(objects: LocalObjectStore, root: Path) -> None:
    objects.put(KEY, b"picture")
    (root / "objects" / "notes.txt").write_bytes(b"")
    (root / KEY).with_name("notes.txt").write_bytes(b"")

    assert [found.key for found in objects.list_keys()] == [KEY]


# Descriptors


def test_no_descriptor_is_left_open(objects: LocalObjectStore) -> None:
    objects.put(KEY, bytes(10**6))
    gc.collect()  # what earlier tests of this process have left
    before = open_descriptors()

    objects.read(KEY)
    next(objects.read(KEY))
    next(objects.list_keys())
    b"".join(objects.read(KEY, start=5, length=10))
    with pytest.raises(ObjectMissingError):
        objects.read(OTHER_KEY)
    with pytest.raises(ObjectExistsError):
        objects.put(KEY, b"another")
    objects.publish(KEY, NAME)
    gc.collect()

    assert open_descriptors() <= before  # connections of other tests may close meanwhile


def test_reading_holds_one_chunk_at_a_time(objects: LocalObjectStore) -> None:
    objects.put(KEY, bytes(64 * 2**20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    assert sum(len(chunk) for chunk in objects.read(KEY)) == 64 * 2**20

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 * 1024
