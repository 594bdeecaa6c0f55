"""Requests that change something come from our own pages in the same session, or are refused."""

import re

import pytest
from fastapi.routing import APIRoute, APIRouter
from starlette.testclient import TestClient

from tests.console.conftest import ORIGIN, Console, find_token

UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
OURS = ("/console", "/sign-", "/preferences")
FOREIGN: dict[str, dict[str, str]] = {
    "absent": {},
    "null": {"Origin": "null"},
    "foreign": {"Origin": "https://evil.example"},
    "another port": {"Origin": "http://127.0.0.1:8001"},
    "another scheme": {"Origin": "https://127.0.0.1:8000"},
    "a longer name": {"Origin": f"{ORIGIN}.evil.example"},
    "another site, says the browser": {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"},
    "a sister host, says the browser": {"Origin": ORIGIN, "Sec-Fetch-Site": "same-site"},
}


def list_routes(console: Console) -> list[tuple[str, str]]:
    """Return method and path of every route of the console, whichever router it is on."""
    routers = [getattr(found, "original_router", None) for found in console.app.routes]
    return [
        (method, re.sub(r"\{[^}]+\}", "x", route.path))
        for router in routers
        if isinstance(router, APIRouter)
        for route in router.routes
        if isinstance(route, APIRoute) and route.path.startswith(OURS)
        for method in sorted(route.methods or set())
    ]


def list_unsafe(console: Console) -> list[tuple[str, str]]:
    """Return the routes that change something."""
    return [route for route in list_routes(console) if route[0] in UNSAFE]


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=list(FOREIGN))
def test_nothing_is_changed_for_a_foreign_page(standing: Console, headers: dict[str, str]) -> None:
    """Even with the right cookie and the right token."""
    token = find_token(standing.owner)
    routes = list_unsafe(standing)

    answers = {
        route: standing.owner.request(
            *route, headers={**headers, "X-CSRF-Token": token}, follow_redirects=False
        ).status_code
        for route in routes
    }

    assert len(routes) > 5
    assert set(answers.values()) == {403}, answers


@pytest.mark.parametrize("token", ["", "x", "A" * 86 + "==", "é"])
def test_nothing_is_changed_without_the_token(standing: Console, token: str) -> None:
    answers = {
        route: standing.owner.request(
            *route,
            headers={b"Origin": ORIGIN.encode(), b"X-CSRF-Token": token.encode()},
            follow_redirects=False,
        ).status_code
        for route in list_unsafe(standing)
        if route[1].startswith("/console")
    }

    assert set(answers.values()) == {403}, answers


def test_a_token_of_another_session_is_refused(standing: Console) -> None:
    theirs = find_token(standing.client)

    answer = standing.owner.post(
        "/console/account/sessions/end-others",
        headers={"Origin": ORIGIN, "X-CSRF-Token": theirs},
        follow_redirects=False,
    )

    assert answer.status_code == 403


def test_the_token_looks_different_on_every_page_and_stays_good(console: Console) -> None:
    tokens = [find_token(console.client) for _ in range(3)]

    answers = [
        console.client.post(
            "/console/account/sessions/end-others",
            headers={"Origin": ORIGIN, "X-CSRF-Token": token},
            follow_redirects=False,
        ).status_code
        for token in tokens
    ]

    assert len(set(tokens)) == 3
    assert answers == [303, 303, 303]


def test_the_api_knows_no_cookie(standing: Console) -> None:
    answers = [
        standing.owner.get("/api/v1/quota").status_code,
        standing.owner.get("/v1/models").status_code,
        standing.owner.post("/api/v1/images/generate", json={"prompt": "x"}).status_code,
    ]

    assert answers == [401, 401, 401]


def test_the_address_that_browsers_use_may_differ_from_ours(console: Console) -> None:
    """Behind a proxy that speaks TLS, browsers name the public address."""
    settings = console.services.settings.model_copy(update={"public_url": "https://gv.example"})
    object.__setattr__(console.services, "settings", settings)
    browser = console.new_browser()

    answer = browser.post(
        "/sign-in/development",
        data={"name": "test_user"},
        headers={"Origin": "https://gv.example"},
        follow_redirects=False,
    )

    assert answer.status_code == 303
    assert answer.headers["set-cookie"].startswith("__Host-gv_session=")
    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil", "javascript:alert(1)",
     "/a\r\nSet-Cookie: x=1", "///evil.example", "/ /evil", "/sign-in?next=/sign-in"],
)  # fmt: skip
def test_signing_in_leads_to_a_page_of_ours(standing: Console, path: str) -> None:
    browser = standing.new_browser()

    answer = browser.post(
        "/sign-in/development",
        data={"name": "test_user", "next": path},
        headers={"Origin": ORIGIN},
        follow_redirects=False,
    )

    assert answer.headers["location"].startswith("/console/")


def test_signing_in_leads_back_to_where_one_wanted_to_go(standing: Console) -> None:
    browser = standing.new_browser()
    first = browser.get("/console/account?done=sessions", follow_redirects=False)

    page = browser.get(first.headers["location"])
    answer = browser.post(
        "/sign-in/development",
        data={"name": "test_user", "next": "/console/account?done=sessions"},
        headers={"Origin": ORIGIN},
        follow_redirects=False,
    )

    assert (first.status_code, page.status_code) == (303, 200)
    assert 'value="/console/account?done=sessions"' in page.text
    assert answer.headers["location"] == "/console/account?done=sessions"


def _statuses(client: TestClient, *paths: str) -> list[int]:
    return [client.get(path, follow_redirects=False).status_code for path in paths]


def test_pages_of_accounts_lead_visitors_to_the_sign_in(standing: Console) -> None:
    paths = [
        path
        for method, path in list_routes(standing)
        if method == "GET" and path.startswith("/console/")
    ]

    assert paths
    assert set(_statuses(standing.visitor, *paths)) == {303}
