"""What a simulation tells: waiting times, fairness, use of the devices, the queue over time."""

import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from gen_video.generation.shares import MICROSECONDS
from gen_video.generation.simulated_queues import (
    FairQueues,
    FirstComeQueues,
    PriorityQueues,
    Scheduler,
)
from gen_video.generation.simulation import Simulation, TraceJob, World
from gen_video.generation.simulation_records import Record

POLICIES = ("fair", "fifo", "priority")
JOBS_PER_ACCOUNT = 40
"""A window of the fairness figure is long enough for so many jobs of every account that waits."""
LEAST_WINDOW_SECONDS = 300
"""Waiting for a loaded model moves jobs by less than this."""
BUSY = 0.98
ALONE_AT_MOST = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFigures:
    """Waiting of one group of accounts, in seconds.

    Attributes:
        total_p95: From submission to result.
        alone_p95: `total_p95` when the group has the devices to itself; None where not asked.
        ratio: The one by the other.
    """

    group: str
    jobs: int
    accounts: int
    wait_p50: float
    wait_p95: float
    wait_max: float
    total_p95: float
    alone_p95: float | None = None
    ratio: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFigures:
    """One policy over one trace.

    Attributes:
        jain: Fairness (1 is perfect) of device time by weight, over spans in which all devices
            were busy, among the accounts that had jobs waiting all the time; None without such.
        drain: (seconds, jobs that wait, seconds that they take on all devices).
    """

    policy: str
    groups: tuple[GroupFigures, ...]
    jain: float | None
    utilisation: float
    loads: int
    kills: int
    simulated_seconds: float
    real_seconds: float
    drain: tuple[tuple[float, int, float], ...]


def make_scheduler(policy: str, *, patience: timedelta, batch_ageing: timedelta) -> Scheduler:
    """Return the queues of a policy: fair, fifo or priority."""
    makes = {"fair": FairQueues, "fifo": FirstComeQueues, "priority": PriorityQueues}
    return makes[policy](patience=patience, batch_ageing=batch_ageing)


def run_policy(
    policy: str,
    jobs: list[TraceJob],
    world: World,
    *,
    patience: timedelta,
    batch_ageing: timedelta,
    alone: str = "",
) -> PolicyFigures:
    """Simulate a trace under a policy.

    Args:
        policy: fair, fifo or priority.
        jobs: The trace.
        world: The devices.
        patience: How long the first job may be passed over for a loaded model.
        batch_ageing: When batch jobs move up.
        alone: A group that is also simulated without the others, for comparison.
    """

    def run(part: list[TraceJob]) -> Record:
        scheduler = make_scheduler(policy, patience=patience, batch_ageing=batch_ageing)
        return Simulation(part, world, scheduler).run()

    before = time.perf_counter()
    record = run(jobs)
    real_seconds = time.perf_counter() - before
    groups = summarise_groups(jobs, record)
    if alone:
        own = [job for job in jobs if job.account.group == alone]
        reference = summarise_groups(own, run(own))[0].total_p95
        groups = [_compare(group, reference) if group.group == alone else group for group in groups]
    busy = sum(record.services.ends) - sum(record.services.begins)
    return PolicyFigures(
        policy=policy,
        groups=tuple(groups),
        jain=measure_fairness(jobs, record),
        utilisation=round(busy / max(1, record.now * world.slots), 4),
        loads=record.loads,
        kills=record.kills,
        simulated_seconds=record.now / MICROSECONDS,
        real_seconds=round(real_seconds, 2),
        drain=tuple(
            (
                round(sample.at_us / MICROSECONDS, 1),
                sample.jobs,
                round(sample.predicted_us / MICROSECONDS / world.slots, 1),
            )
            for sample in record.samples
        ),
    )


def choose_alone(jobs: Sequence[TraceJob]) -> str:
    """Return the group of small accounts whose waiting is worth comparing; empty for none."""
    counts: dict[str, int] = defaultdict(int)
    for job in jobs:
        counts[job.account.group] += 1
    smallest = min(counts, key=lambda group: counts[group])
    return smallest if counts[smallest] < ALONE_AT_MOST * len(jobs) else ""


