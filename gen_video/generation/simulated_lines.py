"""What a simulated queue keeps in memory in place of a database's indexes.

A line holds the jobs that may start now in their order and gives its first ones cheaply; `Largest`
knows the largest of many numbers that change.
"""

import heapq
from bisect import insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Generic, TypeVar

from gen_video.generation.shares import Candidate

Key = TypeVar("Key", str, int)

FRONT = 32
"""Jobs at the head of a line that are kept sorted."""
SLACK = 64


@dataclass(slots=True, kw_only=True, eq=False)
class QueuedJob:
    """A job in the simulated queues.

    Attributes:
        queue: Where it waits, such as `default.image`.
        candidate: As workers see it; None while it waits behind its account's others.
        is_queued: False while it runs and after it ended.
        attempt: Starts that count, as in the job's row.
        entry: Which of its entries in a line counts.
    """

    job_id: str
    account_id: str
    queue: str
    rank: int
    model: str
    tier: str
    predicted_us: int
    created_at: datetime
    candidate: Candidate | None = None
    is_queued: bool = True
    attempt: int = 0
    entry: int = 0


Entry = tuple[int, str, int, QueuedJob]
"""Start tag, id, then a number that keeps equal ones apart."""


class Line:
    """The jobs of one queue, class, model and tier that compete, in the order of their tags.

    A sorted front before a heap: a worker looks at a handful of jobs, so only those are kept in
    order. Jobs that left are skipped when they come to the front.
    """

    def __init__(self) -> None:
        self._front: list[Entry] = []
        self._rest: list[Entry] = []
        self._number = 0

    def add(self, job: QueuedJob, start_tag: int) -> None:
        """Put a job in its place."""
        self._number += 1
        job.entry = self._number
        entry = (start_tag, job.job_id, self._number, job)
        if self._rest and entry > self._rest[0]:
            heapq.heappush(self._rest, entry)
            return
        insort(self._front, entry)
        if len(self._front) > 2 * FRONT:
            for surplus in self._front[FRONT:]:
                heapq.heappush(self._rest, surplus)
            del self._front[FRONT:]

    def walk(self, rank: int) -> Iterator[Entry]:
        """Walk over the jobs that still are in this class and compete, from the first on."""
        front = self._front
        at = 0
        while True:
            if at == len(front):
                if not self._rest:
                    return
                # What the heap gives is behind everything in front.
                front.append(heapq.heappop(self._rest))
            entry = front[at]
            job = entry[3]
            if job.is_queued and job.entry == entry[2] and job.rank == rank:
                yield entry
                at += 1
            else:
                del front[at]

    def first_tag(self, rank: int) -> int | None:
        """Return the start tag of the first job, None without one."""
        entry = next(self.walk(rank), None)
        return None if entry is None else entry[0]


def merge(lines: list[tuple[int, Line]], count: int) -> list[Candidate]:
    """Return the first jobs of several lines of one queue, a lower class before a higher."""
    found: list[Candidate] = []
    for rank in sorted({rank for rank, _ in lines}):
        walks = [line.walk(rank) for own, line in lines if own == rank]
        merged = walks[0] if len(walks) == 1 else heapq.merge(*walks)
        for _, _, _, job in islice(merged, count - len(found)):
            if job.candidate is not None:
                found.append(job.candidate)
        if len(found) >= count:
            break
    return found


class Largest(Generic[Key]):
    """The largest of numbers that come, change and go, by key."""

    def __init__(self) -> None:
        self._numbers: dict[Key, int] = {}
        self._heap: list[tuple[int, Key]] = []

    def get(self, key: Key) -> int | None:
        """Return a key's number."""
        return self._numbers.get(key)

    def set(self, key: Key, number: int) -> None:
        """Give a key a number."""
        self._numbers[key] = number
        heapq.heappush(self._heap, (-number, key))
        if len(self._heap) > 2 * len(self._numbers) + SLACK:
            self._heap = [(-number, key) for key, number in self._numbers.items()]
            heapq.heapify(self._heap)

    def drop(self, key: Key) -> None:
        """Forget a key."""
        self._numbers.pop(key, None)

    def top(self) -> int | None:
        """Return the largest number, None without any."""
        while self._heap:
            negative, key = self._heap[0]
            if self._numbers.get(key) == -negative:
                return -negative
            heapq.heappop(self._heap)
        return None


class Backlog:
    """The jobs of one account and class that wait behind its own, in the order of arrival."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, str, QueuedJob]] = []

    def add(self, job: QueuedJob) -> None:
        """Put a job behind those that came before."""
        heapq.heappush(self._heap, (job.created_at, job.job_id, job))

    def next(self, is_waiting: Callable[[QueuedJob], bool]) -> QueuedJob | None:
        """Return the first one that still waits here, and leave it there."""
        while self._heap:
            job = self._heap[0][2]
            if is_waiting(job):
                return job
            heapq.heappop(self._heap)
        return None
