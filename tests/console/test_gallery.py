"""The gallery: pages, filters, words, archives; and each account its own."""

import io
import re
import zipfile
from collections.abc import Iterator

import pytest

from gen_video.console.routes import gallery as gallery_module
from gen_video.console.routes.gallery import clean_search
from gen_video.generation.states import JobState
from tests.api.conftest import worker_of
from tests.console.conftest import Console, run_console
from tests.console.studio import (
    DRAWING,
    FILM,
    HTMX,
    PICTURES,
    VIDEOS,
    card_id,
    post,
    submit,
    wait_for,
)

MISSING = "job_AAAAAAAAAAAAAAAAAAAAAA"
GALLERY = "/console/gallery"
_TILE = re.compile(r'id="thumb-(job_\w{22})"')
_NEXT = re.compile(r'hx-get="(/console/gallery\?[^"]+)"')


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Return a console whose member has two pictures of one job, a video, and one more picture."""
    for console in run_console(tmp_path_factory.mktemp("shelf")):
        with worker_of(console.services):
            for path, fields in (
                (PICTURES, DRAWING | {"prompt": "two blue lakes", "n": "2"}),
                (VIDEOS, FILM | {"scene_prompt": "waves at dawn"}),
                (PICTURES, DRAWING | {"prompt": "雪山下的湖"}),
            ):
                job = wait_for(console, card_id(post(console, path, fields)))
                assert job.state is JobState.SUCCEEDED
            yield console


def tiles(console: Console, query: str = "") -> list[str]:
    return _TILE.findall(console.client.get(GALLERY + query).text)


def test_the_newest_comes_first(shelf: Console) -> None:
    newest, film, lakes = tiles(shelf)
    text = shelf.client.get(GALLERY).text

    assert text.index("雪山下的湖") < text.index("waves at dawn") < text.index("two blue lakes")
    assert f"/console/files/videos/{film}_poster.jpg" in text
    assert f"/console/files/images/{lakes}_1.png" in text
    assert newest in text


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("?search=lakes+BLUE", [2]),
        ("?search=雪山", [0]),
        ("?search=dawn", [1]),
        ("?search=nothing+like+it", []),
        ("?kind=video", [1]),
        ("?kind=image", [0, 2]),
        ("?state=succeeded&model=test-double", [0, 1, 2]),
        ("?state=failed", []),
        ("?model=mini", []),
        ("?kind=nonsense&state=nonsense&model=nonsense", [0, 1, 2]),
        ("?search=%00%0A", [0, 1, 2]),
    ],
)
def test_jobs_are_searched_and_filtered(shelf: Console, query: str, places: list[int]) -> None:
    everything = tiles(shelf)

    assert tiles(shelf, query) == [everything[place] for place in places]


def test_nothing_found_is_said(shelf: Console) -> None:
    text = shelf.client.get(f"{GALLERY}?search=xyzzy", headers={"Accept-Language": "en"}).text

    assert "Nothing found" in text


def test_what_follows_is_fetched_without_the_page_around_it(
    shelf: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery_module, "PAGE", 2)
    first = shelf.client.get(f"{GALLERY}?state=succeeded").text
    (more,) = _NEXT.findall(first)

    rest = shelf.client.get(more.replace("&amp;", "&"), headers=HTMX).text

    assert len(_TILE.findall(first)) == 2
    assert len(_TILE.findall(rest)) == 1
    assert "<html" not in rest
    assert _NEXT.findall(rest) == []
    assert "state=succeeded" in more


def test_without_scripts_what_follows_is_a_page(
    shelf: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery_module, "PAGE", 2)
    (more,) = _NEXT.findall(shelf.client.get(GALLERY).text)

    text = shelf.client.get(more.replace("&amp;", "&"), headers={"Accept-Language": "en"}).text

    assert "<html" in text
    assert "Back to the newest" in text


def test_chosen_jobs_are_one_archive(shelf: Console) -> None:
    answer = post(shelf, f"{GALLERY}/archive", {"job": tiles(shelf)})

    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
        assert sorted(name.rpartition(".")[2] for name in names) == ["mp4", "png", "png", "png"]
        assert archive.read(names[0]).startswith(b"\x89PNG")
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"].startswith('attachment; filename="gen_video-')


@pytest.mark.parametrize("job_id", [MISSING, "' OR 1=1", "../../x"])
def test_an_archive_of_what_is_not_there_is_refused(shelf: Console, job_id: str) -> None:
    answer = post(shelf, f"{GALLERY}/archive", {"job": [*tiles(shelf), job_id]})

    assert answer.status_code == 404


def test_nobody_sees_or_packs_the_jobs_of_somebody_else(shelf: Console) -> None:
    mine = tiles(shelf)

    foreign = post(shelf, f"{GALLERY}/archive", {"job": mine[:1]}, client=shelf.owner)
    missing = post(shelf, f"{GALLERY}/archive", {"job": [MISSING]}, client=shelf.owner)

    assert _TILE.findall(shelf.owner.get(GALLERY).text) == []
    assert foreign.status_code == missing.status_code == 404
    assert foreign.text == missing.text
    assert shelf.owner.get(f"{GALLERY}/tile/{mine[0]}").status_code == 404


def test_a_job_without_files_cannot_be_packed(console: Console) -> None:
    answer = post(console, f"{GALLERY}/archive", {"job": [submit(console)]})

    assert answer.status_code == 422
    assert "None of these has a file" in answer.text


def test_a_tile_of_a_job_that_waits_asks_again_and_a_finished_one_does_not(
    console: Console, shelf: Console
) -> None:
    waiting = submit(console)

    assert 'hx-trigger="every 3s"' in console.client.get(f"{GALLERY}/tile/{waiting}").text
    assert "hx-trigger" not in shelf.client.get(f"{GALLERY}/tile/{tiles(shelf)[0]}").text


def test_an_empty_gallery_leads_to_the_playground(console: Console) -> None:
    text = console.client.get(GALLERY, headers={"Accept-Language": "en"}).text

    assert "Nothing here yet" in text
    assert 'href="/console/playground"' in text


def test_what_a_database_cannot_look_for_is_left_out_of_a_search() -> None:
    assert clean_search(" a\x00b\ud800c\n" + "x" * 300)[:5] == "a b c"
    assert len(clean_search("x" * 300)) == 200
