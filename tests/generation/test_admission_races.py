"""Races at the door: two processes, many threads, and never one job or unit too many."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from gen_video.accounts.errors import TooManyJobsError
from gen_video.accounts.models import Caller
from gen_video.generation.errors import IdempotencyKeyReusedError
from gen_video.generation.models import Submission
from gen_video.generation.submission import RetryHints
from gen_video.quotas.models import KindQuota, QuotaExceededError
from gen_video.storage.memory import MemoryObjectStore
from tests.generation.cinema import SCREEN, WAVES
from tests.generation.conftest import OpenDatabase
from tests.generation.studio import LAKE, Studio, open_studio

RACERS = 16
"""As many as the two processes have connections."""
KEY = RetryHints(idempotency_key="order-1", scope="POST /generate")
Attempt = Callable[[Studio, int], Submission]


@pytest.fixture
def studios(
    studio: Studio, open_database: OpenDatabase, objects: MemoryObjectStore
) -> tuple[Studio, Studio]:
    """Return two studios with databases of their own, as two processes have."""
    return studio, open_studio(open_database(), objects)


def race(studios: tuple[Studio, Studio], attempt: Attempt, *, racers: int) -> list[Submission]:
    """Start all attempts at the same moment; return what was accepted."""
    start = threading.Barrier(racers)

    def run(number: int) -> Submission | None:
        start.wait(timeout=30)
        try:
            return attempt(studios[number % 2], number)
        except (QuotaExceededError, TooManyJobsError, IdempotencyKeyReusedError):
            return None

    with ThreadPoolExecutor(racers) as threads:
        return [found for found in threads.map(run, range(racers)) if found is not None]


@pytest.mark.parametrize("racers", [7, RACERS])
def test_of_n_requests_for_k_units_the_smaller_number_is_accepted(
    studios: tuple[Studio, Studio], racers: int
) -> None:
    studio = studios[0]
    plan = replace(studio.accounts.get_plan("free"), max_in_flight=100)
    caller = studio.new_caller_with(plan)

    accepted = race(studios, lambda door, _: door.jobs.submit(caller, LAKE), racers=racers)

    expected = min(racers, 10)
    assert len({submission.job.id for submission in accepted}) == expected
    assert studio.window(caller) == KindQuota(limit=10, used=0, reserved=expected)
    assert studio.in_flight(caller) == expected
    assert studio.findings() == []


def test_of_sixteen_videos_for_two_units_two_are_accepted(
    studio: Studio, open_database: OpenDatabase, objects: MemoryObjectStore
) -> None:
    first = open_studio(studio.database, objects, catalogue=SCREEN)
    second = open_studio(open_database(), objects, catalogue=SCREEN)
    caller = first.new_caller_with(replace(studio.accounts.get_plan("free"), max_in_flight=100))

    accepted = race((first, second), lambda door, _: door.jobs.submit(caller, WAVES), racers=RACERS)

    assert len({submission.job.id for submission in accepted}) == 2
    assert first.window(caller, "video") == KindQuota(limit=2, used=0, reserved=2)
    assert first.findings() == []


def test_as_many_jobs_are_accepted_as_there_are_slots(studios: tuple[Studio, Studio]) -> None:
    studio = studios[0]
    plan = replace(studio.accounts.get_plan("free"), max_in_flight=3)
    caller = studio.new_caller_with(plan)

    accepted = race(studios, lambda door, _: door.jobs.submit(caller, LAKE), racers=RACERS)

    assert len(accepted) == studio.in_flight(caller) == studio.window(caller).reserved == 3
    assert studio.findings() == []


def test_many_requests_with_one_key_are_one_job(
    studios: tuple[Studio, Studio], caller: Caller
) -> None:
    accepted = race(
        studios, lambda door, _: door.jobs.submit(caller, LAKE, hints=KEY), racers=RACERS
    )

    assert len(accepted) == RACERS
    assert len({submission.job.id for submission in accepted}) == 1
    assert [submission.is_replayed for submission in accepted].count(False) == 1
    assert studios[0].count_rows()["jobs"] == studios[0].window(caller).reserved == 1
    assert studios[0].findings() == []


def test_of_two_requests_that_fight_for_a_key_one_wins_and_the_other_is_refused(
    studios: tuple[Studio, Studio], caller: Caller
) -> None:
    requests = (LAKE, replace(LAKE, seed=8))

    accepted = race(
        studios,
        lambda door, number: door.jobs.submit(caller, requests[number % 2], hints=KEY),
        racers=RACERS,
    )

    assert len(accepted) == RACERS // 2
    assert len({submission.job.id for submission in accepted}) == 1
    assert studios[0].findings() == []


def test_retries_of_an_sdk_that_arrive_together_are_one_job(
    studios: tuple[Studio, Studio], caller: Caller
) -> None:
    accepted = race(
        studios,
        lambda door, _: door.jobs.submit(caller, LAKE, hints=RetryHints(retry_count=1)),
        racers=8,
    )

    assert len(accepted) == 8
    assert len({submission.job.id for submission in accepted}) == 1
    assert studios[0].findings() == []
