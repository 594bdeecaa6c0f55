import json
from datetime import timedelta

import pytest

from gen_video.cli.keys import LifetimeError, read_lifetime
from tests.cli.conftest import Run


def test_a_new_key_is_printed_alone_on_standard_output(run: Run) -> None:
    run("users", "create", "anna", "--plan", "paid")

    made = run("keys", "create", "anna", "--label", "laptop", "--expires", "30d")

    assert made.code == 0
    assert made.out.startswith("gv_live_")
    assert len(made.out.splitlines()) == 1
    [key] = json.loads(run("keys", "list", "anna", "--json").out)
    assert key["label"] == "laptop"
    assert made.out.strip() not in json.dumps(key)


def test_one_command_makes_a_user_with_a_key(run: Run) -> None:
    made = run("keys", "create", "anna", "--plan", "paid", "--json")

    assert json.loads(made.out)["user"] == "anna"
    users = json.loads(run("users", "list", "--json").out)
    assert {user["name"]: user["plan"] for user in users}["anna"] == "paid"


def test_a_revoked_key_stays_in_the_list(run: Run) -> None:
    made = json.loads(run("keys", "create", "test_user", "--json").out)

    revoked = run("keys", "revoke", made["id"])

    assert revoked.code == 0
    rows = json.loads(run("keys", "list", "test_user", "--json").out)
    assert {row["id"]: row["revoked_at"] is not None for row in rows}[made["id"]]


def test_a_disabled_user_can_be_enabled_again(run: Run) -> None:
    run("users", "disable", "test_user")
    disabled = json.loads(run("users", "list", "--json").out)
    run("users", "enable", "test_user")
    enabled = json.loads(run("users", "list", "--json").out)

    assert [user["disabled"] for user in disabled if user["name"] == "test_user"] == [True]
    assert [user["disabled"] for user in enabled if user["name"] == "test_user"] == [False]


def test_changing_one_figure_of_a_plan_keeps_the_others(run: Run) -> None:
    run("plans", "set", "free", "--images-per-day", "12")

    plans = {plan["id"]: plan for plan in json.loads(run("plans", "list", "--json").out)}

    assert plans["free"]["images_per_day"] == 12
    assert plans["free"]["videos_per_day"] == 2


def test_a_plan_of_a_new_name_is_added(run: Run) -> None:
    run("plans", "set", "gold", "--images-per-day", "500")

    moved = run("users", "plan", "test_user", "gold")

    assert moved.code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("keys", "create", "nobody"),
        ("keys", "revoke", "key_unknown"),
        ("keys", "create", "test_user", "--expires", "soon"),
        ("users", "create", "test_user"),
        ("users", "create", "anna", "--plan", "none"),
        ("users", "plan", "nobody", "free"),
    ],
)
def test_a_mistake_is_one_line_in_both_languages(run: Run, arguments: tuple[str, ...]) -> None:
    outcome = run(*arguments)

    assert outcome.code == 1
    assert outcome.out == ""
    [line] = outcome.lines
    assert " / " in line


@pytest.mark.parametrize(("given", "days"), [("30d", 30), ("2W", 14), ("1y", 365)])
def test_a_lifetime_is_read(given: str, days: int) -> None:
    assert read_lifetime(given) == timedelta(days=days)


@pytest.mark.parametrize("given", ["", "d", "30", "-1d", "1m", "999999d"])
def test_a_lifetime_that_means_nothing_is_refused(given: str) -> None:
    with pytest.raises(LifetimeError):
        read_lifetime(given)


@pytest.mark.parametrize("name", ["", "a/../b", "a b", "x" * 65, "a\nb", "<b>"])
def test_a_name_that_could_be_mistaken_is_refused(run: Run, name: str) -> None:
    outcome = run("users", "create", name)

    assert outcome.code == 1
    assert "letters" in outcome.err
    assert "用户名" in outcome.err


def test_a_lowered_limit_says_when_it_counts(run: Run) -> None:
    lowered = run("plans", "set", "free", "--images-per-day", "5")
    raised = run("plans", "set", "free", "--images-per-day", "20")

    assert "tomorrow" in lowered.err
    assert "tomorrow" not in raised.err


def test_a_new_plan_is_called_new(run: Run) -> None:
    assert "new plan" in run("plans", "set", "gold", "--images-per-day", "500").err


def test_an_admin_with_a_password_is_made_in_two_commands(run: Run) -> None:
    run("users", "create", "anna", "--email", "Anna@Example.com", "--admin")

    made = run("users", "password", "anna", "--generate")

    assert made.code == 0
    assert len(made.out.strip()) >= 16
    users = {user["name"]: user for user in json.loads(run("users", "list", "--json").out)}
    assert (users["anna"]["email"], users["anna"]["role"]) == ("anna@example.com", "admin")
    assert "password" not in users["anna"]


def test_address_and_role_of_a_user_can_be_changed(run: Run) -> None:
    run("users", "create", "anna", "--email", "anna@example.com", "--admin")

    codes = [
        run("users", "email", "anna", "new@example.com").code,
        run("users", "role", "anna", "member").code,
    ]

    assert codes == [0, 0]
    users = {user["name"]: user for user in json.loads(run("users", "list", "--json").out)}
    assert (users["anna"]["email"], users["anna"]["role"]) == ("new@example.com", "member")


def test_no_password_without_an_address_to_sign_in_with(run: Run) -> None:
    run("users", "create", "anna")

    refused = run("users", "password", "anna", "--generate")

    assert refused.code != 0
    assert refused.out == ""
