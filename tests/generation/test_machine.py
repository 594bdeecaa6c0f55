"""Any sequence of what owners, workers, sweepers and time can do keeps every promise.

The model knows little: which attempt holds which job, what was delivered, and how ended jobs
looked when they ended. The audit knows the rest.
"""

import random
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from gen_video.accounts.errors import TooManyJobsError
from gen_video.accounts.models import Caller
from gen_video.engines.errors import EngineCrashedError, EngineFailedError, ModelUnavailableError
from gen_video.generation.errors import (
    IdempotencyKeyReusedError,
    JobFinishedError,
    JobUnfinishedError,
    LeaseLostError,
)
from gen_video.generation.models import ClaimedJob
from gen_video.generation.shares import Rank
from gen_video.generation.states import MOVES, JobState
from gen_video.generation.submission import RetryHints
from gen_video.generation.tables import jobs
from gen_video.quotas.models import QuotaExceededError
from gen_video.storage.memory import MemoryObjectStore
from tests.generation.fakes import FlakyDatabase
from tests.generation.studio import (
    LAKE,
    LEASE,
    MODELS,
    NOTHING_MENDED,
    AnyRow,
    open_studio,
    profile,
)

ERRORS = (
    EngineFailedError("no luck"),
    EngineCrashedError("SIGSEGV"),
    ModelUnavailableError("sketch", "no weights"),
)
REFUSALS = (QuotaExceededError, TooManyJobsError, IdempotencyKeyReusedError)
CAPS = {"free": 1, "paid": 2}
"""Jobs of an account that compete at once: few, so that others wait behind them."""
SEQUENCES = 16
STEPS = 80
DEAD_SHARE = 0.25
SECONDS = (1, 5, 20, 61, 61, 61, 130, 130, 7 * 3600, 31 * 86_400)
FROZEN = ("state", "fence", "committed_fence", "units_delivered", "quota_json", "finished_at")


@contextmanager
def failing_with(history: list[str]) -> Iterator[None]:
    """Tell what happened before, should a check of the block fail."""
    try:
        yield
    except AssertionError as error:
        error.add_note(" → ".join(history))
        raise


@dataclass
class Attempt:
    """A claim, dead or alive."""

    job: ClaimedJob
    lease_until: datetime


