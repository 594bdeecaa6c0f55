"""Usage added up for a table: one line per model or key."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gen_video.insights.models import UsageRow


@dataclass(slots=True)
class UsageLine:
    """What one model or key did in all days together."""

    name: str
    jobs: int = 0
    succeeded: int = 0
    images: int = 0
    videos: int = 0


def summarize(rows: Iterable[UsageRow], name_of: Callable[[UsageRow], str]) -> list[UsageLine]:
    """Add rows up by a name, the busiest first."""
    lines: dict[str, UsageLine] = {}
    for row in rows:
        name = name_of(row)
        line = lines.setdefault(name, UsageLine(name))
        line.jobs += row.jobs
        line.succeeded += row.succeeded
        if row.kind == "video":
            line.videos += row.units
        else:
            line.images += row.units
    return sorted(lines.values(), key=lambda line: (-line.jobs, line.name))
