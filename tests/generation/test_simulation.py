"""The simulator against the service: over any trace both start the same jobs in the same order."""

import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from benchmarks.service_queues import ServiceQueues
from gen_video.accounts.models import Caller
from gen_video.generation import simulated_queues
from gen_video.generation.recording import record_trace
from gen_video.generation.requests import ImageRequest
from gen_video.generation.shares import Priority, Share, predict_microseconds
from gen_video.generation.simulated_queues import FairQueues, Start, Station
from gen_video.generation.simulation import Simulation, TraceAccount, TraceJob, WorkerGroup, World
from gen_video.generation.simulation_figures import choose_alone, run_policy
from gen_video.generation.simulation_traces import (
    GENERATORS,
    Shape,
    TraceError,
    read_trace,
    write_trace,
)
from gen_video.generation.tables import model_speeds
from gen_video.storage.memory import MemoryObjectStore
from tests.db.clocked import START
from tests.generation.fakes import FlakyDatabase
from tests.generation.shop import ROOMY
from tests.generation.studio import BATCH_AGEING, MODELS, PATIENCE, QUEUES, Studio, open_studio

WIDTH, HEIGHT = 64, 48
SPEED = 400_000_000.0
"""Microseconds per million of work: a step of a small picture takes more than a second."""
ACCOUNTS = 4
STATION = Station(queues=QUEUES, models=MODELS)


@st.composite
def traces(draw: st.DrawFn) -> list[TraceJob]:
    """Return a small trace in which accounts compete, wait, change their minds and are patient."""
    accounts = [
        TraceAccount(
            account_id=f"account-{number}",
            group="all",
            share=Share(weight=draw(st.integers(1, 4)), max_running=draw(st.integers(0, 3))),
            tier=draw(st.sampled_from(["free", "paid"])),
        )
        for number in range(ACCOUNTS)
    ]
    at = 0.0
    jobs = []
    for number in range(draw(st.integers(1, 20))):
        at += draw(st.sampled_from([0.0, 0.0, 0.5, 3.0, 40.0]))
        steps = draw(st.integers(2, 12))
        predicted = predict_microseconds(
            work=WIDTH * HEIGHT * steps, microseconds_per_megawork=SPEED
        )
        is_canceled = draw(st.integers(0, 4)) == 0
        jobs.append(
            TraceJob(
                at=at,
                account=draw(st.sampled_from(accounts)),
                model=draw(st.sampled_from(MODELS)),
                seconds=draw(st.floats(0.1, 60.0)),
                predicted_seconds=predicted / 1_000_000,
                priority=draw(st.sampled_from([Priority.INTERACTIVE, Priority.BATCH])),
                cancel_at=at + draw(st.floats(0.0, 90.0)) if is_canceled else None,
                job_id=f"{number}:{steps}",
            )
        )
    return jobs


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Return a few workers, some of which take only one model or tier or are killed."""
    stations = [
        STATION,
        replace(STATION, models=("paint",)),
        replace(STATION, tiers=("paid",)),
    ]
    return World(
        groups=(
            WorkerGroup(station=STATION, count=draw(st.integers(1, 2))),
            WorkerGroup(station=draw(st.sampled_from(stations)), count=draw(st.integers(0, 1))),
        ),
        other_load_seconds=draw(st.sampled_from([0.0, 7.0])),
        kills_per_hour=draw(st.sampled_from([0.0, 60.0])),
        seed=draw(st.integers(0, 9)),
    )


@contextmanager
def fresh_studio(blank_file: Path) -> Iterator[Studio]:
    """Open a studio over a database of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "database.sqlite3"
        shutil.copyfile(blank_file, path)
        database = FlakyDatabase(f"sqlite:///{path}")
        try:
            studio = open_studio(database, MemoryObjectStore())
            studio.accounts.seed()
            database.write(
                lambda connection: connection.execute(
                    insert(model_speeds),
                    [
                        {
                            "model": model,
                            "us_per_megawork": SPEED,
                            "samples": 1,
                            "updated_at": START,
                        }
                        for model in MODELS
                    ],
                )
            )
            yield studio
        finally:
            database.close()


