"""Any sequence of reserve, capture and release: ledger and quota tell the same, to the unit."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from gen_video.accounts.service import AccountService
from gen_video.billing.ledger import Position
from gen_video.billing.service import LedgerService
from gen_video.quotas.models import Hold, QuotaExceededError
from gen_video.quotas.service import QuotaService
from tests.db.clocked import START, ClockedDatabase, migrated_database

NUMBERS = count()


@dataclass(frozen=True, slots=True)
class Reserve:
    units: int
    kind: str


@dataclass(frozen=True, slots=True)
class Settle:
    """End a job, open or already ended; the fraction says how much of it is delivered."""

    choice: int
    fraction: float


@dataclass(frozen=True, slots=True)
class PassHours:
    hours: int


Step = Reserve | Settle | PassHours

STEPS = st.lists(
    st.builds(Reserve, st.integers(1, 6), st.sampled_from(["image", "image", "video"]))
    | st.builds(Settle, st.integers(0, 20), st.sampled_from([0.0, 0.5, 1.0]))
    | st.builds(PassHours, st.sampled_from([-6, 6, 18])),
    min_size=3,
    max_size=20,
)


@dataclass(frozen=True, slots=True)
class Job:
    job_id: str
    hold: Hold

    @property
    def position(self) -> Position:
        return Position(
            account_id=self.hold.account_id,
            kind=self.hold.kind,
            window_date=self.hold.window_date,
        )


class Office:
    """Promises and settles as the job service does: quota and ledger in one transaction."""

    def __init__(self, database: ClockedDatabase) -> None:
        self.database = database
        self.accounts = AccountService(database, pepper=b"pepper", allow_test_keys=False)
        self.quotas = QuotaService(database, self.accounts, timezone=ZoneInfo("Asia/Shanghai"))
        self.ledger = LedgerService()
        self.accounts.seed()

    def open_account(self) -> None:
        """Start a sequence with a new user, on the same day as every other."""
        name = f"user{next(NUMBERS)}"
        self.database.moment = START
        self.accounts.create_account(name, plan_id="free")
        self.caller = self.accounts.authenticate(self.accounts.create_key(name).plaintext)
        self.jobs: list[Job] = []
        self.ended: dict[str, int] = {}

    def step(self, step: Step) -> None:
        match step:
            case Reserve():
                self._reserve(step)
            case Settle():
                self._settle(step)
            case PassHours():
                self.database.advance(timedelta(hours=step.hours))

    def _reserve(self, step: Reserve) -> None:
        def work(connection: Connection) -> Job:
            hold = self.quotas.place_hold(connection, self.caller, kind=step.kind, units=step.units)
            job = Job(f"job_{next(NUMBERS)}", hold)
            self.ledger.record_reserve(
                connection,
                job_id=job.job_id,
                position=job.position,
                units=hold.units,
                now=self.database.moment,
            )
            return job

        try:
            self.jobs.append(self.database.write(work))
        except QuotaExceededError:
            return

    def _settle(self, step: Settle) -> None:
        if not self.jobs:
            return
        job = self.jobs[step.choice % len(self.jobs)]
        captured = int(job.hold.units * step.fraction)

        def work(connection: Connection) -> None:
            self.quotas.settle(connection, job.hold, captured=captured)
            self.ledger.record_settle(
                connection,
                job_id=job.job_id,
                position=job.position,
                units=job.hold.units,
                captured=captured,
                now=self.database.moment,
            )

        if job.job_id in self.ended:
            with pytest.raises(IntegrityError):
                self.database.write(work)
        else:
            self.database.write(work)
            self.ended[job.job_id] = captured

    def balances(self) -> dict[tuple[str, str, str], int]:
        """Return this user's ledger by (kind, day, part), without zeros."""
        sums = self.database.read(self.ledger.sum_accounts)
        mine = {
            name.removeprefix(f"quota:{self.caller.account_id}:"): amount
            for name, amount in sums.items()
            if name.startswith(f"quota:{self.caller.account_id}:")
        }
        split = {tuple(name.split(":")): amount for name, amount in mine.items() if amount}
        return {(kind, day, part): amount for (kind, day, part), amount in split.items()}

    def expected_balances(self) -> dict[tuple[str, str, str], int]:
        """Return the same, added up from what happened to every job."""
        sums: dict[tuple[str, str, str], int] = {}

        def add(job: Job, part: str, amount: int) -> None:
            place = (job.hold.kind, job.hold.window_date, part)
            sums[place] = sums.get(place, 0) + amount

        for job in self.jobs:
            used = self.ended.get(job.job_id)
            units = job.hold.units if used is None else used
            add(job, "held" if used is None else "used", units)
            add(job, "available", -units)
        return {place: amount for place, amount in sums.items() if amount}

    def quota_balances(self) -> dict[tuple[str, str, str], int]:
        """Return the same, as the quota windows tell it."""
        sums: dict[tuple[str, str, str], int] = {}
        windows = self.database.read(self.quotas.list_windows)
        for (owner, kind, day), window in windows.items():
            if owner == self.caller.account_id:
                sums[kind, day, "held"] = window.reserved
                sums[kind, day, "used"] = window.used
                sums[kind, day, "available"] = -(window.reserved + window.used)
        return {place: amount for place, amount in sums.items() if amount}


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    with migrated_database(database_url) as database:
        yield Office(database)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_balances_never_drift(office: Office, steps: list[Step]) -> None:
    """The examples share one database; each has a user of its own."""
    office.open_account()

    for step in steps:
        office.step(step)

        assert office.balances() == office.expected_balances() == office.quota_balances()
    assert sum(office.balances().values()) == 0
    assert office.database.read(office.ledger.list_unbalanced) == []
