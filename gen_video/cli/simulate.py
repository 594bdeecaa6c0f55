"""`gen-video simulate`: what the scheduler would do with a trace of jobs, without devices."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from gen_video.cli.configuration import open_services
from gen_video.cli.terminal import note, print_json, print_rows, say
from gen_video.errors import ServiceError
from gen_video.generation.recording import record_trace
from gen_video.generation.simulated_queues import Station
from gen_video.generation.simulation import TraceJob, WorkerGroup, World
from gen_video.generation.simulation_figures import (
    POLICIES,
    PolicyFigures,
    choose_alone,
    run_policy,
)
from gen_video.generation.simulation_traces import GENERATORS, Shape, read_trace, write_trace

app = typer.Typer(add_completion=False)

DRAIN_LINES = 12


class UnknownChoiceError(ServiceError):
    """A name on the command line is none of those on offer."""

    code = "unknown_choice"
    message_en = "There is no {name}; choose from: {known}"
    message_zh = "没有 {name}，可选：{known}"


@app.command()
def simulate(
    *,
    trace: Annotated[
        Path | None, typer.Option(help="CSV or JSON lines: at, account, seconds, … / 轨迹文件")
    ] = None,
    kind: Annotated[
        str, typer.Option("--generate", help=f"{', '.join(GENERATORS)} / 生成轨迹的种类")
    ] = "flood",
    record: Annotated[
        Path | None, typer.Option(help="Write this service's jobs as a trace / 导出本服务的轨迹")
    ] = None,
    hours: Annotated[float, typer.Option(min=0.01, help="How far back / 导出最近几小时")] = 24.0,
    policy: Annotated[
        list[str] | None, typer.Option(help=f"{', '.join(POLICIES)} / 调度策略，可重复")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Jobs / 任务数")] = 10_100,
    accounts: Annotated[int, typer.Option(min=2, help="Accounts / 账户数")] = 101,
    workers: Annotated[int, typer.Option(min=1, help="Workers / 工作进程数")] = 8,
    slots: Annotated[int, typer.Option(min=1, help="Devices of each / 每进程设备数")] = 1,
    seconds: Annotated[float, typer.Option(min=0.01, help="Mean job / 平均秒数")] = 8.0,
    load: Annotated[float, typer.Option(min=0.01, help="Work ÷ devices / 负载")] = 0.9,
    batch: Annotated[float, typer.Option(min=0, max=1, help="Part in no hurry / 批量占比")] = 0.0,
    error: Annotated[float, typer.Option(min=0, help="Sigma of predictions / 预测误差")] = 0.3,
    load_seconds: Annotated[float, typer.Option(min=0, help="To load a model / 加载秒数")] = 10.0,
    kept_models: Annotated[int, typer.Option(min=1, help="Per device / 每设备常驻模型")] = 1,
    kills: Annotated[float, typer.Option(min=0, help="Per device hour / 每小时故障次数")] = 0.0,
    patience: Annotated[float, typer.Option(min=0, help="GEN_VIDEO_WARM_MODEL_SECONDS")] = 30.0,
    ageing: Annotated[float, typer.Option(min=0, help="GEN_VIDEO_BATCH_AGEING_SECONDS")] = 600.0,
    seed: Annotated[int, typer.Option(help="Same seed, same trace / 随机种子")] = 0,
    is_json: Annotated[bool, typer.Option("--json", help="Print JSON / 输出 JSON")] = False,
) -> None:
    """Run a trace through the scheduler's own rules on simulated devices, and compare policies.

    Without --trace one is made: a flood beside small users, a backlog, random arrivals, or days.

    用真实的调度规则在模拟设备上运行一条任务轨迹，并比较不同策略；未给出轨迹时自动生成。
    """
    if record is not None:
        _record(record, timedelta(hours=hours))
        return
    _check_choices(kind, policy or [])
    shape = Shape(
        jobs=jobs,
        accounts=accounts,
        seconds=seconds,
        slots=workers * slots,
        load=load,
        prediction_error=error,
        batch=batch,
        seed=seed,
    )
    played = read_trace(trace) if trace is not None else GENERATORS[kind](shape)
    if not played:
        note("The trace is empty.", "轨迹为空。")
        return
    world = World(
        groups=(WorkerGroup(station=_station(played), count=workers, slots=slots),),
        other_load_seconds=load_seconds,
        kept_models=kept_models,
        kills_per_hour=kills,
        seed=seed,
    )
    rules = partial(
        run_policy,
        patience=timedelta(seconds=patience),
        batch_ageing=timedelta(seconds=ageing),
        alone=choose_alone(played),
    )
    _print([rules(name, played, world) for name in policy or POLICIES], is_json=is_json)


def _check_choices(kind: str, policies: Sequence[str]) -> None:
    for name, known in ((kind, list(GENERATORS)), *((name, POLICIES) for name in policies)):
        if name not in known:
            raise UnknownChoiceError(name=name[:40], known=", ".join(known))


def _record(path: Path, since: timedelta) -> None:
    with open_services() as services:
        rows = record_trace(services.database, services.accounts, since=since)
    count = write_trace(iter(rows), path)
    note(f"Recorded {count} jobs in {path}.", f"已导出 {count} 个任务到 {path}。")


def _station(jobs: Sequence[TraceJob]) -> Station:
    return Station(
        queues=tuple(sorted({job.queue for job in jobs})),
        models=tuple(sorted({job.model for job in jobs})),
    )


def _print(figures: Sequence[PolicyFigures], *, is_json: bool) -> None:
    if is_json:
        print_json([asdict(found) for found in figures])
        return
    rows = [
        {"policy": found.policy, **asdict(group)} for found in figures for group in found.groups
    ]
    print_rows(rows, is_json=False)
    say()
    names = ("policy", "jain", "utilisation", "loads", "kills", "simulated_seconds", "real_seconds")
    print_rows([{name: getattr(found, name) for name in names} for found in figures], is_json=False)
    say()
    for found in figures:
        step = max(1, len(found.drain) // DRAIN_LINES)
        line = "  ".join(
            f"{at:.0f}s: {drain:.0f}s ({waiting})" for at, waiting, drain in found.drain[::step]
        )
        say(f"{found.policy}: time to drain (jobs waiting) / 清空时间（等待任务）: {line}")
    note(
        "Waits in seconds. Not simulated: refusals, deadlines, retries after errors.",
        "等待时间单位为秒。未模拟：拒绝、截止时间、出错重试。",
    )
