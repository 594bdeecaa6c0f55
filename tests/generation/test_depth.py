"""Depth: exact while the queue is shallow, a little old while counting it would be slow."""

from dataclasses import replace

import pytest
from sqlalchemy import Connection

from gen_video.accounts.models import Caller
from gen_video.generation import depth as depth_module
from gen_video.generation import job_reads
from gen_video.generation.depth import QueueDepth
from gen_video.generation.errors import QueueFullError
from tests.db.clocked import on_sqlite_only
from tests.generation.shop import tenant
from tests.generation.studio import LAKE, Studio, open_studio


@pytest.fixture
def roomy(studio: Studio) -> Caller:
    return tenant(studio, "ada")


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the limits up to which the database was asked to count."""
    asked: list[int] = []
    count = job_reads.count_queued

    def note(connection: Connection, *, limit: int) -> int:
        asked.append(limit)
        return count(connection, limit=limit)

    monkeypatch.setattr(job_reads, "count_queued", note)
    return asked


def is_full(studio: Studio, depth: QueueDepth) -> bool:
    return studio.database.read(depth.is_full)


def test_a_shallow_queue_is_counted_exactly(studio: Studio, roomy: Caller) -> None:
    depth = QueueDepth(3)
    full, job_ids = [], []
    for _ in range(4):
        full.append(is_full(studio, depth))
        job_ids.append(studio.submit(roomy).id)

    studio.jobs.cancel(roomy, job_ids[-1])
    assert full == [False, False, False, True]
    assert is_full(studio, depth)
    studio.claim()
    assert not is_full(studio, depth), "whoever runs waits no more"


@on_sqlite_only
def test_jobs_that_wait_behind_their_accounts_others_wait_too(studio: Studio) -> None:
    ada = tenant(studio, "ada", max_running=1)
    for _ in range(3):
        studio.submit(ada)

    assert is_full(studio, QueueDepth(3))


@on_sqlite_only
def test_a_full_queue_refuses_the_next_and_says_when_to_come_back(
    studio: Studio, roomy: Caller
) -> None:
    small = open_studio(studio.database, studio.objects, queue_limit=2)
    for _ in range(2):
        small.submit(roomy)

    with pytest.raises(QueueFullError):
        small.submit(roomy)

    small.claim()
    small.submit(roomy)


@on_sqlite_only
def test_a_deep_queue_is_counted_now_and_then(
    studio: Studio, roomy: Caller, counts: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(depth_module, "EXACT", 2)
    monkeypatch.setattr(depth_module, "LEAST_SECONDS", 3600.0)
    depth = QueueDepth(10)
    for _ in range(4):
        studio.submit(roomy)

    counts.clear()
    answers = [is_full(studio, depth) for _ in range(8)]

    assert answers == [False] * 7 + [True], "4 were counted, and 6 have asked since"
    assert counts == [2, 10]


@on_sqlite_only
def test_a_deep_queue_is_counted_again_when_the_figure_is_old(
    studio: Studio, roomy: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(depth_module, "EXACT", 2)
    monkeypatch.setattr(depth_module, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(depth_module, "DUTY_CYCLE", 0.0)
    depth = QueueDepth(4)
    jobs = [studio.submit(roomy, replace(LAKE, seed=seed)).id for seed in range(4)]
    assert is_full(studio, depth)

    studio.jobs.cancel(roomy, jobs[0])

    assert not is_full(studio, depth)
