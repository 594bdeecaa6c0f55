"""How long a call waits, what repeats what, and what happens to those who wait."""

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import httpx
import pytest
from starlette.requests import Request

from gen_video.accounts.models import Caller
from gen_video.api.preferences import Preference
from gen_video.api.v1.answers import answer
from gen_video.db.database import DatabaseUnavailableError
from gen_video.generation.models import Job, Submission
from gen_video.generation.states import JobState
from tests.api.conftest import ASYNC, FREE_KEY, GENERATE, SMALL, Door, OpenDoor, worker_of

WAITERS = 1000
Result = TypeVar("Result")


def test_respond_async_answers_at_once_with_an_address(door: Door) -> None:
    answer = door.client.post(GENERATE, json=SMALL, headers=ASYNC)

    body = answer.json()
    assert answer.status_code == 202
    assert body["status"] == "queued"
    assert answer.headers["Location"] == body["job_url"] == f"/api/v1/jobs/{body['task_id']}"
    assert answer.headers["Preference-Applied"] == "respond-async"
    assert body["progress"]["queue_position"] == 1


def test_respond_async_is_202_even_when_the_job_was_faster(working: Door) -> None:
    services = working.services
    task_id = working.client.post(GENERATE, json=SMALL).json()["task_id"]
    caller = services.accounts.authenticate(FREE_KEY)
    finished = services.jobs.get(caller, task_id)
    request = Request({"type": "http", "app": working.app, "headers": []})

    reply = asyncio.run(
        answer(
            request,
            services,
            working.app.state.watch,
            caller=caller,
            submission=Submission(job=finished, is_replayed=False),
            preference=Preference(wait_seconds=0, applied="respond-async"),
        )
    )

    assert finished.state is JobState.SUCCEEDED
    assert reply.status_code == 202
    assert json.loads(bytes(reply.body))["status"] == "completed"


def test_a_wait_that_ends_first_answers_202_and_keeps_the_job(door: Door) -> None:
    answer = door.client.post(GENERATE, json=SMALL, headers={"Prefer": "wait=1"})

    assert answer.status_code == 202
    assert door.client.get(answer.headers["Location"]).json()["status"] == "queued"


def test_a_wait_that_is_long_enough_answers_200(working: Door) -> None:
    answer = working.client.post(GENERATE, json=SMALL, headers={"Prefer": "wait=30"})

    assert answer.status_code == 200
    assert answer.headers["Preference-Applied"] == "wait=30"


def test_the_same_key_and_request_give_the_same_answer(working: Door) -> None:
    headers = {"Idempotency-Key": "order-1"}
    first = working.client.post(GENERATE, json=SMALL, headers=headers)

    second = working.client.post(GENERATE, json=SMALL, headers=headers)

    assert second.json() == first.json()
    assert second.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert working.client.get("/api/v1/quota").json()["quota"]["images"]["used"] == 1


def test_a_key_with_another_request_is_refused(door: Door) -> None:
    headers = ASYNC | {"Idempotency-Key": "order-1"}
    door.client.post(GENERATE, json=SMALL, headers=headers)
    before = door.count_rows()

    answer = door.client.post(GENERATE, json=SMALL | {"n": 2}, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert door.count_rows() == before


def test_a_key_belongs_to_its_account(door: Door) -> None:
    headers = ASYNC | {"Idempotency-Key": "order-1"}

    mine = door.client.post(GENERATE, json=SMALL, headers=headers).json()
    theirs = door.other.post(GENERATE, json=SMALL | {"n": 2}, headers=headers).json()

    assert mine["task_id"] != theirs["task_id"]


def test_a_refused_request_leaves_its_key_free(door: Door) -> None:
    headers = ASYNC | {"Idempotency-Key": "order-1"}
    assert door.client.post(GENERATE, json={"prompt": ""}, headers=headers).status_code == 422

    assert door.client.post(GENERATE, json=SMALL, headers=headers).status_code == 202


def test_many_requests_with_one_key_at_once_are_one_job(door: Door) -> None:
    headers = ASYNC | {"Idempotency-Key": "order-1"}

    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(
                lambda _: door.client.post(GENERATE, json=SMALL, headers=headers), range(16)
            )
        )

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["task_id"] for answer in answers}) == 1
    assert door.client.get("/api/v1/quota").json()["quota"]["images"]["reserved"] == 1


