"""`gen-video workers`, and what the command line leaves in the audit log."""

import json
import time

import pytest

from gen_video.audit_log.models import Action, ActorKind
from gen_video.cli import workers
from gen_video.cli.configuration import open_services
from gen_video.generation.execution import WorkerProfile
from gen_video.generation.orders import OrderAction, OrderState
from gen_video.wiring import Services
from tests.cli.conftest import Run

WORKER = "here-1-abcdef"


def see_worker(services: Services) -> None:
    """Let a worker give a sign of life."""
    profile = WorkerProfile(worker_id=WORKER, queues=("default.image",), models=("test-double",))
    services.execution.see_worker(
        profile, host="here", pid=1, resident=["test-double"], state="running"
    )


def test_workers_that_live_are_listed(run: Run) -> None:
    with open_services() as services:
        see_worker(services)

    (row,) = json.loads(run("workers", "list", "--json").out)

    assert (row["id"], row["state"], row["loaded"]) == (WORKER, "running", "test-double")


def test_an_order_is_given_and_its_answer_awaited(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody plays the worker while the command waits."""
    with open_services() as services:
        see_worker(services)

        def answer(_seconds: float) -> None:
            (order,) = services.workforce.list_pending(WORKER)
            is_check = order.action is OrderAction.CHECK
            state = OrderState.FAILED if is_check else OrderState.DONE
            services.workforce.end_order(order, state=state, answer="no memory" if is_check else "")

        monkeypatch.setattr(time, "sleep", answer)
        drained = run("workers", "drain", WORKER)
        checked = run("workers", "check", WORKER, "test-double")

    assert (drained.code, drained.lines) == (0, ["Done. / 已完成。"])
    assert checked.code == 1
    assert "no memory" in checked.err


def test_a_busy_worker_is_not_waited_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "ANSWER_SECONDS", 0.0)
    with open_services() as services:
        see_worker(services)

    outcome = run("workers", "load", WORKER, "test-double")

    assert outcome.code == 0
    assert "busy" in outcome.err


@pytest.mark.parametrize("arguments", [("drain", "gone"), ("load", WORKER, "mini"), ("resume", "")])
def test_what_cannot_be_asked_is_one_line(run: Run, arguments: tuple[str, ...]) -> None:
    with open_services() as services:
        see_worker(services)

    outcome = run("workers", *arguments)

    assert (outcome.code, len(outcome.lines)) == (1, 1)


def test_what_operators_do_here_is_in_the_audit_log(run: Run) -> None:
    run("users", "create", "anna")
    key = json.loads(run("keys", "create", "anna", "--json").out)
    run("keys", "revoke", key["id"])
    run("users", "plan", "anna", "paid")
    run("users", "disable", "anna")
    run("plans", "set", "free", "--images-per-day", "11")

    with open_services() as services:
        entries = services.audit_log.list_entries(limit=100).entries[::-1]

    found = [entry for entry in entries if entry.actor.kind is ActorKind.COMMAND_LINE]
    assert [entry.action for entry in found] == [
        Action.USER_CREATED,
        Action.KEY_CREATED,
        Action.KEY_REVOKED,
        Action.USER_PLAN_CHANGED,
        Action.USER_DISABLED,
        Action.PLAN_SAVED,
    ]
    assert all("@" in entry.actor.name for entry in found)
    assert key["key"] not in str(entries)