class JobMachine:
    """A service with two owners and any number of workers, some of them long thought dead."""

    def __init__(self, database: FlakyDatabase, source: random.Random) -> None:
        self.database = database
        self.random = source
        self.studio = open_studio(self.database, MemoryObjectStore(), attempts=2)
        self.studio.accounts.seed()
        for plan_id, max_running in CAPS.items():
            plan = self.studio.accounts.get_plan(plan_id)
            self.studio.accounts.save_plan(replace(plan, max_running=max_running))
        self.owners = [
            self.studio.new_caller("ada", images_per_day=7),
            self.studio.new_caller("bob", plan_id="paid"),
        ]
        self.submitted: list[tuple[str, Caller]] = []
        self.attempts: list[Attempt] = []
        self.holding: dict[str, Attempt] = {}
        self.states: dict[str, JobState] = {}
        self.ended: dict[str, tuple[object, ...]] = {}
        self.delivered: dict[str, int] = {}
        self.tags: dict[tuple[str, int], int] = {}

    def submit(self) -> None:
        caller = self.random.choice(self.owners)
        key = self.random.choice([None, None, "a", "b"])
        hints = RetryHints(idempotency_key=key, scope="POST /generate")
        priority = self.random.choice(["interactive", "interactive", "batch"])
        request = replace(LAKE, n=self.random.randint(1, 4), priority=priority)
        try:
            found = self.studio.jobs.submit(caller, request, hints=hints)
        except REFUSALS:
            return
        assert found.is_replayed == (found.job.id in self.states)
        if not found.is_replayed:
            self.submitted.append((found.job.id, caller))
            self.states[found.job.id] = JobState.QUEUED

    def claim(self) -> None:
        job = self.studio.execution.claim(profile("worker", MODELS))
        if job is None:
            return
        assert job.id not in self.holding, "two workers have the same job"
        attempt = Attempt(job, self.database.moment + LEASE)
        self.holding[job.id] = attempt
        self.attempts.append(attempt)

    def renew(self) -> None:
        attempt = self._attempt()
        if attempt is None:
            return
        try:
            self.studio.execution.renew(attempt.job, progress=None)
        except LeaseLostError:
            assert not self._holds(attempt)
        else:
            assert self._holds(attempt)
            attempt.lease_until = self.database.moment + LEASE

    def finish(self) -> None:
        attempt = self._attempt()
        if attempt is None:
            return
        delivered = self.random.randint(1, attempt.job.input.units)
        is_wanted = self._holds(attempt) and not self._is_canceling(attempt.job.id)
        try:
            self.studio.finish(attempt.job, delivered=delivered)
        except LeaseLostError:
            assert not is_wanted
        else:
            assert is_wanted
            self.delivered[attempt.job.id] = delivered
        self._let_go(attempt)

    def fail(self) -> None:
        attempt = self._attempt()
        if attempt is None:
            return
        was_holding = self._holds(attempt)

        state = self.studio.execution.fail(attempt.job, self.random.choice(ERRORS))

        assert was_holding or state is None
        self._let_go(attempt)

    def give_back(self) -> None:
        attempt = self._attempt()
        if attempt is None:
            return
        was_holding = self._holds(attempt)

        is_back = self.studio.execution.give_back(attempt.job)

        assert was_holding or not is_back
        self._let_go(attempt)

    def obey_a_cancel(self) -> None:
        attempt = self._attempt()
        if attempt is None:
            return
        if not self._is_canceling(attempt.job.id):
            return
        assert self.studio.execution.cancel(attempt.job) == self._holds(attempt)
        self._let_go(attempt)

    def cancel(self) -> None:
        if not self.submitted:
            return
        job_id, owner = self._job()
        try:
            self.studio.jobs.cancel(owner, job_id)
        except JobFinishedError:
            assert self.states[job_id].is_terminal

    def delete(self) -> None:
        if not self.submitted:
            return
        job_id, owner = self._job()
        try:
            self.studio.jobs.delete(owner, job_id)
        except JobUnfinishedError:
            assert not self.states[job_id].is_terminal

    def pass_time(self) -> None:
        self.database.advance(timedelta(seconds=self.random.choice(SECONDS)))

    def sweep(self) -> None:
        self.studio.sweeper.sweep()
        for attempt in list(self.holding.values()):
            if attempt.lease_until < self.database.moment:
                self._let_go(attempt)
        assert self.studio.sweeper.sweep() == NOTHING_MENDED, "one sweep mends everything"
        assert self.studio.findings() == []

    def every_move_is_legal_and_every_end_is_final(self) -> None:
        for row in self._rows():
            state = JobState(row.state)
            assert state in self._reachable(self.states[row.id])
            assert (row.id in self.holding) == (state is JobState.RUNNING)
            assert row.cancel_requested_at is None or state is not JobState.QUEUED
            self.states[row.id] = state
            if state.is_terminal:
                look = tuple(getattr(row, name) for name in FROZEN)
                assert self.ended.setdefault(row.id, look) == look
                assert row.units_delivered == self.delivered.get(row.id, 0)

    def every_place_is_given_once_and_none_is_left_empty(self) -> None:
        """A job keeps its tag in its class, and nobody waits while the account has room."""
        competing: Counter[tuple[str, int]] = Counter()
        waiting: Counter[tuple[str, int]] = Counter()
        for row in self._rows():
            if row.start_tag is not None:
                tag = self.tags.setdefault((row.id, row.rank), row.start_tag)
                assert row.start_tag == tag, "a job has lost its place"
            if not JobState(row.state).is_terminal:
                counted = waiting if row.start_tag is None else competing
                counted[row.account_id, row.rank] += 1
        for owner in self.owners:
            for rank in Rank:
                place = (owner.account_id, rank.value)
                cap = CAPS[owner.plan.id]
                assert competing[place] <= cap
                assert not waiting[place] or competing[place] == cap, "waits in vain"

    def the_audit_has_no_findings(self) -> None:
        """A lease or deadline that ran out is one until the next sweep."""
        assert set(self.studio.findings()) <= {"I7"}

    def _rows(self) -> list[AnyRow]:
        return self.database.read(lambda connection: list(connection.execute(select(jobs))))

    def _attempt(self) -> Attempt | None:
        """Choose an attempt that holds its job, or sometimes one of the dead."""
        living = list(self.holding.values())
        dead = [attempt for attempt in self.attempts if not self._holds(attempt)]
        chosen = dead if self.random.random() < DEAD_SHARE else living
        return self.random.choice(chosen) if chosen else None

    def _job(self) -> tuple[str, Caller]:
        """Choose a job: often one that is open."""
        still_open = [found for found in self.submitted if not self.states[found[0]].is_terminal]
        is_open = bool(still_open) and self.random.random() > DEAD_SHARE
        return self.random.choice(still_open if is_open else self.submitted)

    def _holds(self, attempt: Attempt) -> bool:
        return self.holding.get(attempt.job.id) is attempt

    def _let_go(self, attempt: Attempt) -> None:
        if self._holds(attempt):
            del self.holding[attempt.job.id]

    def _is_canceling(self, job_id: str) -> bool:
        return self.studio.row(job_id).cancel_requested_at is not None

    def _reachable(self, state: JobState) -> set[JobState]:
        """Return where one step can lead; a sweep requeues and expires at once."""
        once = {state, *MOVES[state]}
        return once | {later for near in once for later in MOVES[near]} if MOVES[state] else once


MOVES_OF_A_STEP = (
    (JobMachine.submit, 4),
    (JobMachine.claim, 4),
    (JobMachine.renew, 2),
    (JobMachine.finish, 2),
    (JobMachine.fail, 2),
    (JobMachine.give_back, 1),
    (JobMachine.obey_a_cancel, 1),
    (JobMachine.cancel, 3),
    (JobMachine.delete, 1),
    (JobMachine.pass_time, 2),
    (JobMachine.sweep, 3),
)
"""What can happen, and how often."""


@pytest.mark.parametrize("seed", range(SEQUENCES))
def test_no_sequence_of_events_breaks_a_promise(
    seed: int, blank_file: Path, tmp_path: Path
) -> None:
    file = shutil.copyfile(blank_file, tmp_path / "test.sqlite3")
    database = FlakyDatabase(f"sqlite:///{file}")
    machine = JobMachine(database, random.Random(seed))  # noqa: S311 - the same moves every time
    moves, weights = zip(*MOVES_OF_A_STEP, strict=True)
    history: list[str] = []

    for move in machine.random.choices(moves, weights, k=STEPS):
        history.append(move.__name__)
        with failing_with(history):
            move(machine)
            machine.every_move_is_legal_and_every_end_is_final()
            machine.every_place_is_given_once_and_none_is_left_empty()
            machine.the_audit_has_no_findings()

    database.close()
