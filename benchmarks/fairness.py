"""P15: fairness on the real service: real admission, claims and endings; devices that sleep.

And the same question put to the simulator, with a million jobs.
"""

import random
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Self

from benchmarks.backlog import MODEL, QUEUE, REQUEST, Backlog, filled
from benchmarks.databases import fresh_database, has_postgresql
from benchmarks.figures import Figure, milliseconds, percentile
from gen_video.accounts.models import Caller
from gen_video.generation.execution import WorkerProfile
from gen_video.generation.shares import Share
from gen_video.generation.simulated_queues import Station
from gen_video.generation.simulation import WorkerGroup, World
from gen_video.generation.simulation_figures import choose_alone, run_policy
from gen_video.generation.simulation_traces import GENERATORS, MODELS, Shape

DEVICES = 4
JOB_SECONDS = 0.25
FLOOD = 400
SMALL = 10
SMALL_JOBS = 4
WEIGHTS = (1, 2, 4)
WEIGHED_JOBS = 90
SIMULATED_JOBS = 1_000_000
SIMULATED_ACCOUNTS = 10_000
SIMULATED_SLOTS = 1_000
ALMOST = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """When whose job is submitted, in seconds after the beginning."""

    at: float
    caller: Caller


class Devices:
    """Threads that claim, sleep for as long as a job takes, and finish.

    Attributes:
        done: (job, started, ended) in the order of their ends, by the monotonic clock.
    """

    def __init__(self, backlog: Backlog, count: int) -> None:
        self._backlog = backlog
        self._guard = threading.Lock()
        self._is_stopping = threading.Event()
        self.done: list[tuple[str, float, float]] = []
        self._threads = [
            threading.Thread(target=self._work, args=(number,)) for number in range(count)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_stopping.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, count: int) -> None:
        """Wait until so many jobs are done."""
        while len(self.done) < count:
            time.sleep(JOB_SECONDS / 10)

    def _work(self, number: int) -> None:
        execution = self._backlog.services.execution
        profile = WorkerProfile(worker_id=f"device-{number}", queues=(QUEUE,), models=(MODEL,))
        while not self._is_stopping.is_set():
            job = execution.claim(profile) if execution.has_due_job(profile) else None
            if job is None:
                time.sleep(JOB_SECONDS / 50)
                continue
            started = time.monotonic()
            time.sleep(JOB_SECONDS)
            delivery = self._backlog.deliver(job)
            ended = time.monotonic()
            execution.finish(job, [delivery])
            with self._guard:
                self.done.append((job.id, started, ended))


def measure_fairness(folder: Path) -> list[Figure]:
    """P15: a small tenant beside a flood, and accounts of different weights, on the service."""
    figures = _measure(folder / "sqlite", "SQLite", url="")
    if has_postgresql():
        with fresh_database() as url:
            figures += _measure(folder / "postgresql", "PostgreSQL", url=url)
    return figures


def measure_simulation(_folder: Path) -> list[Figure]:
    """P15: the simulator over a million jobs."""
    station = Station(queues=(QUEUE,), models=tuple(name for name, _ in MODELS))
    world = World(
        groups=(WorkerGroup(station=station, count=SIMULATED_SLOTS),), other_load_seconds=10.0
    )
    shape = Shape(
        jobs=SIMULATED_JOBS, accounts=SIMULATED_ACCOUNTS, seconds=8.0, slots=SIMULATED_SLOTS
    )
    figures = []
    for kind in ("backlog", "flood"):
        jobs = GENERATORS[kind](shape)
        if kind == "backlog":
            unlimited = {
                job.account.account_id: replace(
                    job.account, share=Share(weight=job.account.share.weight)
                )
                for job in jobs
            }
            jobs = [replace(job, account=unlimited[job.account.account_id]) for job in jobs]
        found = run_policy(
            "fair",
            jobs,
            world,
            patience=timedelta(seconds=30),
            batch_ageing=timedelta(minutes=10),
            alone=choose_alone(jobs) if kind == "flood" else "",
        )
        details = {
            "real_seconds": found.real_seconds,
            "utilisation": found.utilisation,
            "model_loads": found.loads,
        }
        ratios = [group.ratio for group in found.groups if group.ratio is not None]
        value, name, must = (
            (ratios[0], "small tenants' p95 beside a flood ÷ alone", "≤ 2")
            if ratios
            else (found.jain or 0.0, "Jain's index over weighted device time", "≥ 0.95")
        )
        figures.append(
            Figure(
                goal="P15",
                name=f"simulated, 10⁶ jobs, {SIMULATED_SLOTS} devices: {name}",
                value=value,
                unit="",
                must=must,
                details=details,
            )
        )
    return figures


