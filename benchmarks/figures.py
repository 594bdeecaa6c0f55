"""Statistics of samples, and one row of the report."""

import random
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

RESAMPLES = 2000


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One row: what was measured, against what, and how it compares with the goal."""

    goal: str
    name: str
    value: float
    unit: str
    must: str
    low: float | None = None
    high: float | None = None
    details: dict[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """Return the row for the JSON file."""
        return asdict(self)


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the sample at a share (0 to 1) of the sorted samples."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def ratio_of_medians(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float, float]:
    """Return the ratio of two medians, with the ends of its 95 % bootstrap interval."""
    dice = random.Random(0)  # noqa: S311 - resampling, not a secret
    ratios = sorted(
        statistics.median(dice.choices(ours, k=len(ours)))
        / statistics.median(dice.choices(theirs, k=len(theirs)))
        for _ in range(RESAMPLES)
    )
    middle = statistics.median(ours) / statistics.median(theirs)
    return middle, percentile(ratios, 0.025), percentile(ratios, 0.975)


def milliseconds(seconds: float) -> float:
    """Return milliseconds, to a hundredth."""
    return round(1000 * seconds, 2)