def open_service(studio: Studio, jobs: list[TraceJob]) -> ServiceQueues:
    """Return the service as a scheduler, with an account and a plan for each of the trace's."""

    def set_clock(now: datetime) -> None:
        studio.database.moment = now

    by_id = {job.job_id: job for job in jobs}
    callers = {}
    for account in {job.account.account_id: job.account for job in jobs}.values():
        plan = replace(
            ROOMY,
            id=account.account_id,
            tier=account.tier,
            weight=account.share.weight,
            max_running=account.share.max_running,
        )
        callers[account.account_id] = studio.new_caller_with(plan, account.account_id)
    return ServiceQueues(
        database=studio.database,
        jobs=studio.jobs,
        execution=studio.execution,
        set_clock=set_clock,
        callers=callers,
        request_of=lambda arrival: ImageRequest(
            prompt="a lake",
            seed=1,
            model=arrival.model,
            width=WIDTH,
            height=HEIGHT,
            num_inference_steps=int(arrival.job_id.partition(":")[2]),
            priority=by_id[arrival.job_id].priority,
        ),
        deliver=studio.deliver,
        mend=studio.sweeper._mender.mend,
    )


def run_both(
    blank_file: Path, jobs: list[TraceJob], world: World
) -> tuple[list[Start], list[Start]]:
    """Return the starts of the service and of the simulated queues."""
    with fresh_studio(blank_file) as studio:
        service = open_service(studio, jobs)
        real = Simulation(jobs, world, service).run().order
    # Equal tags are decided by the ids, which the service draws.
    named = [replace(job, job_id=service.ids[job.job_id]) for job in jobs]
    queues = FairQueues(patience=PATIENCE, batch_ageing=BATCH_AGEING)
    simulated = Simulation(named, world, queues).run().order
    return [replace(start, job_id=service.ids[start.job_id]) for start in real], simulated


@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(jobs=traces(), world=worlds())
def test_the_simulator_starts_what_the_service_starts_with_the_same_tags(
    blank_file: Path, jobs: list[TraceJob], world: World
) -> None:
    real, simulated = run_both(blank_file, jobs, world)

    assert simulated == real


def test_a_long_trace_with_everything_in_it_runs_alike(blank_file: Path) -> None:
    """More jobs at once than a worker looks at, batch jobs that grow old, kills and cancels."""
    dice = random.Random(5)  # noqa: S311 - repeatable
    accounts = [
        TraceAccount(
            account_id=f"account-{number}",
            group="all",
            share=Share(weight=1 + number % 3, max_running=(0, 2, 5)[number % 3]),
        )
        for number in range(6)
    ]
    jobs = []
    for number in range(90):
        steps = dice.randint(2, 12)
        at = dice.choice([0.0, 0.0, 0.0, dice.uniform(0, 900)])
        predicted = predict_microseconds(
            work=WIDTH * HEIGHT * steps, microseconds_per_megawork=SPEED
        )
        jobs.append(
            TraceJob(
                at=at,
                account=dice.choice(accounts),
                model=dice.choice(MODELS),
                seconds=dice.uniform(5, 90),
                predicted_seconds=predicted / 1_000_000,
                priority=dice.choice(list(Priority)),
                cancel_at=at + 200 if number % 9 == 0 else None,
                job_id=f"{number}:{steps}",
            )
        )
    jobs.sort(key=lambda job: job.at)
    world = World(
        groups=(WorkerGroup(station=STATION, count=2),),
        other_load_seconds=5.0,
        kills_per_hour=20.0,
    )

    real, simulated = run_both(blank_file, jobs, world)

    assert len(real) > len(jobs) - 10
    assert simulated == real


