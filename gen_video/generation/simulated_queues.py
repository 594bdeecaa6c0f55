"""The queues in memory: the same rules as `queueing` and `fair_store`, without a database.

Every number comes from `shares`; what is written here is only what SQL does there: who is first,
who competes, what the clocks of a queue are. A differential test runs both over the same traces
and wants the same jobs to start in the same order with the same tags.
"""

import heapq
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from typing_extensions import override

from gen_video.generation.fair_store import CANDIDATES
from gen_video.generation.mending import BATCH
from gen_video.generation.queueing import PROMOTIONS
from gen_video.generation.shares import (
    Candidate,
    Rank,
    Share,
    choose,
    difference,
    next_tags,
    order_queues,
)
from gen_video.generation.simulated_lines import Backlog, Largest, Line, QueuedJob, merge


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A job that enters a queue.

    Attributes:
        share: What its account's plan gives.
    """

    job_id: str
    account_id: str
    share: Share
    tier: str
    queue: str
    rank: int
    model: str
    predicted_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """What a worker takes."""

    queues: tuple[str, ...]
    models: tuple[str, ...]
    tiers: tuple[str, ...] = ()


class Place(NamedTuple):
    """One account's place in one class of one queue: a key, asked for a dozen times per job."""

    account_id: str
    queue: str
    rank: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A job that a worker may start, and the tag it had."""

    job_id: str
    start_tag: int


class Scheduler(Protocol):
    """Decides which job starts: in memory, or the service with its database."""

    def enter(self, arrival: Arrival, *, now: datetime) -> None:
        """Accept a job."""
        ...

    def claim(self, station: Station, *, resident: Collection[str], now: datetime) -> Start | None:
        """Start the next job; None when there is none for this worker."""
        ...

    def finish(self, job_id: str, *, used: timedelta, now: datetime) -> None:
        """End a running job, which had a device for so long."""
        ...

    def cancel(self, job_id: str, *, used: timedelta | None, now: datetime) -> None:
        """End a job that nobody wants any more; `used` is None for one that waits."""
        ...

    def give_back(self, job_id: str, *, now: datetime) -> None:
        """Put a running job back, because its worker is gone."""
        ...

    def age(self, *, now: datetime) -> None:
        """Let batch jobs that have waited for long compete like interactive ones."""
        ...


class FairQueues(Scheduler):
    """Start-time fair queueing over accounts.

    Args:
        patience: How long the first job may be passed over for ones whose model is loaded.
        batch_ageing: After this long a batch job competes like an interactive one.
    """

    def __init__(self, *, patience: timedelta, batch_ageing: timedelta) -> None:
        self._patience = patience
        self._batch_ageing = batch_ageing
        self._jobs: dict[str, QueuedJob] = {}
        self._shares: dict[str, Share] = {}
        self._lines: dict[str, dict[tuple[int, str, str], Line]] = defaultdict(dict)
        self._running: dict[tuple[str, int], Largest[str]] = defaultdict(Largest)
        self._finishes: dict[tuple[str, int], Largest[str]] = defaultdict(Largest)
        self._competing: dict[Place, int] = defaultdict(int)
        self._tags: dict[Place, Largest[str]] = defaultdict(Largest)
        self._backlogs: dict[Place, Backlog] = defaultdict(Backlog)
        self._batch: list[tuple[datetime, str]] = []
        self._entered = 0

    @override
    def enter(self, arrival: Arrival, *, now: datetime) -> None:
        self._entered += 1
        job = QueuedJob(
            job_id=arrival.job_id,
            account_id=arrival.account_id,
            queue=arrival.queue,
            rank=arrival.rank,
            model=arrival.model,
            tier=arrival.tier,
            predicted_us=arrival.predicted_us,
            created_at=now,
        )
        self._jobs[job.job_id] = job
        self._shares[job.account_id] = arrival.share
        self._note_batch(job)
        place = _place_of(job)
        if arrival.share.has_room(self._competing[place]):
            self._compete(job, self._take_tag(place, job.predicted_us))
        else:
            self._backlogs[place].add(job)

    @override
    def claim(self, station: Station, *, resident: Collection[str], now: datetime) -> Start | None:
        heads = [
            (queue, found[0])
            for queue in station.queues
            if (found := self._candidates(queue, station, count=1))
        ]
        for queue in order_queues(heads)[:1]:
            head = dict(heads)[queue]
            # Further jobs matter only where one may be preferred to the head.
            count = 1 if head.model in resident else CANDIDATES
            candidates = self._candidates(queue, station, count=count)
            choice = choose(candidates, resident=resident, now=now, patience=self._patience)
            job = self._jobs[choice.job_ids[0]]
            if choice.passed_over not in {None, job.job_id}:
                self._mark_passed(str(choice.passed_over), now)
            return self._start(job)
        return None

    @override
    def finish(self, job_id: str, *, used: timedelta, now: datetime) -> None:
        self._leave(self._jobs.pop(job_id), used)

    @override
    def cancel(self, job_id: str, *, used: timedelta | None, now: datetime) -> None:
        self._leave(self._jobs.pop(job_id), used)

    @override
    def give_back(self, job_id: str, *, now: datetime) -> None:
        job = self._jobs[job_id]
        self._running[job.queue, job.rank].drop(job_id)
        job.is_queued = True
        job.attempt -= 1
        self._note_batch(job)
        if job.candidate is not None:
            self._line_of(job).add(job, job.candidate.start_tag)

    @override
    def age(self, *, now: datetime) -> None:
        before = now - self._batch_ageing
        aged: list[QueuedJob] = []
        while self._batch and self._batch[0][0] < before and len(aged) < BATCH:
            job = self._jobs.get(heapq.heappop(self._batch)[1])
            if job is not None and job.is_queued and job.rank == Rank.BATCH:
                aged.append(job)
        for job in aged:
            self._move_up(job)

    def _candidates(self, queue: str, station: Station, *, count: int) -> list[Candidate]:
        lines = [
            (rank, line)
            for (rank, model, tier), line in self._lines[queue].items()
            if model in station.models and (not station.tiers or tier in station.tiers)
        ]
        return merge(lines, count)

    def _start(self, job: QueuedJob) -> Start | None:
        if job.candidate is None:
            return None
        job.is_queued = False
        job.attempt += 1
        start_tag = job.candidate.start_tag
        self._running[job.queue, job.rank].set(job.job_id, start_tag)
        return Start(job_id=job.job_id, start_tag=start_tag)

    def _mark_passed(self, job_id: str, now: datetime) -> None:
        job = self._jobs[job_id]
        if job.candidate is not None and job.candidate.passed_at is None:
            job.candidate = replace(job.candidate, passed_at=now)

    def _leave(self, job: QueuedJob, used: timedelta | None) -> None:
        """Settle a job that has ended, as `Queueing.leave` does."""
        place = _place_of(job)
        self._running[job.queue, job.rank].drop(job.job_id)
        job.is_queued = False
        if job.candidate is not None:
            self._competing[place] -= 1
            self._tags[place].drop(job.job_id)
            never_ran = job.attempt == 0 and used is None
            known = timedelta(0) if never_ran else used
            if known is not None:
                self._settle(job, place, known)
        self._promote(place)

    def _settle(self, job: QueuedJob, place: Place, used: timedelta) -> None:
        weight = self._shares[job.account_id].weight
        change = difference(predicted_us=job.predicted_us, used=used, weight=weight)
        finishes = self._finishes[place.queue, place.rank]
        finishes.set(place.account_id, max(0, (finishes.get(place.account_id) or 0) + change))

    def _promote(self, place: Place) -> None:
        backlog = self._backlogs.get(place)
        if backlog is None:
            return
        share = self._shares[place.account_id]
        for _ in range(PROMOTIONS):
            job = backlog.next(lambda job: _is_waiting(job, place))
            if job is None or not share.has_room(self._competing[place]):
                return
            self._compete(job, self._take_tag(place, job.predicted_us))

    def _move_up(self, job: QueuedJob) -> None:
        old = _place_of(job)
        if job.candidate is not None:
            self._competing[old] -= 1
            self._tags[old].drop(job.job_id)
            self._settle(job, old, timedelta(0))
        job.candidate = None
        job.rank = Rank.INTERACTIVE
        new = _place_of(job)
        self._backlogs[new].add(job)
        self._promote(old)
        self._promote(new)

    def _compete(self, job: QueuedJob, start_tag: int) -> None:
        job.candidate = Candidate(
            job_id=job.job_id,
            model=job.model,
            rank=job.rank,
            start_tag=start_tag,
            created_at=job.created_at,
        )
        self._competing[_place_of(job)] += 1
        self._tags[_place_of(job)].set(job.job_id, start_tag)
        self._line_of(job).add(job, start_tag)

    def _line_of(self, job: QueuedJob) -> Line:
        return self._lines[job.queue].setdefault((job.rank, job.model, job.tier), Line())

    def _take_tag(self, place: Place, predicted_us: int) -> int:
        finishes = self._finishes[place.queue, place.rank]
        tags = next_tags(
            virtual_time=self._virtual_time(place),
            last_finish=finishes.get(place.account_id) or 0,
            last_start=self._tags[place].top(),
            predicted_us=predicted_us,
            weight=self._shares[place.account_id].weight,
        )
        finishes.set(place.account_id, tags.finish)
        return tags.start

    def _virtual_time(self, place: Place) -> int:
        """Return the clock of a queue, as `fair_store.read_clocks` does."""
        running = self._running[place.queue, place.rank].top()
        if running is not None:
            return running
        ready = [
            tag
            for (rank, _, _), line in self._lines[place.queue].items()
            if rank == place.rank and (tag := line.first_tag(rank)) is not None
        ]
        if ready:
            return min(ready)
        return self._finishes[place.queue, place.rank].top() or 0

    def _note_batch(self, job: QueuedJob) -> None:
        if job.rank == Rank.BATCH:
            heapq.heappush(self._batch, (job.created_at, job.job_id))


class FirstComeQueues(FairQueues):
    """For comparison: one line in the order of arrival, accounts and classes do not matter."""

    @override
    def enter(self, arrival: Arrival, *, now: datetime) -> None:
        super().enter(replace(arrival, rank=Rank.INTERACTIVE, share=Share()), now=now)

    @override
    def age(self, *, now: datetime) -> None:
        return

    @override
    def _take_tag(self, place: Place, predicted_us: int) -> int:
        return self._entered

    @override
    def _settle(self, job: QueuedJob, place: Place, used: timedelta) -> None:
        return


class PriorityQueues(FirstComeQueues):
    """For comparison: the heaviest plan always first, in the order of arrival within a plan."""

    @override
    def enter(self, arrival: Arrival, *, now: datetime) -> None:
        rank = -arrival.share.weight
        FairQueues.enter(self, replace(arrival, rank=rank, share=Share()), now=now)


def _place_of(job: QueuedJob) -> Place:
    return Place(job.account_id, job.queue, job.rank)


def _is_waiting(job: QueuedJob, place: Place) -> bool:
    return job.is_queued and job.candidate is None and job.rank == place.rank
