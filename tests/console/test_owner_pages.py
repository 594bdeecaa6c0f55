"""Owner pages: for admins alone; what they do is done, and written down."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gen_video.audit_log.models import Action, Entry
from gen_video.generation.execution import WorkerProfile
from gen_video.generation.orders import OrderAction
from tests.console.conftest import ORIGIN, Console, find_token, run_console
from tests.console.test_requests import list_routes

OWNER = "/console/owner"
WORKER = "here-1-abcdef"
MODEL = "test-double"


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    yield from run_console(tmp_path, rate_limits=False)


def see_worker(console: Console) -> None:
    """Let a worker give a sign of life."""
    profile = WorkerProfile(
        worker_id=WORKER, queues=("default.image", "default.video"), models=(MODEL,)
    )
    console.services.execution.see_worker(
        profile, host="here", pid=1, resident=[MODEL], state="running"
    )


def deeds(console: Console) -> list[Entry]:
    """Return what the owner did, oldest first."""
    page = console.services.audit_log.list_entries(limit=100)
    return [entry for entry in page.entries[::-1] if entry.actor.name == "owner"]


def test_for_everybody_else_there_are_no_such_pages(console: Console) -> None:
    token = find_token(console.client)
    headers = {"Origin": ORIGIN, "X-CSRF-Token": token}
    routes = [route for route in list_routes(console) if route[1].startswith(OWNER)]

    answers = {
        route: console.client.request(*route, headers=headers, follow_redirects=False).status_code
        for route in routes
    }

    assert len(routes) > 15
    assert set(answers.values()) == {404}, answers
    assert OWNER not in console.client.get("/console/account").text
    assert deeds(console) == []


def test_the_overview_measures_against_the_targets(console: Console) -> None:
    text = console.owner.get(OWNER).text

    for target in ("over 90%", "under 60 s", "5 to 10 a day"):
        assert f"Target: {target}" in text
    assert console.owner.get(f"{OWNER}/tiles").text.count('class="tile') >= 8


def test_a_user_is_added_moved_closed_and_given_what_opens_the_door(console: Console) -> None:
    form = {"name": "eve", "email": "eve@example.com", "plan_id": "free", "role": "member"}
    user = f"{OWNER}/users/eve"

    made = console.post(console.owner, f"{OWNER}/users", form)
    key = console.post(console.owner, f"{user}/keys", {"label": "first"})
    password = console.post(console.owner, f"{user}/password")
    console.post(console.owner, f"{user}/plan", {"plan_id": "paid"})
    console.post(console.owner, f"{user}/role", {"role": "admin"})
    console.post(console.owner, f"{user}/access", {"is_disabled": "true"})

    assert made.headers["location"] == f"{user}?done=created"
    assert re.search(r"gv_live_\w{40,}", key.text)
    assert "shown this once" in password.text
    text = console.owner.get(user).text
    assert ("Disabled" in text, "Admin" in text) == (True, True)
    (row,) = console.services.accounts.list_keys("eve")
    console.post(console.owner, f"{user}/keys/{row.id}/revoke")
    assert [entry.action for entry in deeds(console)] == [
        Action.USER_CREATED,
        Action.USER_EMAIL_CHANGED,
        Action.KEY_CREATED,
        Action.USER_PASSWORD_SET,
        Action.USER_PLAN_CHANGED,
        Action.USER_ROLE_CHANGED,
        Action.USER_DISABLED,
        Action.KEY_REVOKED,
    ]


def test_a_key_is_ended_on_the_page_of_its_user_alone(console: Console) -> None:
    (row, *_) = console.services.accounts.list_keys("demo_user")

    answer = console.post(console.owner, f"{OWNER}/users/test_user/keys/{row.id}/revoke")

    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"name": "test_user"}, 409),
        ({"name": "two words"}, 422),
        ({"name": ""}, 422),
        ({"name": "eve", "email": "nobody"}, 422),
        ({"name": "eve", "plan_id": "none"}, 404),
        ({"name": "eve", "role": "god"}, 422),
    ],
)
def test_a_user_that_cannot_be_is_not_added(
    console: Console, form: dict[str, str], status: int
) -> None:
    before = len(console.services.accounts.list_accounts())

    assert console.post(console.owner, f"{OWNER}/users", form).status_code == status

    assert len(console.services.accounts.list_accounts()) == before


def test_users_are_searched_and_paged(console: Console) -> None:
    for number in range(60):
        console.services.accounts.create_account(f"user-{number:02}", plan_id="free")

    first = console.owner.get(f"{OWNER}/users?search=USER-").text
    (more,) = re.findall(r'href="([^"]+after=user-49[^"]*)"', first)
    rest = console.owner.get(more.replace("&amp;", "&")).text

    assert ("user-00" in first, "user-50" in first, "test_user" in first) == (True, False, False)
    assert ("user-48" in rest, "user-50" in rest, "user-59" in rest) == (False, True, True)
    assert "No such user" in console.owner.get(f"{OWNER}/users?search=%25").text


def test_a_plan_is_changed_and_another_added(console: Console) -> None:
    saved = console.post(console.owner, f"{OWNER}/plans/free", {"images_per_day": "12"})
    added = console.post(console.owner, f"{OWNER}/plans", {"plan_id": "team"})
    twice = console.post(console.owner, f"{OWNER}/plans", {"plan_id": "team"})

    assert [answer.status_code for answer in (saved, added, twice)] == [303, 303, 409]
    assert console.services.accounts.get_plan("free").images_per_day == 12
    assert console.services.accounts.get_plan("free").videos_per_day == 2
    assert [(e.subject, dict(e.facts).get("images_per_day")) for e in deeds(console)] == [
        ("free", "10 → 12"),
        ("team", "10"),
    ]


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("/free", {"images_per_day": "-1"}, 422),
        ("/free", {"images_per_day": "99999999999"}, 422),
        ("/free", {"weight": "0"}, 422),
        ("/none", {"weight": "1"}, 404),
        ("", {"plan_id": "Two Words"}, 422),
        ("", {"plan_id": "x" * 21}, 422),
        ("", {"plan_id": "x" * 41}, 422),
    ],
)
def test_a_plan_that_cannot_be_is_not_saved(
    console: Console, path: str, form: dict[str, str], status: int
) -> None:
    before = console.services.accounts.list_plans()

    assert console.post(console.owner, f"{OWNER}/plans{path}", form).status_code == status

    assert console.services.accounts.list_plans() == before


def test_a_worker_is_asked_to_drain_once(console: Console) -> None:
    see_worker(console)
    page = console.owner.get(f"{OWNER}/queue").text
    for _ in range(2):
        console.post(console.owner, f"{OWNER}/queue/workers/{WORKER}", {"action": "drain"})

    (order,) = console.services.workforce.list_pending(WORKER)

    assert WORKER in page
    assert order.action is OrderAction.DRAIN
    assert "Asked" in console.owner.get(f"{OWNER}/queue/live").text
    assert [(e.action, e.subject) for e in deeds(console)] == [(Action.WORKER_DRAIN, WORKER)]


def test_a_worker_is_asked_for_a_model(console: Console) -> None:
    see_worker(console)

    for action in ("check", "unload"):
        form = {"worker_id": WORKER, "action": action}
        answer = console.post(console.owner, f"{OWNER}/models/{MODEL}", form)
        assert answer.status_code == 303

    actions = [order.action for order in console.services.workforce.list_pending(WORKER)]
    assert actions == [OrderAction.CHECK, OrderAction.UNLOAD]
    assert "Under way" in console.owner.get(f"{OWNER}/models/live").text


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("queue/workers/gone", {"action": "drain"}, 404),
        (f"queue/workers/{WORKER}", {"action": "kill"}, 422),
        (f"models/{MODEL}", {"worker_id": "gone", "action": "load"}, 404),
        ("models/mini", {"worker_id": WORKER, "action": "load"}, 422),
        (f"models/{MODEL}", {"worker_id": WORKER, "action": "drain"}, 422),
    ],
)
def test_what_no_worker_can_do_is_not_asked(
    console: Console, path: str, form: dict[str, str], status: int
) -> None:
    see_worker(console)

    assert console.post(console.owner, f"{OWNER}/{path}", form).status_code == status

    assert console.services.workforce.list_orders().orders == ()


def test_the_queue_shows_who_waits_but_not_what_for(console: Console) -> None:
    see_worker(console)
    prompt = "a secret lake"
    made = console.visitor.post(
        "/api/v1/images/generate",
        json={"prompt": prompt, "width": 64, "height": 64},
        headers={"X-API-Key": "test-key-123", "Prefer": "respond-async"},
    )

    text = console.owner.get(f"{OWNER}/queue").text

    assert made.json()["task_id"] in text
    assert "test_user" in text
    assert prompt not in text


def test_the_audit_log_is_filtered_and_paged(console: Console) -> None:
    for number in range(55):
        console.services.accounts.create_account(f"user-{number:02}", plan_id="free")
    console.services.accounts.create_key("user-00")

    first = console.owner.get(f"{OWNER}/audit?action=user.created").text
    (more,) = re.findall(r'href="([^"]+after=aud_[^"]+)"', first)
    rest = console.owner.get(more.replace("&amp;", "&")).text

    assert (first.count("<tr>"), rest.count("<tr>")) == (51, 6)
    assert "Key created</strong>" not in first + rest
    assert console.owner.get(f"{OWNER}/audit?after=aud_x").status_code == 404


def test_the_system_page_says_what_is_wrong(console: Console) -> None:
    text = console.owner.get(f"{OWNER}/system").text

    assert "No worker is alive" in text
    assert "Look here" in text
