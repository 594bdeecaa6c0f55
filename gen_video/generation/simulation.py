"""Simulation: a trace of jobs on simulated devices, with the real rules and a clock of its own.

Device by device and job by job, from event to event, so that an hour of a thousand devices takes
seconds. Not simulated: admission (nothing is refused), deadlines, retries after errors, and the
learning of speeds (a trace says what was predicted).
"""

import heapq
import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum

from gen_video.db.schema import EPOCH
from gen_video.generation.shares import MICROSECONDS, RANKS, Priority, Share
from gen_video.generation.simulated_queues import Arrival, Scheduler, Start, Station
from gen_video.generation.simulation_records import Record

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceAccount:
    """An account of a trace; `group` is under what name its figures are added up."""

    account_id: str
    group: str
    share: Share
    tier: str = "free"


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceJob:
    """A job of a trace.

    Attributes:
        at: Seconds after the beginning.
        seconds: Device time that it takes, without loading its model.
        predicted_seconds: Device time that was expected.
        cancel_at: When its owner cancels it; None for never.
        job_id: Decides between equal tags, as in the service; given where the trace has none.
    """

    at: float
    account: TraceAccount
    model: str
    seconds: float
    predicted_seconds: float
    queue: str = "default.image"
    priority: Priority = Priority.INTERACTIVE
    cancel_at: float | None = None
    job_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerGroup:
    """Equal workers; each slot is a device with its own models."""

    station: Station
    count: int
    slots: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the trace meets.

    Attributes:
        load_seconds: What loading a model takes, by model; `other_load_seconds` for the rest.
        kept_models: Models that a device keeps loaded.
        kills_per_hour: How often a device is lost in the middle of a job, per hour of work.
        lease_seconds: After which such a job is back in its queue.
        restart_seconds: After which such a device works again.
        sweep_seconds: How often old batch jobs are looked for.
    """

    groups: tuple[WorkerGroup, ...]
    load_seconds: Mapping[str, float] = field(default_factory=dict)
    other_load_seconds: float = 0.0
    kept_models: int = 1
    kills_per_hour: float = 0.0
    lease_seconds: float = 60.0
    restart_seconds: float = 30.0
    sweep_seconds: float = 5.0
    seed: int = 0

    @property
    def slots(self) -> int:
        """Return how many jobs run at once."""
        return sum(group.count * group.slots for group in self.groups)


class _Event(IntEnum):
    END = 0
    CANCEL = 1
    KILL = 2
    BACK = 3
    RESTART = 4
    SWEEP = 5


class _Device:
    """A device: what it has loaded, and what runs on it."""

    __slots__ = ("group", "job", "resident", "run", "since")

    def __init__(self, group: int) -> None:
        self.group = group
        self.resident: list[str] = []
        self.job = -1
        self.run = 0
        self.since = 0


class Simulation:
    """One run of a trace.

    Args:
        jobs: In the order of their arrival.
        world: The devices.
        scheduler: Who decides; it sees this simulation's clock.
    """

    def __init__(self, jobs: list[TraceJob], world: World, scheduler: Scheduler) -> None:
        self._jobs = jobs
        self._world = world
        self._scheduler = scheduler
        self._dice = random.Random(world.seed)  # noqa: S311 - repeatable accidents
        self._events: list[tuple[int, int, _Event, int, int]] = []
        self._order = 0
        self._devices = [
            _Device(number)
            for number, group in enumerate(world.groups)
            for _ in range(group.count * group.slots)
        ]
        self._idle: list[deque[int]] = [deque() for _ in world.groups]
        for number, device in enumerate(self._devices):
            self._idle[device.group].append(number)
        self._numbers: dict[str, int] = {}
        self._device_of: dict[int, int] = {}
        self._queued: set[int] = set()
        self._open = 0
        self.record = Record(jobs=len(jobs), slots=world.slots)

    def run(self) -> Record:
        """Run until every job has ended."""
        arrivals = iter(range(len(self._jobs)))
        arriving = next(arrivals, None)
        if any(job.priority is Priority.BATCH for job in self._jobs):
            self._plan(0, _Event.SWEEP)
        while arriving is not None or self._open:
            due = None if arriving is None else to_microseconds(self._jobs[arriving].at)
            if arriving is not None and due is not None and self._is_first(due):
                self.record.move_to(due)
                self._arrive(arriving, due)
                arriving = next(arrivals, None)
                continue
            now, _, event, number, run = heapq.heappop(self._events)
            self.record.move_to(now)
            self._happen(event, number, run, now=now, is_more=arriving is not None)
        return self.record

    def _is_first(self, due: int) -> bool:
        return not self._events or due <= self._events[0][0]

    def _plan(self, at: int, event: _Event, number: int = 0, run: int = 0) -> None:
        self._order += 1
        heapq.heappush(self._events, (at, self._order, event, number, run))

    def _happen(self, event: _Event, number: int, run: int, *, now: int, is_more: bool) -> None:
        match event:
            case _Event.END if self._devices[number].run == run:
                self._end(number, now)
            case _Event.KILL if self._devices[number].run == run:
                self._kill(number, now)
            case _Event.CANCEL:
                self._cancel(number, now)
            case _Event.BACK:
                self._come_back(number, now)
            case _Event.RESTART:
                self._rest(number)
            case _Event.SWEEP:
                self._scheduler.age(now=moment(now))
                if self._open or is_more:
                    self._plan(now + to_microseconds(self._world.sweep_seconds), _Event.SWEEP)
            case _:
                return  # of a run that is over
        self._hand_out(now)

    def _arrive(self, number: int, now: int) -> None:
        job = self._jobs[number]
        job_id = job.job_id or f"job_{number:010d}"
        self._numbers[job_id] = number
        arrival = Arrival(
            job_id=job_id,
            account_id=job.account.account_id,
            share=job.account.share,
            tier=job.account.tier,
            queue=job.queue,
            rank=RANKS[job.priority],
            model=job.model,
            predicted_us=to_microseconds(job.predicted_seconds),
        )
        self._scheduler.enter(arrival, now=moment(now))
        self._open += 1
        self._queue(number, now)
        self.record.arrived(number, now)
        if job.cancel_at is not None:
            self._plan(max(now, to_microseconds(job.cancel_at)), _Event.CANCEL, number)
        self._hand_out(now)

    def _hand_out(self, now: int) -> None:
        """Let idle devices claim, those first that have been idle for longest."""
        for group, idle in zip(self._world.groups, self._idle, strict=True):
            while idle and self._queued:
                device = self._devices[idle[0]]
                start = self._scheduler.claim(
                    group.station, resident=device.resident, now=moment(now)
                )
                if start is None:
                    break
                self._start(idle.popleft(), start, now)

    def _start(self, number: int, start: Start, now: int) -> None:
        device = self._devices[number]
        device.job = self._numbers[start.job_id]
        device.since = now
        device.run += 1
        job = self._jobs[device.job]
        self._unqueue(device.job, now)
        self._device_of[device.job] = number
        self.record.started(device.job, now, start)
        takes = to_microseconds(job.seconds) + self._load(device, job.model)
        killed_after = self._draw_kill()
        if killed_after is not None and killed_after < takes:
            self._plan(now + killed_after, _Event.KILL, number, device.run)
        else:
            self._plan(now + takes, _Event.END, number, device.run)

    def _load(self, device: _Device, model: str) -> int:
        """Make a model resident; return the microseconds that it takes."""
        if model in device.resident:
            device.resident.remove(model)
            device.resident.append(model)
            return 0
        device.resident = [*device.resident, model][-self._world.kept_models :]
        self.record.loads += 1
        seconds = self._world.load_seconds.get(model, self._world.other_load_seconds)
        return to_microseconds(seconds)

    def _draw_kill(self) -> int | None:
        rate = self._world.kills_per_hour
        return to_microseconds(self._dice.expovariate(rate / SECONDS_PER_HOUR)) if rate else None

    def _end(self, number: int, now: int) -> None:
        job, used = self._free(number, now)
        self._scheduler.finish(self._id_of(job), used=used, now=moment(now))
        self.record.ended(job, now)
        self._open -= 1
        self._rest(number)

    def _kill(self, number: int, now: int) -> None:
        job, _ = self._free(number, now)
        self._devices[number].resident = []
        self.record.kills += 1
        self._plan(now + to_microseconds(self._world.lease_seconds), _Event.BACK, job)
        self._plan(now + to_microseconds(self._world.restart_seconds), _Event.RESTART, number)

    def _come_back(self, job: int, now: int) -> None:
        self._scheduler.give_back(self._id_of(job), now=moment(now))
        self._queue(job, now)

    def _cancel(self, job: int, now: int) -> None:
        if job in self._queued:
            self._unqueue(job, now)
            self._scheduler.cancel(self._id_of(job), used=None, now=moment(now))
        elif job in self._device_of:
            number = self._device_of[job]
            _, used = self._free(number, now)
            self._scheduler.cancel(self._id_of(job), used=used, now=moment(now))
            self._rest(number)
        else:
            return  # ended, or with a worker that is gone
        self.record.canceled(job)
        self._open -= 1

    def _free(self, number: int, now: int) -> tuple[int, timedelta]:
        """Take the job from a device; return it and the device time that it used."""
        device = self._devices[number]
        job, used = device.job, now - device.since
        device.job = -1
        device.run += 1
        del self._device_of[job]
        self.record.served(self._jobs[job].account.account_id, device.since, now)
        return job, timedelta(microseconds=used)

    def _rest(self, number: int) -> None:
        self._idle[self._devices[number].group].append(number)

    def _queue(self, number: int, now: int) -> None:
        job = self._jobs[number]
        self._queued.add(number)
        predicted = to_microseconds(job.predicted_seconds)
        self.record.queued(job.account.account_id, predicted, now)

    def _unqueue(self, number: int, now: int) -> None:
        job = self._jobs[number]
        self._queued.remove(number)
        predicted = to_microseconds(job.predicted_seconds)
        self.record.unqueued(job.account.account_id, predicted, now)

    def _id_of(self, number: int) -> str:
        return self._jobs[number].job_id or f"job_{number:010d}"


def to_microseconds(seconds: float) -> int:
    """Return whole microseconds."""
    return round(seconds * MICROSECONDS)


def moment(microseconds: int) -> datetime:
    """Return the simulated clock as the service would see it."""
    return EPOCH + timedelta(microseconds=microseconds)
