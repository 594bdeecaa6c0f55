"""`python -m benchmarks [P1 P9 …]`: measure, print one table, write JSON."""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.brokers import measure_brokers
from benchmarks.depth import measure_depth
from benchmarks.fairness import measure_fairness, measure_simulation
from benchmarks.figures import Figure
from benchmarks.pictures import measure_added_latency, measure_start, measure_throughput
from benchmarks.plane import measure_plane, measure_streams, measure_submit
from benchmarks.streams import measure_idle_streams
from benchmarks.videos import measure_encoding, measure_hiding, measure_sharing
from gen_video import __version__
from gen_video.clock import utc_now

RESULTS = Path(__file__).with_name("results")

MEASURES: tuple[tuple[str, str, Callable[[Path], list[Figure]]], ...] = (
    ("P1", "throughput", measure_throughput),
    ("P9", "added latency", measure_added_latency),
    ("P9", "added latency with a broker", measure_brokers),
    ("P10", "submit", measure_submit),
    ("P12", "start", measure_start),
    ("P13", "control plane", measure_plane),
    ("P13", "streams", measure_streams),
    ("P13", "idle streams", measure_idle_streams),
    ("P14", "depth", measure_depth),
    ("P15", "fairness", measure_fairness),
    ("P15", "fairness, simulated", measure_simulation),
    ("P16", "pictures beside a video", measure_sharing),
    ("P18", "encoding", measure_encoding),
    ("P18", "hiding", measure_hiding),
)


def main() -> int:
    """Run the chosen measures; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("goals", nargs="*", help="such as P1 P13; all when left out")
    wanted = {goal.upper() for goal in parser.parse_args().goals}
    unknown = wanted - {goal for goal, _, _ in MEASURES}
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    console = Console()
    figures: list[Figure] = []
    for goal, title, measure in MEASURES:
        if wanted and goal not in wanted:
            continue
        with console.status(f"{goal} {title} …"), tempfile.TemporaryDirectory() as folder:
            figures += measure(Path(folder))
    console.print(make_table(figures))
    console.print(f"JSON: {write_json(figures)}")
    return 0


def make_table(figures: list[Figure]) -> Table:
    """Return the report for people."""
    table = Table(title=f"gen_video {__version__}, {os.cpu_count()} cores")
    for column in ("goal", "measure", "value", "95 %", "must", "details"):
        table.add_column(column, overflow="fold")
    for figure in figures:
        between = "" if figure.low is None else f"{figure.low} … {figure.high}"
        details = "  ".join(f"{name}={value:g}" for name, value in figure.details.items())
        table.add_row(
            figure.goal,
            figure.name,
            f"{figure.value:g} {figure.unit}",
            between,
            figure.must,
            details,
        )
    return table


def write_json(figures: list[Figure]) -> Path:
    """Write the report for programs; return where."""
    RESULTS.mkdir(exist_ok=True)
    moment = utc_now()
    path = RESULTS / f"{moment:%Y%m%dT%H%M%SZ}.json"
    report = {
        "version": __version__,
        "measured_at": moment.isoformat(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "figures": [figure.as_json() for figure in figures],
    }
    path.write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    sys.exit(main())
