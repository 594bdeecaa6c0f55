"""What the insights slice hands out."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanFigures:
    """What ended in a span of time, of all accounts.

    Attributes:
        mean_seconds: From a job's start on a device to its end, of those that succeeded.
        p95_seconds: Likewise: 95 of 100 took no longer.
        active_accounts: Accounts of which a job ended.
    """

    succeeded: int = 0
    failed: int = 0
    canceled: int = 0
    images: int = 0
    videos: int = 0
    mean_seconds: float | None = None
    p95_seconds: float | None = None
    active_accounts: int = 0

    @property
    def success_rate(self) -> float | None:
        """Return the part that succeeded; what its owner canceled counts for neither side."""
        decided = self.succeeded + self.failed
        return None if not decided else self.succeeded / decided


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFigures:
    """The figures of one business day."""

    day: date
    figures: SpanFigures


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFigures:
    """What one model did in a span of time."""

    model: str
    kind: str
    succeeded: int
    failed: int
    mean_seconds: float | None


class Verdict(StrEnum):
    """How a figure stands to its target."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goals:
    """What the service is to reach: the success figures that it was begun with."""

    success_rate: float = 0.90
    mean_seconds: float = 60.0
    p95_seconds: float = 60.0
    daily_accounts: int = 5

    def judge_success(self, figures: SpanFigures) -> Verdict:
        """Tell whether more than the wanted part succeeds."""
        return _judge(figures.success_rate, lambda rate: rate > self.success_rate)

    def judge_mean(self, figures: SpanFigures) -> Verdict:
        """Tell whether a job takes less than the wanted time on average."""
        return _judge(figures.mean_seconds, lambda seconds: seconds < self.mean_seconds)

    def judge_p95(self, figures: SpanFigures) -> Verdict:
        """Tell whether 95 of 100 jobs take less than the wanted time."""
        return _judge(figures.p95_seconds, lambda seconds: seconds < self.p95_seconds)

    def judge_accounts(self, figures: SpanFigures) -> Verdict:
        """Tell whether as many accounts as wanted are active on a day."""
        return _judge(float(figures.active_accounts), lambda count: count >= self.daily_accounts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The last 24 hours, and every business day up to today, oldest first."""

    last_day: SpanFigures
    days: tuple[DayFigures, ...]
    models: tuple[ModelFigures, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """What one key of an account asked of one model on one business day.

    Attributes:
        units: Pictures or videos that were delivered, and count against the quota.
    """

    day: date
    kind: str
    model: str
    key_id: str
    jobs: int
    succeeded: int
    units: int


def _judge(value: float | None, is_good: Callable[[float], bool]) -> Verdict:
    if value is None:
        return Verdict.UNKNOWN
    return Verdict.GOOD if is_good(value) else Verdict.BAD