def test_a_retry_of_an_sdk_is_the_same_job(door: Door) -> None:
    first = door.client.post(GENERATE, json=SMALL, headers=ASYNC).json()

    again = door.client.post(GENERATE, json=SMALL, headers=ASYNC | {"x-stainless-retry-count": "1"})
    fresh = door.client.post(GENERATE, json=SMALL, headers=ASYNC | {"x-stainless-retry-count": "0"})

    assert again.json()["task_id"] == first["task_id"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert fresh.json()["task_id"] != first["task_id"]


def test_a_deadline_of_the_clients_own(door: Door) -> None:
    answer = door.client.post(GENERATE, json=SMALL, headers=ASYNC | {"Cancel-After": "90s"})

    job = door.client.get(answer.headers["Location"]).json()
    assert job["deadline_at"] > job["created_at"]
    assert job["deadline_at"][:10] >= job["created_at"][:10]


@pytest.mark.parametrize(
    ("prompt", "code"),
    [
        ("fail=9", "generation_failed"),
        ("crash=oom", "out_of_memory"),
        ("crash=exit", "engine_crashed"),
    ],
)
def test_a_failed_generation_is_a_500_with_its_code(
    open_door: OpenDoor, prompt: str, code: str
) -> None:
    door = open_door(job_attempts=1)
    with worker_of(door.services):
        answer = door.client.post(
            GENERATE, json=SMALL | {"prompt": prompt}, headers={"Accept-Language": "zh"}
        )

    body = answer.json()
    assert (answer.status_code, body["code"]) == (500, code), body
    assert body["task_id"].startswith("job_")
    assert door.client.get("/api/v1/quota").json()["quota_remaining"]["images"] == 10


def test_a_waiting_call_hears_of_a_cancel(door: Door) -> None:
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(door.client.post, GENERATE, json=SMALL)
        page: dict[str, list[dict[str, str]]] = {"data": []}
        while not page["data"]:
            page = door.client.get("/api/v1/jobs").json()
        door.client.post(f"/api/v1/jobs/{page['data'][0]['id']}/cancel")

        answer = waiting.result(timeout=10)

    assert (answer.status_code, answer.json()["code"]) == (409, "canceled")


def test_a_stopping_process_refuses_new_work_and_lets_waiters_go(open_door: OpenDoor) -> None:
    door = open_door(drain_seconds=3.5)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(door.client.post, GENERATE, json=SMALL)
        while not door.app.state.watch.waiting:
            time.sleep(0.01)
        assert door.client.portal is not None
        door.client.portal.call(door.app.state.drain.begin)

        refused = door.client.post(GENERATE, json=SMALL, headers=ASYNC)
        let_go = waiting.result(timeout=10)

    assert (refused.status_code, refused.json()["code"]) == (503, "draining")
    assert refused.headers["Retry-After"]
    assert let_go.status_code == 202
    assert door.client.get("/api/v1/health/ready").status_code == 503
    assert door.client.get(let_go.headers["Location"]).json()["status"] == "queued"


def test_a_thousand_clients_wait_on_few_threads(open_door: OpenDoor) -> None:
    """Nobody who waits holds a thread, and all are answered when their job ends."""
    door = open_door(rate_limits=False)
    services = door.services
    job = door.client.post(GENERATE, json=SMALL, headers=ASYNC | {"Idempotency-Key": "all"}).json()[
        "task_id"
    ]
    before = threading.active_count()

    async def wait_for_all() -> tuple[list[int], int]:
        transport = httpx.ASGITransport(app=door.app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://test", headers={"X-API-Key": FREE_KEY}
        ) as client:
            calls = [
                asyncio.create_task(
                    client.post(
                        GENERATE,
                        json=SMALL,
                        headers={"Idempotency-Key": "all", "Prefer": "wait=60"},
                        timeout=90,
                    )
                )
                for _ in range(WAITERS)
            ]
            while door.app.state.watch.waiting < WAITERS:  # noqa: ASYNC110 - nobody announces it
                await asyncio.sleep(0.05)
            busy = threading.active_count()
            caller = services.accounts.authenticate(FREE_KEY)
            await asyncio.to_thread(services.jobs.cancel, caller, job)
            return [answer.status_code for answer in await asyncio.gather(*calls)], busy

    # Waiting lives on one event loop: this test gives the application a watch on its own.
    statuses, busy = asyncio.run(_with_own_watch(door, wait_for_all))

    assert statuses == [409] * WAITERS
    assert busy - before < 30


async def _with_own_watch(door: Door, work: Callable[[], Awaitable[Result]]) -> Result:
    door.app.state.watch = door.services.job_watch()
    try:
        return await work()
    finally:
        await door.app.state.watch.close()


def test_a_stream_whose_database_goes_away_at_its_end_ends_and_can_be_taken_up_again(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = door.client.post(GENERATE, json=SMALL, headers=ASYNC).json()["task_id"]
    door.client.post(f"/api/v1/jobs/{job_id}/cancel")
    address = f"/api/v1/jobs/{job_id}/events"
    read, calls = door.services.jobs.get, iter((True, False))

    def get(caller: Caller, wanted: str) -> Job:
        if next(calls):  # the look before the stream; the one at its end fails
            return read(caller, wanted)
        raise DatabaseUnavailableError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(type(door.services.jobs), "get", lambda _self, *args: get(*args))
        cut = door.client.get(address)
    whole = door.client.get(address)

    assert (cut.status_code, cut.text) == (200, "")
    assert "event: canceled" in whole.text
