"""Choices of a worker: its queues, tiers and models, and the jobs whose model it has loaded."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gen_video.accounts.models import Caller
from gen_video.engines.catalogue import Catalogue
from gen_video.generation.execution import WorkerProfile
from gen_video.generation.fair_store import CANDIDATES
from gen_video.generation.queueing import queue_of
from gen_video.generation.states import JobKind
from tests.db.clocked import on_sqlite_only
from tests.generation.cinema import REEL, WAVES
from tests.generation.shop import tenant
from tests.generation.studio import (
    LAKE,
    PAINT,
    PATIENCE,
    SKETCH,
    Studio,
    open_studio,
    profile,
)

SECOND = timedelta(seconds=1)
PAINTED = replace(LAKE, model="paint")
FAST = SKETCH.model_copy(update={"id": "fast", "pool": "fast"})
SWIFT = REEL.model_copy(update={"id": "swift", "pool": "fast"})
POOLS = Catalogue(
    [SKETCH, PAINT, REEL, FAST, SWIFT], default_image_model="sketch", default_video_model="reel"
)
EVERYWHERE = ("default.image", "default.video", "fast.image", "fast.video")
MODELS = ("sketch", "paint", "reel", "fast", "swift")


@pytest.fixture
def pools(studio: Studio) -> Studio:
    """Return a studio with two pools that make pictures and videos."""
    return open_studio(studio.database, studio.objects, catalogue=POOLS)


def worker(*queues: str, tiers: tuple[str, ...] = ()) -> WorkerProfile:
    return WorkerProfile(worker_id="worker", queues=queues, models=MODELS, tiers=tiers)


def claim(studio: Studio, by: WorkerProfile, *resident: str) -> str | None:
    """Claim what is next for a worker; check that looking promised the same."""
    has_due = studio.execution.has_due_job(by)
    job = studio.execution.claim(by, resident=resident)
    assert has_due == (job is not None)
    return None if job is None else job.id


def test_a_queue_is_a_pool_and_a_kind() -> None:
    assert queue_of(SKETCH, JobKind.IMAGE) == "default.image"
    assert queue_of(SWIFT, JobKind.VIDEO) == "fast.video"


def test_a_worker_takes_from_its_queues_only(pools: Studio) -> None:
    ada = tenant(pools, "ada")
    requests = (LAKE, replace(LAKE, model="fast"), WAVES, replace(WAVES, model="swift"))
    jobs = dict(
        zip(
            ("default.image", "fast.image", "default.video", "fast.video"),
            [pools.submit(ada, request).id for request in requests],
            strict=True,
        )
    )
    assert {pools.row(job_id).queue for job_id in jobs.values()} == set(EVERYWHERE)

    assert claim(pools, worker("fast.image")) == jobs["fast.image"]
    assert claim(pools, worker("fast.image")) is None
    both = {claim(pools, worker("default.image", "fast.video")) for _ in range(2)}
    assert both == {jobs["default.image"], jobs["fast.video"]}
    assert claim(pools, worker(*EVERYWHERE)) == jobs["default.video"]
    assert claim(pools, worker(*EVERYWHERE)) is None
    assert pools.findings() == []


@on_sqlite_only
def test_of_two_queues_the_one_whose_head_waits_longest_is_served_first(pools: Studio) -> None:
    """Tags of different queues cannot be compared, and a busy queue has high ones."""
    ada, bob = tenant(pools, "ada"), tenant(pools, "bob")
    submitted = [pools.submit(ada, replace(LAKE, model="fast")).id for _ in range(6)]
    for _ in range(5):
        pools.finish(pools.execution.claim(worker("fast.image")))  # type: ignore[arg-type] # there
    pools.database.advance(SECOND)
    sketched = pools.submit(bob, LAKE).id
    assert pools.row(submitted[5]).start_tag > pools.row(sketched).start_tag

    order = [claim(pools, worker("default.image", "fast.image")) for _ in range(2)]

    assert order == [submitted[5], sketched]


@on_sqlite_only
def test_people_go_before_batch_across_queues(pools: Studio) -> None:
    ada = tenant(pools, "ada")
    archived = pools.submit(ada, replace(LAKE, priority="batch")).id
    pools.database.advance(SECOND)
    urgent = pools.submit(ada, replace(LAKE, model="fast")).id

    order = [claim(pools, worker("default.image", "fast.image")) for _ in range(2)]

    assert order == [urgent, archived]


@on_sqlite_only
def test_an_account_may_compete_in_every_queue_up_to_its_cap(pools: Studio) -> None:
    ada = tenant(pools, "ada", max_running=1)
    requests = (LAKE, replace(LAKE, model="fast"), WAVES, replace(WAVES, model="swift"))

    first = [pools.submit(ada, request).id for request in requests]
    second = [pools.submit(ada, request).id for request in requests]

    assert [pools.row(job_id).start_tag is None for job_id in first] == [False] * 4
    assert [pools.row(job_id).start_tag is None for job_id in second] == [True] * 4


def test_a_worker_of_some_tiers_takes_only_their_jobs(studio: Studio) -> None:
    free, paid = tenant(studio, "free-rider"), tenant(studio, "payer", tier="paid")
    of_free, of_paid = studio.submit(free).id, studio.submit(paid).id
    reserved = replace(profile(), tiers=("paid",))

    assert claim(studio, reserved) == of_paid
    assert claim(studio, reserved) is None
    assert claim(studio, replace(profile(), tiers=("free", "paid"))) == of_free


def test_a_job_whose_model_is_loaded_goes_first_and_the_head_remembers(
    studio: Studio, caller: Caller
) -> None:
    head = studio.submit(caller).id
    warm = [studio.submit(caller, PAINTED).id for _ in range(2)]

    assert claim(studio, profile(), "paint") == warm[0]
    assert studio.row(head).passed_at == studio.database.moment
    studio.database.advance(PATIENCE - SECOND)
    assert claim(studio, profile(), "paint") == warm[1]
    assert studio.row(head).passed_at == studio.database.moment - PATIENCE + SECOND
    assert claim(studio, profile(), "paint") == head


def test_patience_ends(studio: Studio, caller: Caller) -> None:
    head = studio.submit(caller).id
    warm = [studio.submit(caller, PAINTED).id for _ in range(2)]
    assert claim(studio, profile(), "paint") == warm[0]
    studio.database.advance(PATIENCE)

    order = [claim(studio, profile(), "paint") for _ in range(2)]

    assert order == [head, warm[1]]


@on_sqlite_only
def test_a_worker_with_the_heads_model_or_with_none_takes_the_head(
    studio: Studio, caller: Caller
) -> None:
    jobs = [studio.submit(caller, request).id for request in (LAKE, PAINTED, LAKE, PAINTED)]

    assert claim(studio, profile(), "sketch", "paint") == jobs[0]
    assert claim(studio, profile()) == jobs[1]
    assert {studio.row(job_id).passed_at for job_id in jobs} == {None}


@on_sqlite_only
def test_a_worker_looks_no_further_than_the_first_few(studio: Studio) -> None:
    ada = tenant(studio, "ada")
    cold = [studio.submit(ada).id for _ in range(CANDIDATES)]
    warm = studio.submit(ada, PAINTED).id

    assert claim(studio, profile(), "paint") == cold[0]
    assert claim(studio, profile(), "paint") == warm
