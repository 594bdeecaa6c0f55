"""Sessions: they begin anew, they end for good, and passwords cannot be tried out."""

import re
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, update
from starlette.testclient import TestClient

from gen_video.accounts import passwords, sessions, tables
from gen_video.accounts.models import Role
from tests.console.conftest import ORIGIN, PASSWORD, Console, run_console

ACCOUNT = "/console/account"


@pytest.fixture
def ann(console: Console) -> str:
    """Return the address of a user with a password."""
    return add_user(console, "ann")


def add_user(console: Console, name: str) -> str:
    email = f"{name}@example.com"
    console.services.people.create(name, plan_id="free", email=email)
    console.services.people.set_password(name, PASSWORD)
    return email


def sign_in(client: TestClient, email: str, password: str = PASSWORD) -> int:
    return client.post(
        "/sign-in",
        data={"email": email, "password": password},
        headers={"Origin": ORIGIN},
        follow_redirects=False,
    ).status_code


def is_in(client: TestClient) -> bool:
    return client.get(ACCOUNT, follow_redirects=False).status_code == 200


def age(console: Console, column: str, by: timedelta) -> None:
    """Make every session older."""

    def work(connection: Connection) -> None:
        rows = connection.execute(select(tables.sessions)).all()
        for row in rows:
            moment = getattr(row, column) - by
            connection.execute(
                update(tables.sessions)
                .where(tables.sessions.c.id == row.id)
                .values({column: moment})
            )

    console.services.database.write(work)


def test_one_signs_in_with_e_mail_and_password(console: Console, ann: str) -> None:
    browser = console.new_browser()

    assert sign_in(browser, f" {ann.upper()} ") == 303
    assert "ann" in browser.get(ACCOUNT).text


def test_an_old_cookie_is_worthless_after_signing_out(console: Console) -> None:
    token = console.client.cookies["gv_session"]
    console.post(console.client, "/sign-out")
    thief = console.new_browser()
    thief.cookies.set("gv_session", token)

    assert not is_in(thief)
    assert not is_in(console.client)


def test_signing_in_begins_a_new_session_and_ends_the_old_one(console: Console) -> None:
    """Whoever laid a cookie in somebody's browser has nothing of it."""
    laid = console.client.cookies["gv_session"]
    console.post(console.client, "/sign-in/development", {"name": "owner"})
    thief = console.new_browser()
    thief.cookies.set("gv_session", laid)

    assert console.client.cookies["gv_session"] != laid
    assert not is_in(thief)


@pytest.mark.parametrize(
    ("column", "by", "stays"),
    [
        ("seen_at", sessions.IDLE - timedelta(minutes=5), True),
        ("seen_at", sessions.IDLE, False),
        ("expires_at", sessions.LIFETIME - timedelta(minutes=5), True),
        ("expires_at", sessions.LIFETIME, False),
    ],
)
def test_sessions_end_unused_and_old(
    console: Console, column: str, by: timedelta, *, stays: bool
) -> None:
    age(console, column, by)

    assert is_in(console.client) == stays


def test_use_keeps_a_session_alive(console: Console) -> None:
    age(console, "seen_at", timedelta(hours=11))
    assert is_in(console.client)

    age(console, "seen_at", timedelta(hours=11))

    assert is_in(console.client)


def test_a_disabled_account_is_out_at_once(console: Console) -> None:
    console.services.accounts.set_disabled("test_user", is_disabled=True)

    assert not is_in(console.client)


def test_the_cookie_is_for_the_server_alone(console: Console) -> None:
    answer = console.post(console.new_browser(), "/sign-in/development", {"name": "owner"})
    cookie = answer.headers["set-cookie"]

    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


def test_the_database_knows_no_token(console: Console) -> None:
    token = console.client.cookies["gv_session"]

    rows = console.services.database.read(
        lambda connection: connection.execute(select(tables.sessions)).all()
    )

    assert rows
    assert token not in str(rows)


def test_changing_the_password_ends_the_other_sessions(console: Console, ann: str) -> None:
    here, there = console.new_browser(), console.new_browser()
    assert (sign_in(here, ann), sign_in(there, ann)) == (303, 303)

    wrong = console.post(here, f"{ACCOUNT}/password", {"current": "x", "new": "a new long one"})
    weak = console.post(here, f"{ACCOUNT}/password", {"current": PASSWORD, "new": "short"})
    right = console.post(
        here, f"{ACCOUNT}/password", {"current": PASSWORD, "new": "a new long one"}
    )

    assert (wrong.status_code, weak.status_code, right.status_code) == (422, 422, 303)
    assert is_in(here)
    assert not is_in(there)
    assert sign_in(there, ann) == 401
    assert sign_in(there, ann, "a new long one") == 303


