"""Nobody who holds an account waits for a job: its owner may be waiting for the account."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from gen_video.generation.shares import Priority
from tests.generation.conftest import OpenDatabase
from tests.generation.shop import has_place, submit_in_turn, tenant
from tests.generation.studio import BATCH_AGEING, LAKE, Studio

pytestmark = [
    pytest.mark.postgresql,
    # SQLite has one writer: there nobody holds half of what another one wants.
    pytest.mark.parametrize("database_url", ["postgresql"], indirect=True),
]


@contextmanager
def held_by_another(open_database: OpenDatabase, job_id: str) -> Iterator[None]:
    """Hold a job's row, as a cancel does that has not come to the account yet."""
    with open_database().engine.connect() as connection, connection.begin() as transaction:
        connection.execute(
            text("UPDATE jobs SET metadata_json = NULL WHERE id = :id"), {"id": job_id}
        )
        yield
        transaction.rollback()


def test_an_ending_lets_the_next_job_compete_that_nobody_holds(
    studio: Studio, open_database: OpenDatabase
) -> None:
    ada = tenant(studio, "ada", max_running=1)
    job_ids = submit_in_turn(studio, ada, 3)
    running = studio.claim()

    with held_by_another(open_database, job_ids[1]):
        studio.finish(running)

    assert has_place(studio, job_ids[1:]) == [False, True]


def test_the_sweeper_leaves_an_old_batch_job_that_somebody_holds_for_later(
    studio: Studio, open_database: OpenDatabase
) -> None:
    ada = tenant(studio, "ada")
    job_id = studio.submit(ada, replace(LAKE, priority=Priority.BATCH.value)).id
    studio.database.advance(BATCH_AGEING + timedelta(seconds=1))

    with held_by_another(open_database, job_id):
        assert studio.sweeper.sweep().moved == 0

    assert studio.sweeper.sweep().moved == 1
