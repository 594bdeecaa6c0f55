"""Repeating a request: the same key is the same job, and so is the retry of an SDK."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gen_video.accounts.models import Caller
from gen_video.generation.errors import IdempotencyKeyReusedError
from gen_video.generation.states import JobState
from gen_video.generation.submission import IDEMPOTENCY_HOURS, TWIN_MINUTES, RetryHints
from tests.db.clocked import on_sqlite_only
from tests.generation.studio import LAKE, Studio

KEY = RetryHints(idempotency_key="order-1", scope="POST /generate")
RETRY = RetryHints(retry_count=1)
LIFETIME = timedelta(hours=IDEMPOTENCY_HOURS)


def test_the_same_key_and_request_is_the_same_job_and_costs_nothing_more(
    studio: Studio, caller: Caller
) -> None:
    first = studio.jobs.submit(caller, LAKE, hints=KEY)
    rows = studio.count_rows()

    again = studio.jobs.submit(caller, LAKE, hints=KEY)

    assert (first.is_replayed, again.is_replayed) == (False, True)
    assert again.job == first.job
    assert studio.count_rows() == rows
    assert studio.window(caller).reserved == 1


def test_the_same_key_finds_its_job_after_it_ended(studio: Studio, caller: Caller) -> None:
    first = studio.jobs.submit(caller, LAKE, hints=KEY).job
    studio.finish(studio.claim())

    again = studio.jobs.submit(caller, LAKE, hints=KEY)

    assert (again.job.id, again.job.state) == (first.id, JobState.SUCCEEDED)
    assert studio.window(caller).used == 1


def test_the_same_key_finds_its_job_though_the_day_is_used_up(
    studio: Studio, caller: Caller
) -> None:
    first = studio.jobs.submit(caller, LAKE, hints=KEY).job
    for pictures in (4, 4, 1):
        studio.submit(caller, replace(LAKE, n=pictures))

    assert studio.jobs.submit(caller, LAKE, hints=KEY).job.id == first.id


def test_the_same_key_with_another_request_is_refused_for_as_long_as_it_lives(
    studio: Studio, caller: Caller
) -> None:
    first = studio.jobs.submit(caller, LAKE, hints=KEY).job
    studio.database.advance(LIFETIME - timedelta(seconds=1))

    with pytest.raises(IdempotencyKeyReusedError):
        studio.jobs.submit(caller, replace(LAKE, n=2), hints=KEY)

    assert studio.jobs.submit(caller, LAKE, hints=KEY).job.id == first.id


def test_a_key_that_ran_out_is_free_again(studio: Studio, caller: Caller) -> None:
    first = studio.jobs.submit(caller, LAKE, hints=KEY).job
    studio.database.advance(LIFETIME)

    second = studio.jobs.submit(caller, replace(LAKE, n=2), hints=KEY)

    assert not second.is_replayed
    assert second.job.id != first.id


@on_sqlite_only
@pytest.mark.parametrize("other", ["another scope", "another account", "another key"])
def test_a_key_counts_within_its_scope_and_its_account(
    studio: Studio, caller: Caller, other: str
) -> None:
    first = studio.jobs.submit(caller, LAKE, hints=KEY).job
    hints, who = KEY, caller
    match other:
        case "another scope":
            hints = replace(KEY, scope="POST /edits")
        case "another key":
            hints = replace(KEY, idempotency_key="Order-1")
        case _:
            who = studio.new_caller("bob")

    second = studio.jobs.submit(who, replace(LAKE, n=2), hints=hints)

    assert not second.is_replayed
    assert second.job.id != first.id


@on_sqlite_only
def test_two_keys_of_one_account_share_their_idempotency_keys(
    studio: Studio, caller: Caller
) -> None:
    first = studio.jobs.submit(caller, LAKE, hints=KEY).job

    assert studio.jobs.submit(studio.new_caller("ada"), LAKE, hints=KEY).job.id == first.id


def test_the_retry_of_an_sdk_is_the_job_that_was_accepted_moments_ago(
    studio: Studio, caller: Caller
) -> None:
    first = studio.jobs.submit(caller, LAKE).job
    rows = studio.count_rows()
    studio.database.advance(timedelta(minutes=TWIN_MINUTES))

    again = studio.jobs.submit(caller, LAKE, hints=RETRY)

    assert again.is_replayed
    assert again.job.id == first.id
    assert studio.count_rows() == rows
    assert (studio.in_flight(caller), studio.window(caller).reserved) == (1, 1)


@pytest.mark.parametrize("is_over", [False, True], ids=["still waits", "ended moments ago"])
def test_a_retry_after_a_long_wait_finds_the_job_that_was_waited_for(
    studio: Studio, caller: Caller, *, is_over: bool
) -> None:
    """SDKs give up after ten minutes, just when a twin that was merely recent is forgotten."""
    first = studio.submit(caller)
    studio.database.advance(timedelta(hours=1))
    if is_over:
        studio.jobs.cancel(caller, first.id)
        studio.database.advance(timedelta(minutes=TWIN_MINUTES))

    again = studio.jobs.submit(caller, LAKE, hints=RETRY)

    assert (again.job.id, again.is_replayed) == (first.id, True)


def test_the_newest_of_several_twins_answers_a_retry(studio: Studio, caller: Caller) -> None:
    studio.submit(caller)
    studio.database.advance(timedelta(seconds=1))
    newest = studio.submit(caller)

    assert studio.jobs.submit(caller, LAKE, hints=RETRY).job.id == newest.id


@on_sqlite_only
@pytest.mark.parametrize("reason", ["no retry", "another request", "another account", "too late"])
def test_a_request_that_is_no_retry_of_a_recent_twin_is_a_new_job(
    studio: Studio, caller: Caller, reason: str
) -> None:
    first = studio.submit(caller)
    hints, who, request = RETRY, caller, LAKE
    match reason:
        case "no retry":
            hints = RetryHints()
        case "another request":
            request = replace(LAKE, seed=8)
        case "another account":
            who = studio.new_caller("bob")
        case _:
            studio.jobs.cancel(caller, first.id)
            studio.database.advance(timedelta(minutes=TWIN_MINUTES, seconds=1))

    second = studio.jobs.submit(who, request, hints=hints)

    assert not second.is_replayed
    assert second.job.id != first.id


@on_sqlite_only
def test_a_retry_finds_the_job_that_took_the_last_slot(studio: Studio) -> None:
    plan = replace(studio.accounts.get_plan("free"), max_in_flight=1)
    caller = studio.new_caller_with(plan)
    first = studio.submit(caller)

    assert studio.jobs.submit(caller, LAKE, hints=RETRY).job.id == first.id


@on_sqlite_only
def test_the_reference_image_of_a_retry_is_dropped_and_that_of_its_job_is_kept(
    studio: Studio, caller: Caller
) -> None:
    request = replace(LAKE, model="paint", reference_sha256="ab" * 32)
    studio.jobs.submit(caller, request, references=b"reference", hints=KEY)
    files = studio.list_files()

    studio.jobs.submit(caller, request, references=b"reference", hints=KEY)
    studio.jobs.submit(caller, request, references=b"reference", hints=RETRY)

    assert studio.list_files() == files
