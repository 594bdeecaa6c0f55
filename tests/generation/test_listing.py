"""Lists of jobs: newest first, page by page, each once, and filtered."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from gen_video.accounts.models import Caller
from gen_video.generation import service as service_module
from gen_video.generation.models import Job
from gen_video.generation.states import JobKind, JobState
from gen_video.generation.video_requests import SceneRequest
from tests.db.clocked import START, on_sqlite_only
from tests.generation.cinema import open_cinema, storyboard
from tests.generation.studio import LAKE, Studio

SECOND = timedelta(seconds=1)


@pytest.fixture
def seven(studio: Studio, caller: Caller) -> list[Job]:
    """Return seven jobs, newest first; some share a moment."""
    jobs: list[Job] = []
    for number in range(7):
        jobs.append(studio.submit(caller))
        if number % 3 == 0:
            studio.database.advance(SECOND)
    return sorted(jobs, key=lambda job: (job.created_at, job.id), reverse=True)


def pages(studio: Studio, caller: Caller, *, limit: int) -> Iterator[tuple[list[str], bool]]:
    """Yield the ids of every page and whether more follow."""
    after, has_more = None, True
    while has_more:
        page = studio.jobs.list_jobs(caller, limit=limit, after=after)
        has_more = page.has_more
        yield [job.id for job in page.jobs], has_more
        after = page.jobs[-1].id


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8])
def test_pages_hold_every_job_once_and_newest_first(
    studio: Studio, caller: Caller, seven: list[Job], limit: int
) -> None:
    found = list(pages(studio, caller, limit=limit))

    assert [job_id for page, _ in found for job_id in page] == [job.id for job in seven]
    assert all(len(page) == limit for page, has_more in found if has_more)


@on_sqlite_only
def test_a_job_that_comes_while_somebody_pages_moves_nothing(
    studio: Studio, caller: Caller, seven: list[Job]
) -> None:
    first = studio.jobs.list_jobs(caller, limit=3)
    studio.database.advance(SECOND)
    studio.submit(caller)

    second = studio.jobs.list_jobs(caller, limit=10, after=first.jobs[-1].id)

    assert [job.id for job in second.jobs] == [job.id for job in seven[3:]]
    assert not second.has_more


@on_sqlite_only
def test_a_page_is_never_longer_than_the_service_allows(
    studio: Studio, caller: Caller, seven: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "MAX_PAGE", 3)

    page = studio.jobs.list_jobs(caller, limit=5)

    assert [job.id for job in page.jobs] == [job.id for job in seven[:3]]
    assert page.has_more


@on_sqlite_only
def test_an_account_without_jobs_has_an_empty_page(studio: Studio, caller: Caller) -> None:
    page = studio.jobs.list_jobs(caller)

    assert (page.jobs, page.has_more) == ((), False)


def test_lists_show_the_files_of_every_job(studio: Studio, caller: Caller) -> None:
    finished = studio.finished_job(caller, replace(LAKE, n=2))
    studio.database.advance(SECOND)
    studio.submit(caller)

    jobs = studio.jobs.list_jobs(caller).jobs

    assert [len(job.outputs) for job in jobs] == [0, 2]
    assert jobs[1].outputs == finished.outputs


def test_jobs_are_filtered_by_state_model_and_time(studio: Studio, caller: Caller) -> None:
    finished = studio.finished_job(caller)
    studio.database.advance(SECOND)
    queued = studio.submit(caller, replace(LAKE, model="paint"))

    def ids(**filters: object) -> list[str]:
        return [job.id for job in studio.jobs.list_jobs(caller, **filters).jobs]  # type: ignore[arg-type] # a table of filters

    assert ids(state=JobState.SUCCEEDED) == ids(model="sketch") == [finished.id]
    assert ids(state=JobState.QUEUED) == ids(model="paint") == [queued.id]
    assert ids(state=JobState.FAILED) == ids(kind=JobKind.VIDEO) == []
    assert ids(kind=JobKind.IMAGE) == [queued.id, finished.id]
    assert ids(created_after=START + SECOND) == [queued.id]
    assert ids(created_before=START + SECOND) == [finished.id]
    assert ids(created_after=START, created_before=START) == []


def ids_with(studio: Studio, caller: Caller, words: str) -> list[str]:
    return [job.id for job in studio.jobs.list_jobs(caller, search=words).jobs]


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("a quiet Lake at dawn", "lake"),
        ("a quiet lake at dawn", "dawn QUIET"),
        ("雪山下的湖", "湖"),
        ('say "cheese" to C:\\photos', '"cheese"'),
        ('say "cheese" to C:\\photos', "C:\\photos"),
        ("100% wool", "100%"),
        ("snake_case", "e_c"),
        ('"><img src=x onerror=alert(1)>', "<img"),
    ],
)
def test_jobs_are_found_by_words_of_their_prompts(
    studio: Studio, caller: Caller, prompt: str, words: str
) -> None:
    studio.submit(caller, replace(LAKE, prompt="nothing of that"))
    wanted = studio.submit(caller, replace(LAKE, prompt=prompt))

    assert ids_with(studio, caller, words) == [wanted.id]


def test_a_film_is_found_by_words_of_any_scene(studio: Studio, caller: Caller) -> None:
    cinema = open_cinema(studio)
    scenes = storyboard(SceneRequest(prompt="waves at dawn"), SceneRequest(prompt='a "big" tent'))
    film = cinema.studio.submit(caller, scenes)

    assert ids_with(cinema.studio, caller, "tent") == [film.id]
    assert ids_with(cinema.studio, caller, '"big" dawn') == [film.id]
    assert ids_with(cinema.studio, caller, "num_frames") == []


@pytest.mark.parametrize("words", ["lake sea", "model", "prompt", "%", "_", "sketch", "' OR 1=1"])
def test_only_prompts_are_searched_and_every_word_counts(
    studio: Studio, caller: Caller, words: str
) -> None:
    studio.submit(caller, LAKE)

    assert ids_with(studio, caller, words) == []


def test_a_search_finds_nothing_of_somebody_else(studio: Studio, caller: Caller) -> None:
    studio.submit(studio.new_caller("bob"), replace(LAKE, prompt="bob's lake"))

    assert ids_with(studio, caller, "lake") == []


def test_a_search_without_words_finds_everything(studio: Studio, caller: Caller) -> None:
    job = studio.submit(caller)

    assert ids_with(studio, caller, "  ") == [job.id]
