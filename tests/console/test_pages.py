"""What holds for every page: headers, weight, languages, and user text that stays text."""

import gzip
import re
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, update
from starlette.testclient import TestClient

from gen_video.accounts.tables import accounts
from tests.console.conftest import Console, run_console
from tests.console.pages import PAGES, Page

HOSTILE = '"><img src=x onerror=alert(1)>'
MAX_BYTES = 150_000
MAX_SECONDS = 0.2
STATIC = re.compile(r'(?:src|href)="(/console/static/[^"]+)"')
PLAIN = [page for page in PAGES if "{" not in page.path]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Return a console whose users have hostile names and addresses."""

    def rename(connection: Connection) -> None:
        connection.execute(
            update(accounts)
            .where(accounts.c.name.in_(["test_user", "owner"]))
            .values(name=accounts.c.name + HOSTILE, email=accounts.c.name + HOSTILE)
        )

    for console in run_console(tmp_path_factory.mktemp("hostile")):
        console.services.database.write(rename)
        yield console


def look(console: Console, page: Page) -> TestClient:
    return {"visitor": console.visitor, "member": console.client, "owner": console.owner}[page.who]


@pytest.mark.parametrize("page", PLAIN, ids=lambda page: page.name)
def test_nothing_foreign_gets_into_a_page(standing: Console, page: Page) -> None:
    headers = look(standing, page).get(page.path).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))

    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in str(policy)
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("page", PLAIN, ids=lambda page: page.name)
def test_every_page_is_there_in_both_languages(standing: Console, page: Page) -> None:
    browser = look(standing, page)

    answers = {
        language: browser.get(page.path, headers={"Accept-Language": language})
        for language in ("zh-CN", "en")
    }

    for language, answer in answers.items():
        assert answer.status_code == (404 if page.name == "missing" else 200)
        assert f'<html lang="{language}"' in answer.text
        assert "Cookie" in answer.headers["vary"]
    words = {re.search(r"<title>(.*?)</title>", answer.text) for answer in answers.values()}
    assert len({found[1] for found in words if found}) == 2


@pytest.mark.parametrize("page", PLAIN, ids=lambda page: page.name)
def test_a_hostile_name_is_text(hostile: Console, page: Page) -> None:
    text = look(hostile, page).get(f"{page.path}?next={HOSTILE}&done={HOSTILE}").text

    assert "<img src=x" not in text
    assert page.who == "visitor" or "&gt;&lt;img src=x" in text


@pytest.mark.parametrize("page", PLAIN, ids=lambda page: page.name)
def test_a_page_is_light_and_quick(standing: Console, page: Page) -> None:
    """Its weight: all that it needs but pictures, as it is sent to a browser."""
    browser = look(standing, page)
    browser.get(page.path)

    started = time.perf_counter()
    answer = browser.get(page.path)
    seconds = time.perf_counter() - started

    names = {
        name for name in STATIC.findall(answer.text) if not name.split("?")[0].endswith("webp")
    }
    parts = [browser.get(name) for name in names]
    sent = len(gzip.compress(answer.content)) + sum(
        len(gzip.compress(part.content)) for part in parts
    )
    assert all(part.status_code == 200 for part in parts)
    assert all("immutable" in part.headers["cache-control"] for part in parts)
    assert sent < MAX_BYTES
    assert seconds < MAX_SECONDS


@pytest.mark.parametrize("theme", ["light", "dark", "auto"])
def test_the_chosen_colours_stay(console: Console, theme: str) -> None:
    answer = console.post(
        console.visitor, "/preferences/theme", {"theme": theme, "back": "/sign-in"}
    )

    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert f'data-theme="{theme}"' in console.visitor.get("/").text


def test_the_chosen_language_wins_over_the_browser(console: Console) -> None:
    console.post(console.visitor, "/preferences/language", {"language": "zh"})

    page = console.visitor.get("/", headers={"Accept-Language": "en"})
    error = console.visitor.get("/nothing", headers={"Accept-Language": "en"})

    assert '<html lang="zh-CN"' in page.text
    assert '<html lang="zh-CN"' in error.text
    assert "该地址不存在" in error.text


@pytest.mark.parametrize(
    ("path", "accept", "kind"),
    [
        ("/nothing", "text/html", "text/html"),
        ("/nothing", "*/*", "application/problem+json"),
        ("/api/v1/nothing", "text/html", "application/problem+json"),
        ("/v1/nothing", "text/html", "application/problem+json"),
        ("/console/nothing", "text/html", "text/html"),
        ("/console/nothing", "*/*", "text/html"),
        ("/console/nothing", "application/json", "application/problem+json"),
    ],
)
def test_errors_are_pages_for_people_and_problems_for_programs(
    standing: Console, path: str, accept: str, kind: str
) -> None:
    answer = standing.visitor.get(path, headers={"Accept": accept})

    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith(kind)


def test_an_error_in_a_part_of_a_page_is_told_at_its_edge(standing: Console) -> None:
    answer = standing.client.get("/console/nothing", headers={"HX-Request": "true"})

    assert answer.status_code == 404
    assert answer.headers["hx-retarget"] == "#toasts"
    assert "<html" not in answer.text


def test_a_part_of_a_page_leads_to_the_sign_in(standing: Console) -> None:
    answer = standing.visitor.get(
        "/console/account", headers={"HX-Request": "true"}, follow_redirects=False
    )

    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/sign-in")


def test_a_crash_is_a_page_that_says_nothing_of_its_cause(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(_: object) -> None:
        raise RuntimeError("secret of the inside")

    monkeypatch.setattr(type(console.services.sign_ins), "list_sessions", crash)

    answer = console.client.get("/console/account", headers={"Accept-Language": "en"})

    assert answer.status_code == 500
    assert answer.headers["content-type"].startswith("text/html")
    assert "content-security-policy" in answer.headers
    assert "Something went wrong" in answer.text
    assert "secret" not in answer.text


def test_a_draining_process_says_so_on_a_page(console: Console) -> None:
    console.app.state.drain._is_draining = True

    answer = console.post(console.visitor, "/sign-in", {"email": "a@b.cd", "password": "x"})

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert "<html" in answer.text


def test_the_console_is_no_part_of_the_api_s_document(standing: Console) -> None:
    document = standing.visitor.get("/openapi.json").json()

    assert not [path for path in document["paths"] if path.startswith(("/console", "/sign"))]


def test_prices_and_quotas_come_from_the_database(console: Console) -> None:
    from dataclasses import replace  # noqa: PLC0415 - for this test alone

    free = console.services.accounts.get_plan("free")
    console.services.accounts.save_plan(replace(free, title_en="Garden", images_per_day=4321))

    page = console.visitor.get("/", headers={"Accept-Language": "en"}).text

    assert "Garden" in page
    assert "4,321" in page