def _measure(folder: Path, make: str, *, url: str) -> list[Figure]:
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        backlog = stack.enter_context(filled(folder, url=url, jobs=0))
        flood = _caller(backlog, "flood", weight=1)
        small = [_caller(backlog, f"small-{number}", weight=1) for number in range(SMALL)]
        dice = random.Random(0)  # noqa: S311 - repeatable
        drained = FLOOD * JOB_SECONDS / DEVICES
        visits = sorted(
            (
                Plan(at=dice.uniform(0.1, 0.8) * drained, caller=caller)
                for caller in small
                for _ in range(SMALL_JOBS)
            ),
            key=lambda plan: plan.at,
        )
        alone = _run(backlog, visits, small)
        beside = _run(
            backlog, [*(Plan(at=0.0, caller=flood) for _ in range(FLOOD)), *visits], small
        )
        jain = _weigh(backlog)
    alone_p95, beside_p95 = percentile(alone, ALMOST), percentile(beside, ALMOST)
    return [
        Figure(
            goal="P15",
            name=f"{make}: small tenant's p95 beside a flood of {FLOOD}, less one job, ÷ alone",
            value=round((beside_p95 - JOB_SECONDS) / alone_p95, 2),
            unit="×",
            must="≤ 2",
            details={
                "alone_p95_ms": milliseconds(alone_p95),
                "beside_p95_ms": milliseconds(beside_p95),
                "fifo_would_be_ms": milliseconds(drained),
            },
        ),
        Figure(
            goal="P15",
            name=f"{make}: Jain's index over device time by weight {WEIGHTS}",
            value=round(jain, 4),
            unit="",
            must="≥ 0.95",
        ),
    ]


def _caller(backlog: Backlog, name: str, *, weight: int) -> Caller:
    accounts = backlog.services.accounts
    plan = replace(accounts.get_plan("open"), id=f"weight-{weight}", weight=weight)
    accounts.save_plan(plan)
    accounts.create_account(name, plan_id=plan.id)
    return accounts.authenticate(accounts.create_key(name).plaintext)


def _run(backlog: Backlog, plans: Sequence[Plan], watched: Sequence[Caller]) -> list[float]:
    """Submit by the clock; return the seconds from each watched job's moment to its end.

    Those of the moment 0 wait already when the devices start.
    """
    names = {caller.account_id for caller in watched}
    due: dict[str, float] = {}
    for plan in plans:
        if plan.at == 0:
            backlog.services.jobs.submit(plan.caller, REQUEST)
    with Devices(backlog, DEVICES) as devices:
        began = time.monotonic()
        for plan in plans:
            if plan.at == 0:
                continue
            time.sleep(max(0.0, began + plan.at - time.monotonic()))
            job_id = backlog.services.jobs.submit(plan.caller, REQUEST).job.id
            if plan.caller.account_id in names:
                due[job_id] = began + plan.at
        devices.wait_for(len(plans))
    return [ended - due[job_id] for job_id, _, ended in devices.done if job_id in due]


def _weigh(backlog: Backlog) -> float:
    """Return Jain's index over the time in which all accounts had jobs waiting."""
    callers = {weight: _caller(backlog, f"weighs-{weight}", weight=weight) for weight in WEIGHTS}
    owners = {
        backlog.services.jobs.submit(caller, REQUEST).job.id: weight
        for _ in range(WEIGHED_JOBS)
        for weight, caller in callers.items()
    }
    with Devices(backlog, DEVICES) as devices:
        devices.wait_for(len(owners))
    used: dict[int, float] = defaultdict(float)
    counts: dict[int, int] = defaultdict(int)
    for job_id, started, ended in devices.done:
        weight = owners[job_id]
        used[weight] += ended - started
        counts[weight] += 1
        if counts[weight] == WEIGHED_JOBS - DEVICES:  # it is about to have none waiting
            break
    shares = [used[weight] / weight for weight in WEIGHTS]
    return sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares))
