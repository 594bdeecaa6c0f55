"""A storm: two processes do everything at once to one account, which never has too many places."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from gen_video.accounts.models import Caller
from gen_video.engines.errors import ModelUnavailableError
from gen_video.errors import ServiceError
from gen_video.generation.models import ClaimedJob
from gen_video.storage.memory import MemoryObjectStore
from tests.generation.conftest import OpenDatabase
from tests.generation.shop import competing, tenant
from tests.generation.studio import SWEEP_GRACE, Studio, open_studio, profile

CAP = 3
ROUNDS = 6


class Storm:
    """Two processes, one account, and who looks on."""

    def __init__(self, studios: tuple[Studio, Studio], caller: Caller) -> None:
        self.studios = studios
        self.caller = caller
        self.submitted: list[str] = []
        self.highest = 0

    def submit(self, here: Studio) -> None:
        for _ in range(ROUNDS):
            self.submitted.append(here.submit(self.caller).id)

    def cancel(self, here: Studio) -> None:
        for _ in range(ROUNDS):
            for job_id in self.submitted[-1:]:
                try:
                    here.jobs.cancel(self.caller, job_id)
                except ServiceError:
                    continue

    def work(self, here: Studio) -> None:
        for turn in range(2 * ROUNDS):
            job = here.execution.claim(profile(f"worker-{threading.get_ident()}"))
            if job is None:
                continue
            try:
                self._end(here, job, turn)
            except ServiceError:
                here.execution.cancel(job)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Count the account's places all the while."""
        is_over = threading.Event()

        def look_on() -> None:
            while not is_over.is_set():
                self.highest = max(self.highest, competing(self.studios[0], self.caller))

        watcher = threading.Thread(target=look_on)
        watcher.start()
        try:
            yield
        finally:
            is_over.set()
            watcher.join()

    @staticmethod
    def _end(here: Studio, job: ClaimedJob, turn: int) -> None:
        match turn % 4:
            case 3:
                here.execution.give_back(job)
            case 2:
                here.execution.fail(job, ModelUnavailableError("sketch", "no weights"))
            case _:
                here.finish(job)


@pytest.fixture
def storm(studio: Studio, open_database: OpenDatabase, objects: MemoryObjectStore) -> Storm:
    caller = tenant(studio, "ada", max_running=CAP)
    return Storm((studio, open_studio(open_database(), objects)), caller)


def test_no_storm_gives_an_account_too_many_places_or_leaves_one_empty(storm: Storm) -> None:
    studio = storm.studios[0]
    actions = (storm.submit, storm.work, storm.cancel)

    with storm.watched(), ThreadPoolExecutor(6) as threads:
        running = [threads.submit(action, here) for here in storm.studios for action in actions]
        for done in running:
            done.result()

    assert len(storm.submitted) == 2 * ROUNDS
    assert 0 < storm.highest <= CAP
    studio.database.advance(SWEEP_GRACE)
    assert studio.findings() == []
