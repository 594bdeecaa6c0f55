"""Orders of operators: a worker drains and resumes, loads, unloads and tries models."""

from dataclasses import replace

import pytest

from gen_video.accounts.models import Caller
from gen_video.audit_log.models import PROGRAM
from gen_video.engines.errors import EngineOutOfMemoryError
from gen_video.generation.orders import Order, OrderAction, OrderState
from gen_video.generation.registry_store import WorkerRow
from gen_video.generation.states import JobState
from gen_video.wiring import Services
from gen_video.worker import orders
from tests.generation.fakes import FakeEngine, wait_until
from tests.generation.studio import LAKE, Studio
from tests.worker.test_main import run, seen_workers

pytestmark = pytest.mark.usefixtures("signals")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(orders, "RESIDENT_LOOK_SECONDS", 0.01)


def only_worker(services: Services) -> WorkerRow:
    """Return the worker that lives."""
    (worker,) = seen_workers(services)
    return worker


def ask(services: Services, action: OrderAction, model: str | None = None) -> Order:
    """Give the worker an order and return it when it is done."""
    worker_id = only_worker(services).id
    order = services.workforce.give_order(worker_id, action, model=model, by=PROGRAM)
    wait_until(lambda: services.workforce.list_pending(worker_id) == [])
    found = services.workforce.find_order(order.id)
    assert found is not None
    return found


def test_a_drained_worker_takes_nothing_until_it_is_resumed(
    studio: Studio, services: Services, engine: FakeEngine, caller: Caller
) -> None:
    def state_of(job_id: str) -> JobState:
        return studio.jobs.get(caller, job_id).state

    def story() -> None:
        drained = ask(services, OrderAction.DRAIN)
        wait_until(lambda: only_worker(services).state == "drained")
        job_id = studio.submit(caller).id
        ask(services, OrderAction.CHECK, "sketch")  # time for a look at the queue
        assert (drained.state, state_of(job_id)) == (OrderState.DONE, JobState.QUEUED)

        ask(services, OrderAction.RESUME)

        wait_until(lambda: state_of(job_id) is JobState.SUCCEEDED)
        assert only_worker(services).state == "running"

    assert run(services, engine, story) == 0


def test_a_worker_finishes_its_job_before_it_is_drained(
    studio: Studio, services: Services, engine: FakeEngine, caller: Caller
) -> None:
    engine.stalling_at = 0
    job_id = studio.submit(caller).id

    def story() -> None:
        engine.wait_until_stalled()
        ask(services, OrderAction.DRAIN)
        wait_until(lambda: only_worker(services).state == "draining")

        engine.resume()

        wait_until(lambda: studio.jobs.get(caller, job_id).state is JobState.SUCCEEDED)

    assert run(services, engine, story) == 0


def test_a_drained_worker_still_stops_when_told_to(services: Services, engine: FakeEngine) -> None:
    assert run(services, engine, lambda: ask(services, OrderAction.DRAIN)) == 0  # type: ignore[arg-type] # its answer is of no use
    assert seen_workers(services) == []


def test_a_model_is_loaded_and_unloaded(services: Services, engine: FakeEngine) -> None:
    def story() -> None:
        assert ask(services, OrderAction.LOAD, "paint").state is OrderState.DONE
        wait_until(lambda: "paint" in only_worker(services).resident)

        assert ask(services, OrderAction.UNLOAD, "paint").state is OrderState.DONE
        wait_until(lambda: "paint" not in only_worker(services).resident)

    run(services, engine, story)


def test_a_check_draws_one_picture_for_nobodys_quota(
    studio: Studio, services: Services, engine: FakeEngine, caller: Caller
) -> None:
    found: list[Order] = []

    run(services, engine, lambda: found.append(ask(services, OrderAction.CHECK, "paint")))

    assert found[0].state is OrderState.DONE
    assert "64×48" in (found[0].answer or "")
    assert [task.model for task in engine.tasks] == ["paint"]
    assert studio.window(caller).used == 0


def test_a_check_that_fails_says_why(services: Services, engine: FakeEngine) -> None:
    engine.failure = EngineOutOfMemoryError()
    found: list[Order] = []

    run(services, engine, lambda: found.append(ask(services, OrderAction.CHECK, "paint")))

    assert found[0].state is OrderState.FAILED
    assert found[0].answer is not None
    assert EngineOutOfMemoryError().message("en") in found[0].answer


def test_a_drain_does_not_wait_for_a_check_that_takes_long(
    services: Services, engine: FakeEngine
) -> None:
    engine.stalling_at = 0

    def story() -> None:
        worker_id = only_worker(services).id
        services.workforce.give_order(worker_id, OrderAction.CHECK, model="paint", by=PROGRAM)
        engine.wait_until_stalled()
        drain = services.workforce.give_order(worker_id, OrderAction.DRAIN, by=PROGRAM)

        wait_until(lambda: services.workforce.list_pending(worker_id) != [drain])
        wait_until(lambda: only_worker(services).state == "drained")
        engine.resume()

    run(services, engine, story)


def test_jobs_of_drained_slots_are_left_to_other_workers(
    studio: Studio, services: Services, engine: FakeEngine, caller: Caller
) -> None:
    """The job that a drained worker leaves alone can be claimed by anybody else."""
    claimed: list[str] = []

    def story() -> None:
        ask(services, OrderAction.DRAIN)
        job_id = studio.submit(caller, replace(LAKE, seed=8)).id
        assert studio.claim("another").id == job_id
        claimed.append(job_id)

    run(services, engine, story)

    assert len(claimed) == 1
