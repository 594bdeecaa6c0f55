"""Admission: everything of a job in one transaction, and nothing at all of a refused one."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from gen_video.accounts.errors import TooManyJobsError
from gen_video.accounts.models import Caller
from gen_video.db.database import DatabaseUnavailableError
from gen_video.errors import InvalidRequestError, ServiceError
from gen_video.generation.errors import IdempotencyKeyReusedError, QueueFullError
from gen_video.generation.requests import ImageRequest
from gen_video.generation.states import JobState
from gen_video.generation.submission import RetryHints
from gen_video.quotas.models import KindQuota, QuotaExceededError
from gen_video.storage.memory import MemoryObjectStore
from gen_video.storage.objects import StorageFullError
from tests.db.clocked import START, on_sqlite_only
from tests.generation.studio import DEADLINE, LAKE, Studio, open_studio

REFERENCE = b"reference"
PAINTED = replace(LAKE, model="paint", reference_sha256="ab" * 32)
KEY = RetryHints(idempotency_key="order-1", scope="POST /generate")


def grown(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """Return how many rows each table has gained."""
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}


def test_an_accepted_job_is_written_with_its_hold_its_charge_its_slot_and_its_key(
    studio: Studio, caller: Caller
) -> None:
    before = studio.count_rows()

    job = studio.jobs.submit(caller, replace(LAKE, n=3), hints=KEY).job

    assert grown(before, studio.count_rows()) == {
        "jobs": 1,
        "quota_windows": 1,
        "ledger_txns": 1,
        "ledger_entries": 2,
        "idempotency": 1,
        "fair_shares": 1,
    }
    assert studio.window(caller) == KindQuota(limit=10, used=0, reserved=3)
    assert studio.in_flight(caller) == 1
    assert (job.state, job.units, job.price_micros) == (JobState.QUEUED, 3, 750)
    assert studio.findings() == []


def test_a_job_shows_its_owner_what_was_resolved_and_promised(
    studio: Studio, caller: Caller
) -> None:
    job = studio.submit(caller, replace(LAKE, n=2, metadata={"order": "湖"}))

    assert (job.input.width, job.input.seed, job.input.negative_prompt) == (64, 7, "blur")
    assert (job.model, job.metadata) == ("sketch", {"order": "湖"})
    assert job.quota_remaining == {"images": 8, "videos": 2}
    assert (job.created_at, job.deadline_at) == (START, START + DEADLINE)
    assert (job.progress.stage, job.progress.step, job.progress.steps) == ("queued", 0, 8)
    assert (job.error, job.outputs, job.attempt, job.started_at) == (None, (), 0, None)


def test_a_client_may_set_a_deadline_of_its_own(studio: Studio, caller: Caller) -> None:
    job = studio.submit(caller, cancel_after=timedelta(seconds=90))

    assert job.deadline_at == START + timedelta(seconds=90)


def test_a_reference_image_is_stored_before_the_job_and_kept_for_it(
    studio: Studio, caller: Caller
) -> None:
    job = studio.submit_with_reference(caller)

    claimed = studio.claim()
    assert claimed.id == job.id
    assert claimed.reference_key is not None
    assert b"".join(studio.objects.read(claimed.reference_key)) == REFERENCE


Arranged = tuple[Studio, Caller, ImageRequest, RetryHints]


@dataclass(frozen=True)
class Refusal:
    """A reason to refuse: how it comes about, and the error."""

    arrange: Callable[[Studio], Arranged]
    error: type[ServiceError]


def _no_quota(studio: Studio) -> Arranged:
    caller = studio.new_caller()
    for _ in range(2):
        studio.submit(caller, replace(LAKE, n=4))
    return studio, caller, replace(PAINTED, n=3), KEY


def _no_quota_of_the_key(studio: Studio) -> Arranged:
    caller = studio.new_caller(images_per_day=1)
    studio.submit(caller)
    return studio, caller, PAINTED, KEY


def _no_slot(studio: Studio) -> Arranged:
    plan = replace(studio.accounts.get_plan("free"), max_in_flight=1)
    caller = studio.new_caller_with(plan)
    studio.submit(caller)
    return studio, caller, PAINTED, KEY


def _full_queue(studio: Studio) -> Arranged:
    small = open_studio(studio.database, studio.objects, queue_limit=2)
    caller = small.new_caller()
    small.submit(caller)
    small.submit(small.new_caller("bob"))
    return small, caller, PAINTED, KEY


def _wrong_field(studio: Studio) -> Arranged:
    return studio, studio.new_caller(), replace(PAINTED, width=33), KEY


def _used_key(studio: Studio) -> Arranged:
    caller = studio.new_caller()
    studio.jobs.submit(caller, LAKE, hints=KEY)
    return studio, caller, PAINTED, KEY


REFUSALS = {
    "no quota": Refusal(_no_quota, QuotaExceededError),
    "no quota of the key": Refusal(_no_quota_of_the_key, QuotaExceededError),
    "no slot": Refusal(_no_slot, TooManyJobsError),
    "full queue": Refusal(_full_queue, QueueFullError),
    "wrong field": Refusal(_wrong_field, InvalidRequestError),
    "used key": Refusal(_used_key, IdempotencyKeyReusedError),
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS.keys())
def test_a_refused_request_leaves_no_row_no_unit_and_no_file(
    studio: Studio, refusal: Refusal
) -> None:
    studio, caller, request, hints = refusal.arrange(studio)
    rows, files, window = studio.count_rows(), studio.list_files(), studio.window(caller)
    slots = studio.in_flight(caller)

    with pytest.raises(refusal.error):
        studio.jobs.submit(caller, request, references=REFERENCE, hints=hints)

    assert studio.count_rows() == rows
    assert studio.list_files() == files
    assert (studio.window(caller), studio.in_flight(caller)) == (window, slots)
    assert studio.findings() == []


@on_sqlite_only
def test_a_request_may_fill_the_queue_and_the_day_to_the_last_place(
    studio: Studio, caller: Caller
) -> None:
    small = open_studio(studio.database, studio.objects, queue_limit=3)

    for pictures in (4, 4, 2):
        small.submit(caller, replace(LAKE, n=pictures))

    assert studio.window(caller) == KindQuota(limit=10, used=0, reserved=10)


@on_sqlite_only
def test_a_full_store_refuses_before_anything_is_written(
    studio: Studio, caller: Caller, objects: MemoryObjectStore
) -> None:
    rows = studio.count_rows()
    objects.failure = StorageFullError("no room")

    with pytest.raises(StorageFullError):
        studio.jobs.submit(caller, PAINTED, references=REFERENCE, hints=KEY)

    assert studio.count_rows() == rows


@on_sqlite_only
def test_an_answer_that_was_lost_is_found_again_under_the_same_key(
    studio: Studio, caller: Caller
) -> None:
    """The commit may have happened, so the job may be there and need its reference image."""
    studio.database.is_losing_answers = True
    with pytest.raises(DatabaseUnavailableError):
        studio.jobs.submit(caller, PAINTED, references=REFERENCE, hints=KEY)
    studio.database.is_losing_answers = False

    found = studio.jobs.submit(caller, PAINTED, references=REFERENCE, hints=KEY)

    assert found.is_replayed
    claimed = studio.claim()
    assert claimed.id == found.job.id
    assert claimed.reference_key is not None
    assert b"".join(studio.objects.read(claimed.reference_key)) == REFERENCE
    assert studio.window(caller).reserved == 1
