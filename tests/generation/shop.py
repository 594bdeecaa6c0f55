"""A shop: devices that do the jobs of a studio one after another, on the studio's clock."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, insert, select

from gen_video.accounts.models import DEFAULT_PLANS, Caller, Plan
from gen_video.generation.execution import WorkerProfile
from gen_video.generation.models import ClaimedJob
from gen_video.generation.tables import IS_OPEN, jobs, model_speeds
from tests.db.clocked import START
from tests.generation.studio import Studio, profile

SECOND_US = 1_000_000
LAKE_MEGAWORK = 64 * 48 * 4 / 1_000_000
ROOMY = replace(
    DEFAULT_PLANS[0],
    images_per_day=100_000,
    videos_per_day=100_000,
    max_in_flight=100_000,
    max_running=0,
)
"""A plan that limits nothing."""


def tenant(
    studio: Studio, name: str, *, weight: int = 1, max_running: int = 0, tier: str = "free"
) -> Caller:
    """Return a new user with a plan of their own."""
    plan: Plan = replace(ROOMY, id=name, weight=weight, max_running=max_running, tier=tier)
    return studio.new_caller_with(plan, name)


def set_speed(studio: Studio, *, seconds: float, models: tuple[str, ...] = ("sketch",)) -> None:
    """Let it be known, before the first job, how long a small picture takes."""
    studio.database.write(
        lambda connection: connection.execute(
            insert(model_speeds),
            [
                {
                    "model": model,
                    "us_per_megawork": seconds * SECOND_US / LAKE_MEGAWORK,
                    "samples": 1,
                    "updated_at": START,
                }
                for model in models
            ],
        )
    )


def competing(studio: Studio, caller: Caller) -> int:
    """Return how many jobs of an account have a place."""

    def work(connection: Connection) -> int:
        statement = select(func.count()).where(
            IS_OPEN, jobs.c.start_tag.is_not(None), jobs.c.account_id == caller.account_id
        )
        return connection.execute(statement).scalar_one()

    return studio.database.read(work)


@dataclass
class Shop:
    """Devices that claim, take their time and finish.

    Attributes:
        seconds_of: How long a job really takes.
        started: The accounts of the jobs that were started, in order.
        used: Device seconds by account.
    """

    studio: Studio
    slots: int = 1
    seconds_of: Callable[[str], float] = lambda _account_id: 1.0
    worker: WorkerProfile = field(default_factory=profile)
    started: list[str] = field(default_factory=list)
    used: Counter[str] = field(default_factory=Counter)
    busy: list[tuple[datetime, int, ClaimedJob]] = field(default_factory=list)

    def fill(self) -> None:
        """Give every free device a job."""
        while len(self.busy) < self.slots:
            job = self.studio.execution.claim(self.worker)
            if job is None:
                return
            account_id = self.studio.row(job.id).account_id
            seconds = self.seconds_of(account_id)
            self.started.append(account_id)
            self.used[account_id] += round(seconds)
            ends_at = self.studio.database.moment + timedelta(seconds=seconds)
            self.busy.append((ends_at, len(self.started), job))

    def finish_one(self) -> None:
        """Let time pass until the next device is done."""
        self.busy.sort(key=lambda entry: entry[:2])
        ends_at, _, job = self.busy.pop(0)
        self.studio.database.moment = max(ends_at, self.studio.database.moment)
        self.studio.finish(job)

    def work(self, jobs: int) -> None:
        """Start so many jobs, or as many as there are."""
        for _ in range(jobs):
            self.fill()
            if not self.busy:
                return
            self.finish_one()


def has_place(studio: Studio, job_ids: Sequence[str]) -> list[bool]:
    """Tell of each job whether it competes or runs."""
    return [studio.row(job_id).start_tag is not None for job_id in job_ids]


def submit_in_turn(studio: Studio, caller: Caller, count: int) -> list[str]:
    """Submit jobs, one a second."""
    job_ids = []
    for _ in range(count):
        job_ids.append(studio.submit(caller).id)
        studio.database.advance(timedelta(seconds=1))
    return job_ids
