"""`python -m tests.chaos --minutes 5`: kill processes under load, then check every promise."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.chaos.run import run_chaos
from tests.services import POSTGRESQL, fresh_postgresql_database, is_running


def main() -> int:
    """Run once; return 0 when every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--postgresql", action="store_true", help="instead of SQLite")
    options = parser.parse_args()
    if not options.postgresql:
        return _run(options.minutes, options.seed, {})
    if not is_running(POSTGRESQL):
        sys.exit("PostgreSQL is not running / PostgreSQL 未运行")
    with fresh_postgresql_database() as url:
        return _run(options.minutes, options.seed, {"DATABASE_URL": url})


def _run(minutes: float, seed: int, settings: dict[str, str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        reckoning = run_chaos(Path(folder), seconds=60 * minutes, seed=seed, settings=settings)
    print(f"seconds {reckoning.seconds}  kills {dict(reckoning.kills)}")  # noqa: T201 - its output
    print(f"jobs {dict(reckoning.ends)}  files checked {reckoning.files}")  # noqa: T201
    print(f"answers lost and asked for again {reckoning.lost_answers}")  # noqa: T201
    for finding in reckoning.findings:
        print(f"✗ {finding}")  # noqa: T201
    print("every promise kept" if not reckoning.findings else "promises broken")  # noqa: T201
    return 1 if reckoning.findings else 0


if __name__ == "__main__":
    sys.exit(main())
