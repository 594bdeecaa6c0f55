"""One run: a cluster, a scenario or all of them, then the reckoning."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from tests.cluster.journal import Journal
from tests.cluster.nodes import Cluster, running_cluster
from tests.cluster.programs import ClusterError
from tests.cluster.reckoning import Reckoning, reckon
from tests.cluster.scenarios import Stage, play

ACCOUNTS = 4
TIGHT_UNITS = 25
PARTS = {"storm": 0.5, "zombie": 0.2, "flush": 0.1, "forged": 0.1, "upgrade": 0.1}
"""Of the time of a run of all scenarios."""


def run_cluster(
    *,
    broker: str,
    seconds: Mapping[str, float],
    seed: int,
    has_objects: bool = True,
    settings: Mapping[str, str] | None = None,
    tell: Callable[[str], None] = lambda _text: None,
    keep_logs: Callable[[Cluster], None] = lambda _cluster: None,
) -> Reckoning:
    """Play the scenarios one after the other on one cluster, then check every promise.

    `seconds` are those of each scenario by its name, in the order in which they are played;
    `keep_logs` is called before the cluster's folder is removed.
    """
    reckoning = Reckoning()
    started = time.monotonic()
    with (
        running_cluster(
            broker=broker, has_objects=has_objects, settings=settings, tell=tell
        ) as cluster,
        Journal(cluster.folder / "journal.jsonl") as journal,
    ):
        # One account runs out of quota: what it is refused must not be there either.
        keys = cluster.make_keys(ACCOUNTS - 1) + cluster.make_keys(1, units_per_day=TIGHT_UNITS)
        stage = Stage(
            cluster=cluster,
            keys=keys,
            journal=journal,
            reckoning=reckoning,
            seed=seed,
            tell=tell,
        )
        try:
            for name, length in seconds.items():
                play(stage, name, seconds=length)
            reckon(cluster, keys, journal, reckoning)
        except ClusterError as error:
            reckoning.findings.append(str(error))
            reckoning.lies = journal.lies
        finally:
            with suppress(OSError):
                keep_logs(cluster)
        reckoning.figures += {f"died: {text}": count for text, count in cluster.deaths.items()}
    reckoning.seconds = round(time.monotonic() - started, 1)
    return reckoning