def summarise_groups(jobs: Sequence[TraceJob], record: Record) -> list[GroupFigures]:
    """Return the waiting times of every group; jobs that were canceled do not count."""
    waits: dict[str, list[float]] = defaultdict(list)
    totals: dict[str, list[float]] = defaultdict(list)
    owners: dict[str, set[str]] = defaultdict(set)
    for number, job in enumerate(jobs):
        group = job.account.group
        owners[group].add(job.account.account_id)
        if record.starts[number] < 0 or record.ends[number] < 0:
            continue
        arrived = record.arrivals[number]
        waits[group].append((record.starts[number] - arrived) / MICROSECONDS)
        totals[group].append((record.ends[number] - arrived) / MICROSECONDS)
    return [
        GroupFigures(
            group=group,
            jobs=len(waits[group]),
            accounts=len(owners[group]),
            wait_p50=round(_percentile(waits[group], 0.5), 3),
            wait_p95=round(_percentile(waits[group], 0.95), 3),
            wait_max=round(max(waits[group], default=0.0), 3),
            total_p95=round(_percentile(totals[group], 0.95), 3),
        )
        for group in sorted(owners)
    ]


def measure_fairness(jobs: Sequence[TraceJob], record: Record) -> float | None:
    """Return Jain's index of device time by weight, averaged over spans of time by their length.

    Source: Jain, Chiu and Hawe 1984, "A Quantitative Measure of Fairness".
    """
    if not jobs or not record.now:
        return None
    weights = {
        record.account_numbers[job.account.account_id]: job.account.share.weight
        for job in jobs
        if job.account.account_id in record.account_numbers
    }
    window = _window(record)
    edges = list(range(0, record.now + 1, window))
    received = _split(record, edges)
    waiting = _whole(record, edges)
    found = []
    for number in range(len(edges) - 1):
        busy = sum(received[number].values()) / (window * record.slots)
        if len(waiting[number]) > 1 and busy >= BUSY:
            found.append(
                _jain([received[number][account] / weights[account] for account in waiting[number]])
            )
    return round(sum(found) / len(found), 4) if found else None


def _window(record: Record) -> int:
    backlogged = sum(record.backlogs.ends) - sum(record.backlogs.begins)
    typical = max(1.0, backlogged / record.now)
    served = sum(record.services.ends) - sum(record.services.begins)
    job = served / max(1, len(record.services.begins))
    enough = round(JOBS_PER_ACCOUNT * typical * job / record.slots)
    return max(enough, LEAST_WINDOW_SECONDS * MICROSECONDS)


def _split(record: Record, edges: list[int]) -> list[dict[int, int]]:
    """Add up device time by window and account."""
    received: list[dict[int, int]] = [defaultdict(int) for _ in edges]
    services = record.services
    for account, begin, end in zip(services.accounts, services.begins, services.ends, strict=True):
        first, last = bisect_right(edges, begin) - 1, bisect_right(edges, end)
        for number in range(first, last):
            until = end if number + 1 >= len(edges) else min(end, edges[number + 1])
            received[number][account] += max(0, until - max(begin, edges[number]))
    return received


def _whole(record: Record, edges: list[int]) -> list[set[int]]:
    """Return which accounts had jobs waiting for the whole of each window."""
    waiting: list[set[int]] = [set() for _ in edges]
    spans = record.backlogs
    for account, begin, end in zip(spans.accounts, spans.begins, spans.ends, strict=True):
        first = bisect_right(edges, begin - 1)
        for number in range(first, bisect_right(edges, end) - 1):
            waiting[number].add(account)
    return waiting


def _jain(shares: Sequence[float]) -> float:
    squares = sum(share * share for share in shares)
    return sum(shares) ** 2 / (len(shares) * squares) if squares else 1.0


def _compare(group: GroupFigures, alone_p95: float) -> GroupFigures:
    ratio = round(group.total_p95 / alone_p95, 3) if alone_p95 else None
    return replace(group, alone_p95=alone_p95, ratio=ratio)


def _percentile(samples: list[float], share: float) -> float:
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
