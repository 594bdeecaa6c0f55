"""Orders to workers: given once to those who live, written down, ended once."""

from datetime import timedelta

import pytest

from gen_video.accounts.models import Caller
from gen_video.audit_log.models import PROGRAM
from gen_video.audit_log.service import AuditLog
from gen_video.generation import estimates
from gen_video.generation.orders import OrderAction, OrderState
from gen_video.generation.workforce import (
    ModelNotServedError,
    OrderNotFoundError,
    WorkerNotFoundError,
    Workforce,
)
from tests.generation.studio import Studio, profile


@pytest.fixture
def workforce(studio: Studio) -> Workforce:
    return Workforce(studio.database, AuditLog(studio.database))


def see(studio: Studio, worker_id: str = "worker", *, state: str = "running") -> None:
    """Let a worker give a sign of life."""
    studio.execution.see_worker(
        profile(worker_id), host="here", pid=1, resident=["sketch"], state=state
    )


def test_an_order_reaches_its_worker_and_nobody_else(studio: Studio, workforce: Workforce) -> None:
    see(studio, "one")
    see(studio, "two")

    order = workforce.give_order("one", OrderAction.LOAD, model="paint", by=PROGRAM)

    assert workforce.list_pending("one") == [order]
    assert workforce.list_pending("two") == []
    (entry,) = [e for e in AuditLog(studio.database).list_entries().entries if e.actor == PROGRAM][
        :1
    ]
    assert (entry.action.value, entry.subject) == ("model.load", "paint @ one")


def test_the_same_order_is_given_once_until_it_is_done(
    studio: Studio, workforce: Workforce
) -> None:
    see(studio)
    first = workforce.give_order("worker", OrderAction.DRAIN, by=PROGRAM)
    assert workforce.give_order("worker", OrderAction.DRAIN, by=PROGRAM) == first

    workforce.end_order(first, state=OrderState.DONE, answer="")

    assert workforce.give_order("worker", OrderAction.DRAIN, by=PROGRAM).id != first.id


def test_an_order_ends_once(studio: Studio, workforce: Workforce) -> None:
    see(studio)
    order = workforce.give_order("worker", OrderAction.DRAIN, by=PROGRAM)
    workforce.end_order(order, state=OrderState.DONE, answer="well")

    workforce.end_order(order, state=OrderState.FAILED, answer="late")

    found = workforce.find_order(order.id)
    assert found is not None
    assert (found.state, found.answer) == (OrderState.DONE, "well")


def test_a_worker_that_is_silent_gets_no_order(studio: Studio, workforce: Workforce) -> None:
    see(studio)
    studio.database.advance(timedelta(seconds=31))

    with pytest.raises(WorkerNotFoundError):
        workforce.give_order("worker", OrderAction.DRAIN, by=PROGRAM)


def test_a_model_of_others_cannot_be_asked_for(studio: Studio, workforce: Workforce) -> None:
    see(studio)

    with pytest.raises(ModelNotServedError, match="sketch, paint"):
        workforce.give_order("worker", OrderAction.LOAD, model="mona", by=PROGRAM)


def test_what_a_dead_worker_was_asked_fails_with_the_next_order(
    studio: Studio, workforce: Workforce
) -> None:
    see(studio, "dies")
    order = workforce.give_order("dies", OrderAction.DRAIN, by=PROGRAM)
    studio.database.advance(timedelta(seconds=31))
    see(studio, "lives")

    workforce.give_order("lives", OrderAction.DRAIN, by=PROGRAM)

    found = workforce.find_order(order.id)
    assert found is not None
    assert found.state is OrderState.FAILED


def test_orders_are_paged_and_forgotten_after_a_month(studio: Studio, workforce: Workforce) -> None:
    see(studio)
    given = []
    for _ in range(5):
        order = workforce.give_order("worker", OrderAction.DRAIN, by=PROGRAM)
        workforce.end_order(order, state=OrderState.DONE, answer="")
        given.append(order.id)

    first = workforce.list_orders(limit=3)
    rest = workforce.list_orders(limit=3, after=first.orders[-1].id)

    assert (first.has_more, rest.has_more) == (True, False)
    assert sorted(o.id for o in (*first.orders, *rest.orders)) == sorted(given)
    with pytest.raises(OrderNotFoundError):
        workforce.list_orders(after="ord_0000000000000000000000")
    studio.database.advance(timedelta(days=31))
    see(studio)
    workforce.give_order("worker", OrderAction.RESUME, by=PROGRAM)
    assert len(workforce.list_orders().orders) == 1


def test_the_floor_shows_who_runs_what_and_who_is_next(
    studio: Studio, workforce: Workforce, caller: Caller
) -> None:
    see(studio)
    ids = [studio.submit(caller).id for _ in range(6)]
    studio.claim("worker")

    floor = workforce.read_floor()

    assert [worker.id for worker in floor.workers] == ["worker"]
    assert [(job.id, job.worker_id) for job in floor.running] == [(ids[0], "worker")]
    line = floor.lines[0]
    assert [(job.position, job.id) for job in line.ready] == list(enumerate(ids[1:4], start=1))
    assert line.backlog == 2, "four of a free account compete"


@pytest.mark.parametrize(("state", "slots"), [("running", 1), ("draining", 0), ("drained", 0)])
def test_a_drained_worker_counts_for_no_slot(studio: Studio, state: str, slots: int) -> None:
    see(studio, state=state)

    figures = studio.database.read(
        lambda connection: estimates.read_figures(connection, now=studio.database.moment)
    )

    assert {pool.slots for pool in figures.pools} == {slots}