def test_a_wrong_rule_would_be_noticed(blank_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without settling predictions the order differs: the comparison can fail."""
    account = TraceAccount(account_id="account-0", group="all", share=Share())
    other = replace(account, account_id="account-1")
    jobs = [
        TraceJob(
            at=0.0,
            account=owner,
            model="sketch",
            seconds=30.0 if owner is account else 1.0,
            predicted_seconds=predict_microseconds(
                work=WIDTH * HEIGHT * 4, microseconds_per_megawork=SPEED
            )
            / 1_000_000,
            job_id=f"{number}:4",
        )
        for number, owner in enumerate([account, other] * 2)
    ]
    late = [replace(job, at=40.0, job_id=f"{number}:4") for number, job in enumerate(jobs, 4)]
    monkeypatch.setattr(simulated_queues, "difference", lambda **_: 0)

    real, simulated = run_both(
        blank_file, jobs + late, World(groups=(WorkerGroup(station=STATION, count=1),))
    )

    assert simulated != real


def simulate(policy: str, jobs: list[TraceJob], *, slots: int = 4, alone: str = "") -> float:
    """Return the fairness figure after checking that every job was done."""
    station = Station(queues=("default.image",), models=("image-a", "image-b", "image-c"))
    figures = run_policy(
        policy,
        jobs,
        World(groups=(WorkerGroup(station=station, count=slots),)),
        patience=timedelta(0),
        batch_ageing=BATCH_AGEING,
        alone=alone,
    )
    assert sum(group.jobs for group in figures.groups) == len(jobs)
    return figures.jain or 0.0


def shape(jobs: int, accounts: int) -> Shape:
    """Return a small shape."""
    return Shape(jobs=jobs, accounts=accounts, seconds=8.0, slots=4)


@pytest.mark.parametrize("kind", GENERATORS)
@pytest.mark.parametrize("policy", ["fair", "fifo", "priority"])
def test_every_policy_does_every_job_of_every_made_trace(kind: str, policy: str) -> None:
    simulate(policy, GENERATORS[kind](shape(300, 12)))


def test_a_flood_leaves_small_accounts_nearly_where_they_were_alone() -> None:
    jobs = GENERATORS["flood"](shape(2000, 21))
    station = Station(queues=("default.image",), models=("image-a", "image-b", "image-c"))
    world = World(groups=(WorkerGroup(station=station, count=4),))

    fair, fifo = (
        next(
            group
            for group in run_policy(
                policy,
                jobs,
                world,
                patience=timedelta(0),
                batch_ageing=BATCH_AGEING,
                alone=choose_alone(jobs),
            ).groups
            if group.group == "small"
        )
        for policy in ("fair", "fifo")
    )

    assert fair.ratio is not None
    assert fifo.ratio is not None
    assert fair.ratio < 2.0
    assert fifo.ratio > 20.0


def test_backlogged_accounts_get_device_time_by_their_weights() -> None:
    jobs = GENERATORS["backlog"](shape(4000, 10))
    unlimited = [
        replace(job, account=replace(job.account, share=replace(job.account.share, max_running=0)))
        for job in jobs
    ]

    assert simulate("fair", unlimited) > 0.98
    assert simulate("fifo", unlimited) < 0.9


def test_a_trace_is_read_from_csv_and_json_lines_alike(tmp_path: Path) -> None:
    rows = tmp_path / "trace.csv"
    rows.write_text("at,account,seconds,weight,priority\n5,b,2.5,3,batch\n1,a,1,,\n")
    lines = tmp_path / "trace.jsonl"
    lines.write_text(
        '{"at": 5, "account": "b", "seconds": 2.5, "weight": 3, "priority": "batch"}\n'
        '{"at": 1, "account": "a", "seconds": 1}\n'
    )

    read = read_trace(rows)

    assert read == read_trace(lines)
    assert [job.account.account_id for job in read] == ["a", "b"]
    assert read[1].account.share.weight == 3
    assert read[1].predicted_seconds == 2.5


@pytest.mark.parametrize("line", ["x,a,1", "1,a,", "1,a,-2", "1,a,nan"])
def test_a_wrong_line_of_a_trace_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(f"at,account,seconds\n0,a,1\n{line}\n")

    with pytest.raises(TraceError) as caught:
        read_trace(path)

    assert caught.value.facts["line"] == 2


def test_what_the_service_did_is_recorded_as_a_trace_without_names(
    studio: Studio, caller: Caller, tmp_path: Path
) -> None:
    done = studio.submit(caller)
    running = studio.claim()
    studio.database.advance(timedelta(seconds=4))
    studio.finish(running)
    studio.submit(caller)
    path = tmp_path / "trace.csv"

    rows = record_trace(studio.database, studio.accounts, since=timedelta(hours=1))
    count = write_trace(iter(rows), path)
    (played,) = read_trace(path)

    assert count == 1
    assert done.id not in path.read_text()
    assert caller.account_id not in path.read_text()
    assert played.seconds == pytest.approx(4.0)
    assert played.account.share == Share(weight=1, max_running=4)
