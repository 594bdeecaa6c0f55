"""Traces: read from a file, or made from a seed.

A file is CSV with a header, or JSON lines with the same names; see `FIELDS`. Times are seconds
after the beginning.
"""

import csv
import json
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from gen_video.errors import ServiceError
from gen_video.generation.shares import Priority, Share
from gen_video.generation.simulation import TraceAccount, TraceJob

FIELDS = (
    "at",
    "account",
    "seconds",
    "predicted_seconds",
    "model",
    "queue",
    "priority",
    "cancel_at",
    "group",
    "weight",
    "max_running",
    "tier",
)
"""`at`, `account` and `seconds` are needed; the figures of an account count in its first line."""

DAY_SECONDS = 86_400.0
MODELS = (("image-a", 0.7), ("image-b", 0.2), ("image-c", 0.1))
PLANS = (("free", Share(weight=1, max_running=4)), ("paid", Share(weight=4, max_running=16)))
PAID_EVERY = 5
SPREAD = 0.6
"""Sigma of the lognormal device times."""


class TraceError(ServiceError):
    """A trace cannot be read."""

    code = "trace_invalid"
    message_en = "The trace cannot be read, line {line}: {reason}"
    message_zh = "无法读取轨迹文件，第 {line} 行：{reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What a made trace looks like.

    Attributes:
        seconds: Mean device time of a job.
        slots: Devices that it is meant for.
        load: Work that arrives, as a part of what the devices can do.
        prediction_error: Sigma of the lognormal error of predictions; 0 for perfect ones.
        batch: Part of the jobs that is not in a hurry.
    """

    jobs: int
    accounts: int
    seconds: float
    slots: int
    load: float = 0.9
    prediction_error: float = 0.3
    batch: float = 0.0
    seed: int = 0


def read_trace(path: Path) -> list[TraceJob]:
    """Read a trace, sorted by time.

    Raises:
        TraceError: A line is wrong.
    """
    accounts: dict[str, TraceAccount] = {}
    jobs = []
    try:
        with path.open(encoding="utf-8") as file:
            rows = map(json.loads, file) if path.suffix == ".jsonl" else csv.DictReader(file)
            for line, row in enumerate(rows, start=1):
                try:
                    jobs.append(_parse(row, accounts))
                except (KeyError, ValueError, TypeError, AttributeError) as error:
                    raise TraceError(line=line, reason=repr(error)[:200]) from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise TraceError(line=len(jobs) + 1, reason=str(error)) from error
    return sorted(jobs, key=lambda job: job.at)


def make_flood(shape: Shape) -> list[TraceJob]:
    """Return one account's jobs all at once, and accounts with one job each beside it."""
    dice = random.Random(shape.seed)  # noqa: S311 - repeatable
    small = max(1, shape.accounts - 1)
    crowd = max(0, shape.jobs - small)
    flood = TraceAccount(account_id="flood", group="flood", share=Share())
    jobs = [_job(dice, shape, flood, at=0.0) for _ in range(crowd)]
    drained = crowd * shape.seconds / shape.slots
    for number in range(small):
        account = TraceAccount(account_id=f"small-{number}", group="small", share=Share())
        jobs.append(_job(dice, shape, account, at=dice.uniform(0.0, 0.8 * drained)))
    return sorted(jobs, key=lambda job: job.at)


def make_backlog(shape: Shape) -> list[TraceJob]:
    """Return jobs of many accounts that all wait at the beginning."""
    dice = random.Random(shape.seed)  # noqa: S311 - repeatable
    accounts = _accounts(shape)
    return [
        _job(dice, shape, accounts[number % len(accounts)], at=0.0) for number in range(shape.jobs)
    ]


def make_poisson(shape: Shape) -> list[TraceJob]:
    """Return jobs at random times; a few accounts have most of them."""
    return _arrivals(shape, lambda _: 1.0)


def make_diurnal(shape: Shape) -> list[TraceJob]:
    """Return jobs of days with a busy hour three times as busy as the quiet one."""
    return _arrivals(shape, lambda at: 1.0 + 0.5 * math.sin(2 * math.pi * at / DAY_SECONDS))


GENERATORS: dict[str, Callable[[Shape], list[TraceJob]]] = {
    "flood": make_flood,
    "backlog": make_backlog,
    "poisson": make_poisson,
    "diurnal": make_diurnal,
}


def _arrivals(shape: Shape, rate_at: Callable[[float], float]) -> list[TraceJob]:
    dice = random.Random(shape.seed)  # noqa: S311 - repeatable
    accounts = _accounts(shape)
    popularity = list(accumulate(1 / (number + 1) for number in range(len(accounts))))
    per_second = shape.load * shape.slots / shape.seconds
    at = 0.0
    jobs = []
    for owner in dice.choices(accounts, cum_weights=popularity, k=shape.jobs):
        at += dice.expovariate(per_second * rate_at(at))
        jobs.append(_job(dice, shape, owner, at=at))
    return jobs


def _accounts(shape: Shape) -> list[TraceAccount]:
    return [
        TraceAccount(account_id=f"account-{number}", group=plan, share=share, tier=plan)
        for number in range(shape.accounts)
        for plan, share in (PLANS[number % PAID_EVERY == 0],)
    ]


def _job(dice: random.Random, shape: Shape, account: TraceAccount, *, at: float) -> TraceJob:
    seconds = shape.seconds * dice.lognormvariate(-(SPREAD**2) / 2, SPREAD)
    error = dice.lognormvariate(0.0, shape.prediction_error) if shape.prediction_error else 1.0
    model = dice.choices([name for name, _ in MODELS], [part for _, part in MODELS])[0]
    is_batch = bool(shape.batch) and dice.random() < shape.batch
    return TraceJob(
        at=at,
        account=account,
        model=model,
        seconds=seconds,
        predicted_seconds=seconds * error,
        priority=Priority.BATCH if is_batch else Priority.INTERACTIVE,
    )


def _parse(row: dict[str, str], accounts: dict[str, TraceAccount]) -> TraceJob:
    name = str(row["account"])
    account = accounts.get(name)
    if account is None:
        share = Share(
            weight=int(row.get("weight") or 1), max_running=int(row.get("max_running") or 0)
        )
        account = TraceAccount(
            account_id=name,
            group=str(row.get("group") or "all"),
            share=share,
            tier=str(row.get("tier") or "free"),
        )
        accounts[name] = account
    seconds = _positive(row["seconds"])
    return TraceJob(
        at=max(0.0, float(row["at"])),
        account=account,
        model=str(row.get("model") or "model"),
        seconds=seconds,
        predicted_seconds=_positive(row.get("predicted_seconds") or seconds),
        queue=str(row.get("queue") or "default.image"),
        priority=Priority(row.get("priority") or Priority.INTERACTIVE),
        cancel_at=float(row["cancel_at"]) if row.get("cancel_at") else None,
    )


def _positive(text: str | float) -> float:
    number = float(text)
    if not (number > 0 and math.isfinite(number)):
        raise ValueError(f"{text} is no duration")
    return number


def write_trace(rows: Iterator[dict[str, str | int | float]], path: Path) -> int:
    """Write rows as CSV; return how many."""
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=FIELDS)
        writer.writeheader()
        for row in rows:
            writer.writerow(row)
            count += 1
    return count
