"""Pages of jobs, their files and their events: what happened, what can be done, and by whom."""

import json
from collections.abc import Iterator

import pytest

from gen_video.generation.states import JobState
from tests.api.conftest import worker_of
from tests.console.conftest import Console, enter, run_console
from tests.console.studio import (
    VIDEOS,
    card_id,
    job_of,
    post,
    submit,
    wait_for,
)

MISSING = "job_AAAAAAAAAAAAAAAAAAAAAA"
ENGLISH = {"Accept-Language": "en"}


@pytest.fixture(scope="module")
def working(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Return a console whose jobs are done.

    The browser that began as a visitor is the member's too: it alone shares the event loop on
    which the process follows jobs.
    """
    for console in run_console(tmp_path_factory.mktemp("jobs")):
        enter(console.visitor, "test_user")
        with worker_of(console.services):
            yield console


@pytest.fixture(scope="module")
def picture(working: Console) -> str:
    job_id = submit(working, prompt="a lake", seed="77")
    assert wait_for(working, job_id).state is JobState.SUCCEEDED
    return job_id


@pytest.fixture(scope="module")
def film(working: Console) -> str:
    job_id = submit(working, VIDEOS)
    assert wait_for(working, job_id).state is JobState.SUCCEEDED
    return job_id


def test_a_page_tells_parameters_times_and_cost(working: Console, picture: str) -> None:
    text = working.client.get(f"/console/jobs/{picture}", headers=ENGLISH).text

    for words in ("a lake", "64 × 64", "77", "Test double", "Accepted", "1 picture", picture):
        assert words in text


def test_a_film_has_a_player_with_its_poster(working: Console, film: str) -> None:
    text = working.client.get(f"/console/jobs/{film}").text

    assert f'src="/console/files/videos/{film}.mp4"' in text
    assert f'poster="/console/files/videos/{film}_poster.jpg"' in text


def test_code_names_this_service(working: Console, picture: str) -> None:
    text = working.client.get(f"/console/jobs/{picture}/code").text

    assert "http://127.0.0.1:8000/api/v1/images/generate" in text
    assert "OpenAI SDK" in text


def test_cancelling_gives_the_units_back(console: Console) -> None:
    job_id = submit(console, n="2")

    answer = post(console, f"/console/jobs/{job_id}/cancel")

    assert job_of(console, job_id).state is JobState.CANCELED
    assert card_id(answer) == job_id
    assert "data-live" not in answer.text
    assert 'data-images="10"' in console.client.get("/console/quota").text


def test_cancelling_what_has_ended_is_refused(working: Console, picture: str) -> None:
    assert post(working, f"/console/jobs/{picture}/cancel").status_code == 409


def test_deleting_erases_the_files_and_the_page_stays(working: Console) -> None:
    job_id = submit(working)
    name = wait_for(working, job_id).outputs[0].public_name

    answer = working.post(working.client, f"/console/jobs/{job_id}/delete")

    assert (answer.status_code, answer.headers["location"]) == (303, f"/console/jobs/{job_id}")
    assert working.client.get(f"/console/files/{name}").status_code == 410
    text = working.client.get(f"/console/jobs/{job_id}", headers=ENGLISH).text
    assert "The files were deleted." in text
    assert job_id not in working.client.get("/console/gallery").text


def test_a_failed_job_says_why_and_cost_nothing(working: Console) -> None:
    job_id = submit(working, prompt="fail=9")
    assert wait_for(working, job_id).state is JobState.FAILED

    text = working.client.get(f"/console/jobs/{job_id}", headers=ENGLISH).text

    assert 'role="alert"' in text
    assert "0 pictures" in text


@pytest.mark.parametrize("part", ["", "/card", "/code", "/events"])
@pytest.mark.parametrize("who", ["foreign", "missing"])
def test_a_foreign_job_is_a_missing_one(
    working: Console, picture: str, part: str, who: str
) -> None:
    job_id = picture if who == "foreign" else MISSING

    assert working.owner.get(f"/console/jobs/{job_id}{part}").status_code == 404


@pytest.mark.parametrize("part", ["cancel", "delete"])
def test_nobody_touches_the_jobs_of_somebody_else(
    working: Console, picture: str, part: str
) -> None:
    answer = post(working, f"/console/jobs/{picture}/{part}", client=working.owner)

    assert answer.status_code == 404
    assert job_of(working, picture).deleted_at is None


def test_events_end_with_the_job(working: Console) -> None:
    job_id = submit(working, prompt="sleep=1", num_inference_steps="8")

    with working.visitor.stream("GET", f"/console/jobs/{job_id}/events") as answer:
        events = _parse("".join(answer.iter_text()))

    names = [name for name, _ in events]
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert set(names[:-1]) <= {"progress", "preview"}
    assert "progress" in names
    assert events[-1] == ("end", {"state": "succeeded"})
    assert any(
        str(data["src"]).startswith("data:image/") for name, data in events if name == "preview"
    )


def test_events_of_a_finished_job_say_so_at_once(working: Console, picture: str) -> None:
    text = working.visitor.get(f"/console/jobs/{picture}/events").text

    assert _parse(text) == [("end", {"state": "succeeded"})]


def _parse(text: str) -> list[tuple[str, dict[str, object]]]:
    found = []
    for block in filter(None, text.split("\n\n")):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


def test_a_file_is_its_owner_s_alone(working: Console, picture: str) -> None:
    path = f"/console/files/images/{picture}.png"

    mine = working.client.get(path)

    assert mine.content.startswith(b"\x89PNG")
    assert mine.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert mine.headers["cache-control"] == "private, max-age=60"
    assert working.owner.get(path).status_code == 404
    assert working.new_browser().get(path, follow_redirects=False).status_code == 303


def test_a_file_is_saved_compared_and_read_in_parts(working: Console, film: str) -> None:
    path = f"/console/files/videos/{film}.mp4"
    whole = working.client.get(path)

    saved = working.client.get(f"{path}?download")
    same = working.client.get(path, headers={"If-None-Match": whole.headers["etag"]})
    part = working.client.get(path, headers={"Range": "bytes=4-7"})

    assert saved.headers["content-disposition"] == f'attachment; filename="{film}.mp4"'
    assert (same.status_code, same.content) == (304, b"")
    assert (part.status_code, part.content) == (206, b"ftyp")


@pytest.mark.parametrize(
    "name", ["images/..%2f..%2fetc%2fpasswd", "images/x.png", f"images/{MISSING}.png", "a/b"]
)
def test_what_is_no_file_is_missing(working: Console, name: str) -> None:
    assert working.client.get(f"/console/files/{name}").status_code == 404
