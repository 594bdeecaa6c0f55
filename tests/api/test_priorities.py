"""Hurry over HTTP: `priority` says who waits for whom, and is kept with the request."""

import pytest

from gen_video.generation.tables import jobs
from tests.api.conftest import ASYNC, FILM, GENERATE, SMALL, Door


def rank_of(door: Door, job_id: str) -> int:
    rank: int = door.services.database.read(
        lambda connection: connection.execute(
            jobs.select().where(jobs.c.id == job_id).with_only_columns(jobs.c.rank)
        ).scalar_one()
    )
    return rank


@pytest.mark.parametrize("address", [GENERATE, FILM], ids=["pictures", "videos"])
@pytest.mark.parametrize(
    ("fields", "rank"),
    [
        ({}, 0),
        ({"priority": None}, 0),
        ({"priority": "interactive"}, 0),
        ({"priority": "batch"}, 1),
    ],
    ids=["nothing said", "null", "interactive", "batch"],
)
def test_a_request_says_whether_it_is_in_a_hurry(
    door: Door, address: str, fields: dict[str, object], rank: int
) -> None:
    body = {"prompt": "a lake"} | fields

    answer = door.client.post(address, json=body, headers=ASYNC)

    assert answer.status_code == 202, answer.text
    assert rank_of(door, answer.json()["task_id"]) == rank


@pytest.mark.parametrize("priority", ["", "urgent", "Batch", 1, ["batch"]])
def test_another_hurry_is_refused_and_named(door: Door, priority: object) -> None:
    before = door.count_rows()

    answer = door.client.post(GENERATE, json=SMALL | {"priority": priority}, headers=ASYNC)

    assert answer.status_code == 422
    assert "priority" in answer.text
    assert door.count_rows() == before


def test_the_same_request_in_another_hurry_is_another_request(door: Door) -> None:
    keyed = ASYNC | {"Idempotency-Key": "order-1"}
    first = door.client.post(GENERATE, json=SMALL, headers=keyed)

    same = door.client.post(GENERATE, json=SMALL | {"priority": "interactive"}, headers=keyed)
    other = door.client.post(GENERATE, json=SMALL | {"priority": "batch"}, headers=keyed)

    assert same.json()["task_id"] == first.json()["task_id"]
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
