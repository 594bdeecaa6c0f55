"""The service itself as a scheduler of simulations: real admission, claims and endings.

With a database whose clock follows the simulation, the service and the simulated queues can be
held against each other over the same trace.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, select
from typing_extensions import override

from gen_video.accounts.models import Caller
from gen_video.db.database import Database
from gen_video.generation.execution import ExecutionService, WorkerProfile
from gen_video.generation.models import ClaimedJob, Delivery
from gen_video.generation.requests import ImageRequest
from gen_video.generation.service import JobService
from gen_video.generation.simulated_queues import Arrival, Scheduler, Start, Station
from gen_video.generation.tables import jobs


class ServiceQueues(Scheduler):
    """Hands every event of a simulation to the service.

    Args:
        set_clock: Moves the database's clock.
        callers: By the account ids of the trace.
        request_of: What an arrival asks for; the service predicts its device time.
        deliver: Stores what a job made.
        mend: Mends the queues, as the sweeper does.
    """

    def __init__(
        self,
        *,
        database: Database,
        jobs: JobService,
        execution: ExecutionService,
        set_clock: Callable[[datetime], None],
        callers: Mapping[str, Caller],
        request_of: Callable[[Arrival], ImageRequest],
        deliver: Callable[[ClaimedJob], Delivery],
        mend: Callable[[], object],
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._execution = execution
        self._set_clock = set_clock
        self._callers = callers
        self._request_of = request_of
        self._deliver = deliver
        self._mend = mend
        self._running: dict[str, ClaimedJob] = {}
        self._owners: dict[str, Caller] = {}
        self._names: dict[str, str] = {}
        self.ids: dict[str, str] = {}
        """The service's job ids by those of the trace."""

    @override
    def enter(self, arrival: Arrival, *, now: datetime) -> None:
        self._set_clock(now)
        caller = self._callers[arrival.account_id]
        job_id = self._jobs.submit(caller, self._request_of(arrival)).job.id
        self.ids[arrival.job_id] = job_id
        self._names[job_id] = arrival.job_id
        self._owners[arrival.job_id] = caller

    @override
    def claim(self, station: Station, *, resident: Collection[str], now: datetime) -> Start | None:
        self._set_clock(now)
        profile = WorkerProfile(
            worker_id="simulated",
            queues=station.queues,
            models=station.models,
            tiers=station.tiers,
        )
        job = self._execution.claim(profile, resident=resident)
        if job is None:
            return None
        name = self._names[job.id]
        self._running[name] = job
        return Start(job_id=name, start_tag=self._read_tag(job.id))

    @override
    def finish(self, job_id: str, *, used: timedelta, now: datetime) -> None:
        self._set_clock(now)
        job = self._running.pop(job_id)
        self._execution.finish(job, [self._deliver(job)])

    @override
    def cancel(self, job_id: str, *, used: timedelta | None, now: datetime) -> None:
        self._set_clock(now)
        self._jobs.cancel(self._owners[job_id], self.ids[job_id])
        running = self._running.pop(job_id, None)
        if running is not None:
            self._execution.cancel(running)

    @override
    def give_back(self, job_id: str, *, now: datetime) -> None:
        self._set_clock(now)
        self._execution.give_back(self._running.pop(job_id))

    @override
    def age(self, *, now: datetime) -> None:
        self._set_clock(now)
        self._mend()

    def _read_tag(self, job_id: str) -> int:
        def work(connection: Connection) -> int:
            statement = select(jobs.c.start_tag).where(jobs.c.id == job_id)
            found: int = connection.execute(statement).scalar_one()
            return found

        return self._database.read(work)
