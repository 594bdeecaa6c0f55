"""`python -m tests.cluster --broker redis --minutes 10`: break a cluster under load; reckon."""

import argparse
import shutil
import sys
from pathlib import Path

from tests.cluster.nodes import Cluster
from tests.cluster.run import PARTS, run_cluster
from tests.cluster.scenarios import SCENARIOS


def main() -> int:
    """Run once; return 0 when every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster")
    parser.add_argument("--broker", choices=("redis", "rabbitmq", "none"), default="redis")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scenario", choices=(*SCENARIOS, "all"), default="all")
    parser.add_argument(
        "--no-objects", action="store_true", help="one shared output folder instead of S3"
    )
    parser.add_argument("--keep", type=Path, help="copy logs and journal to this folder")
    options = parser.parse_args()
    whole = 60 * options.minutes
    parts = PARTS if options.scenario == "all" else {options.scenario: 1.0}
    reckoning = run_cluster(
        broker=options.broker,
        seconds={name: part * whole for name, part in parts.items()},
        seed=options.seed,
        has_objects=not options.no_objects,
        tell=_tell,
        keep_logs=lambda cluster: _copy(cluster, options.keep),
    )
    for line in reckoning.lines():
        _tell(line)
    return 1 if reckoning.findings or reckoning.lies else 0


def _tell(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - its output


def _copy(cluster: Cluster, folder: Path | None) -> None:
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for path in (*cluster.folder.glob("*/*.log"), *cluster.folder.glob("*.jsonl")):
        shutil.copy(path, folder / path.name)


if __name__ == "__main__":
    sys.exit(main())
