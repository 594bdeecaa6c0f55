"""Charts: figures by day in the form that `static/charts.js` draws, with the same in a table."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

MAX_SERIES = 5
"""As many as can be told apart by colour; the rest is one more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line, or one part of every bar; None where nothing is known."""

    label: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Figures by day.

    Attributes:
        kind: Lines, or bars with one part per series on top of another.
        unit: Follows every figure: `%`, `s` or nothing.
        target: A line across the chart.
    """

    days: tuple[date, ...]
    series: tuple[Series, ...]
    kind: Literal["bars", "lines"] = "bars"
    unit: str = ""
    target: float | None = None

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to draw."""
        return not any(value for one in self.series for value in one.values)

    def data(self) -> dict[str, object]:
        """Return what the script draws."""
        return {
            "days": [day.isoformat() for day in self.days],
            "series": [{"label": one.label, "values": one.values} for one in self.series],
            "kind": self.kind,
            "unit": self.unit,
            "target": self.target,
        }


def stack(
    days: Sequence[date], rows: Iterable[tuple[date, str, float]], *, others: str
) -> tuple[Series, ...]:
    """Return one series per name, the largest first; the small ones become `others`.

    Args:
        days: Of the chart.
        rows: (day, name, value); several of one day and name are added up.
        others: What the small ones are called together.
    """
    totals: defaultdict[str, float] = defaultdict(float)
    by_day: defaultdict[tuple[str, date], float] = defaultdict(float)
    found = list(rows)
    for day, name, value in found:
        totals[name] += value
        by_day[name, day] += value
    names = sorted(totals, key=lambda name: (-totals[name], name))
    kept, small = names[:MAX_SERIES], names[MAX_SERIES:]
    series = [Series(label=name, values=tuple(by_day[name, day] for day in days)) for name in kept]
    if small:
        values = tuple(sum(by_day[name, day] for name in small) for day in days)
        series.append(Series(label=others, values=values))
    return tuple(series)