def test_one_can_sign_out_elsewhere(console: Console, ann: str) -> None:
    here, there, third = (console.new_browser() for _ in range(3))
    for browser in (here, there, third):
        sign_in(browser, ann)
    session = sessions.session_id(there.cookies["gv_session"])

    one = console.post(here, f"{ACCOUNT}/sessions/{session}/end")
    assert (one.status_code, is_in(there), is_in(third)) == (303, False, True)
    others = console.post(here, f"{ACCOUNT}/sessions/end-others")
    assert (others.status_code, is_in(third), is_in(here)) == (303, False, True)


def test_nobody_ends_sessions_of_others(console: Console) -> None:
    session = sessions.session_id(console.owner.cookies["gv_session"])

    answer = console.post(console.client, f"{ACCOUNT}/sessions/{session}/end")

    assert answer.status_code == 404
    assert is_in(console.owner)


def test_wrong_passwords_keep_one_waiting(
    console: Console, ann: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "FREE_FAILURES", 2)
    browser = console.new_browser()

    answers = [sign_in(browser, ann, "wrong password") for _ in range(4)]

    assert answers == [401] * 2 + [429] * 2
    assert sign_in(browser, ann) == 429
    assert sign_in(browser, add_user(console, "bob")) == 303


def test_guesses_at_once_get_no_further(console: Console, ann: str) -> None:
    """An attempt counts before its password is looked at."""
    service = console.services.sign_ins
    bucket = "b" * 64
    for _ in range(5):
        service._count_attempt(bucket)

    with pytest.raises(Exception, match="Too many failed attempts"):
        service._count_attempt(bucket)


def test_unknown_addresses_get_the_same_words_and_the_same_waiting(
    console: Console, ann: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "FREE_FAILURES", 1)
    known, unknown = console.new_browser(), console.new_browser()

    def attempt(client: TestClient, email: str) -> tuple[int, str]:
        answer = client.post(
            "/sign-in",
            data={"email": email, "password": "wrong password"},
            headers={"Origin": ORIGIN},
        )
        return answer.status_code, re.sub(r"\d+ s", "", answer.text.replace(email, ""))

    pairs = [(attempt(known, ann), attempt(unknown, "eve@example.com")) for _ in range(2)]

    assert [left[0] for left, _ in pairs] == [401, 429]
    assert all(left == right for left, right in pairs)


def test_unknown_addresses_take_as_long_as_known_ones(console: Console, ann: str) -> None:
    """Both compare a hash; without one the difference would be tenfold."""
    service = console.services.sign_ins
    assert len(service._nobody) == len(service._nobody)
    seconds = []
    for email in (ann, "eve@example.com"):
        started = time.perf_counter()
        sign_in(console.new_browser(), email, "wrong password")
        seconds.append(time.perf_counter() - started)

    assert min(seconds) > 0.25 * max(seconds)


def test_an_api_key_opens_the_console_in_development(console: Console) -> None:
    browser = console.new_browser()

    wrong = console.post(browser, "/sign-in/key", {"key": "gv_live_x"})
    right = console.post(browser, "/sign-in/key", {"key": "demo-key-456"})

    assert (wrong.status_code, right.status_code) == (401, 303)
    assert "demo_user" in browser.get(ACCOUNT).text


def test_the_guest_is_no_admin_and_the_owner_is(console: Console) -> None:
    roles = {row.name: row.role for row in console.services.accounts.list_accounts()}

    assert roles["owner"] is Role.ADMIN
    assert roles["test_user"] is roles["demo_user"] is Role.MEMBER


def test_production_has_one_way_in(tmp_path: Path) -> None:
    from pydantic import SecretStr  # noqa: PLC0415 - for this test alone

    from gen_video.settings import Environment  # noqa: PLC0415

    for console in run_console(
        tmp_path, environment=Environment.PRODUCTION, secret_key=SecretStr("s" * 40)
    ):
        browser = console.new_browser()
        page = browser.get("/sign-in")
        names = {"test_user", "owner"}

        answers = [
            console.post(browser, "/sign-in/development", {"name": name}).status_code
            for name in names
        ]
        by_key = console.post(browser, "/sign-in/key", {"key": "test-key-123"})

        assert answers == [404, 404]
        assert by_key.status_code == 404
        assert "/sign-in/key" not in page.text
        assert "/sign-in/development" not in page.text + browser.get("/").text


def test_the_key_of_browsers_opens_no_door(console: Console) -> None:
    signed_in = console.services.sign_ins.find(console.client.cookies["gv_session"])
    assert signed_in is not None
    account = signed_in.caller.account_id

    answers = [
        console.visitor.get("/api/v1/quota", headers={"X-API-Key": key}).status_code
        for key in (f"console:{account}", signed_in.caller.key_id, "", "0" * 64)
    ]

    assert answers == [401] * 4
    assert "console" not in {row.label for row in console.services.accounts.list_keys()}
