"""Prometheus metrics that add up over the processes of one machine.

Counters and histograms live in files of a shared folder (`metric_files.py`), and whichever web
process is asked for `/metrics` sums them; without a folder they stay in the process. Gauges such
as the queue's depth are read from the database when asked for. Labels come from closed sets, and
each is cut off after `MAX_LABEL_VALUES` all the same. No environment variable is involved: the
folder is passed in.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, Metric, values
from prometheus_client import generate_latest as generate
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import GaugeMetricFamily

from gen_video.telemetry.metric_files import (
    file_value_class,
    mark_process_dead,
    prepare_metrics_folder,
    read_folder,
)

__all__ = ["GaugeSample", "Metrics", "mark_process_dead", "prepare_metrics_folder"]

JOB_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1800)
HTTP_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
MAX_LABEL_VALUES = 100
MAX_LABEL_LENGTH = 100
OTHER = "other"

Series = TypeVar("Series", Counter, Histogram)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class GaugeSample:
    """One figure that is read when metrics are asked for.

    Samples of one name have labels of the same names, in the same order.
    """

    name: str
    help: str
    value: float
    labels: dict[str, str] = field(default_factory=dict)


class Metrics:
    """The counters and histograms of one process; make one per process. Safe for threads.

    Nothing is opened before the first event is counted, so a short-lived process that counts
    nothing leaves no files.

    Args:
        folder: The shared folder; None keeps everything in this process.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._registry = CollectorRegistry()
        self._seen: dict[str, set[str]] = {}
        self._lock = Lock()
        self._value_class: Any = values.MutexValue
        self._made: _AllSeries | None = None

    def job_finished(self, *, kind: str, model: str, status: str, seconds: float) -> None:
        """Count an attempt that ended and how long it took."""
        series = self._series()
        self._at(series.jobs, kind=kind, model=model, status=status).inc()
        self._at(series.job_seconds, kind=kind, model=model).observe(seconds)

    def job_waited(self, *, kind: str, seconds: float) -> None:
        """Note how long a job waited for its worker."""
        self._at(self._series().job_wait_seconds, kind=kind).observe(seconds)

    def files_encoded(self, *, kind: str, seconds: float) -> None:
        """Note how long encoding and verifying a job's files took."""
        self._at(self._series().encode_seconds, kind=kind).observe(seconds)

    def request_finished(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Count an HTTP request; `route` is the template, never the path."""
        series = self._series()
        self._at(series.requests, method=method, route=route, status=str(status)).inc()
        self._at(series.request_seconds, method=method, route=route).observe(seconds)

    def quota_refused(self, *, kind: str, tier: str) -> None:
        """Count a request that the daily quota refused."""
        self._at(self._series().quota_refusals, kind=kind, tier=tier).inc()

    def engine_restarted(self, *, reason: str) -> None:
        """Count an engine child that was replaced."""
        self._at(self._series().engine_restarts, reason=reason).inc()

    def swept(self, *, what: str, count: int) -> None:
        """Count what the sweeper mended."""
        self._at(self._series().swept, what=what).inc(count)

    def webhook_sent(self, *, outcome: str, seconds: float) -> None:
        """Count an attempt at a delivery and how long it took."""
        series = self._series()
        self._at(series.webhooks, outcome=outcome).inc()
        self._at(series.webhook_seconds, outcome=outcome).observe(seconds)

    def render(self, gauges: Sequence[GaugeSample] = ()) -> tuple[bytes, str]:
        """Return all metrics in the text format, with its media type.

        Raises:
            OSError: The shared folder cannot be read.
        """
        registry = CollectorRegistry()
        registry.register(_Collected([*self._counted(), *_families(gauges)]))
        return generate(registry), CONTENT_TYPE_PLAIN_0_0_4

    def _counted(self) -> Iterable[Metric]:
        return self._registry.collect() if self._folder is None else read_folder(self._folder)

    def _series(self) -> "_AllSeries":
        if self._made is None:
            with self._lock:
                if self._made is None:
                    self._value_class = _value_class(self._folder)
                    with _storing_in(self._value_class):
                        self._made = _AllSeries(self._registry)
        return self._made

    def _at(self, series: Series, **labels: str) -> Series:
        bounded = {name: self._bound(name, value) for name, value in labels.items()}
        with _storing_in(self._value_class):
            return series.labels(**bounded)

    def _bound(self, name: str, value: str) -> str:
        """Return a label's value, or `other` when a caller has let in too many."""
        seen = self._seen.setdefault(name, set())
        if value not in seen:
            if len(seen) >= MAX_LABEL_VALUES or len(value) > MAX_LABEL_LENGTH:
                return OTHER
            seen.add(value)
        return value


class _AllSeries:
    """What is counted, with its labels; the names are part of the service's contract."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.jobs = Counter(
            "gv_jobs", "Attempts at jobs by outcome", ["kind", "model", "status"], registry=registry
        )
        self.job_seconds = Histogram(
            "gv_job_seconds",
            "Seconds from claim to end of an attempt",
            ["kind", "model"],
            buckets=JOB_BUCKETS,
            registry=registry,
        )
        self.job_wait_seconds = Histogram(
            "gv_job_wait_seconds",
            "Seconds from acceptance to claim",
            ["kind"],
            buckets=JOB_BUCKETS,
            registry=registry,
        )
        self.encode_seconds = Histogram(
            "gv_encode_seconds",
            "Seconds to encode and verify a job's files",
            ["kind"],
            buckets=HTTP_BUCKETS,
            registry=registry,
        )
        self.requests = Counter(
            "gv_http_requests", "HTTP requests", ["method", "route", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "gv_http_request_seconds",
            "Seconds per HTTP request",
            ["method", "route"],
            buckets=HTTP_BUCKETS,
            registry=registry,
        )
        self.quota_refusals = Counter(
            "gv_quota_refusals", "Requests refused by quota", ["kind", "tier"], registry=registry
        )
        self.engine_restarts = Counter(
            "gv_engine_restarts", "Engine children replaced", ["reason"], registry=registry
        )
        self.webhooks = Counter(
            "gv_webhooks", "Attempts at deliveries by outcome", ["outcome"], registry=registry
        )
        self.webhook_seconds = Histogram(
            "gv_webhook_seconds",
            "Seconds of an attempt at a delivery",
            ["outcome"],
            buckets=HTTP_BUCKETS,
            registry=registry,
        )
        self.swept = Counter(
            "gv_swept", "Jobs and files that the sweeper mended", ["what"], registry=registry
        )


class _Collected:
    """Metrics that were read already, in the form that the library renders.

    `_created` samples are left out: the shared files have none, and both ways look alike.
    """

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        for metric in self._metrics:
            metric.samples = [
                sample for sample in metric.samples if not sample.name.endswith("_created")
            ]
            yield metric


def _families(gauges: Sequence[GaugeSample]) -> list[Metric]:
    families: dict[str, GaugeMetricFamily] = {}
    for sample in gauges:
        family = families.setdefault(
            sample.name, GaugeMetricFamily(sample.name, sample.help, labels=list(sample.labels))
        )
        family.add_metric(list(sample.labels.values()), sample.value)
    return list(families.values())


_CHOOSING = Lock()


@contextmanager
def _storing_in(value_class: Any) -> Iterator[None]:  # noqa: ANN401 - any class of the library's kind
    """Let the library make values of this class while the block runs.

    The library looks its class up in one global whenever a series is made.
    """
    with _CHOOSING:
        before = values.ValueClass
        values.ValueClass = value_class
        try:
            yield
        finally:
            values.ValueClass = before


def _value_class(folder: Path | None) -> Any:  # noqa: ANN401 - any class of the library's kind
    if folder is None:
        return values.MutexValue
    try:
        return file_value_class(folder, owner=os.getpid())
    except OSError as error:
        # Metrics are not worth a refusal to work: count for nobody until the next start.
        log.warning("metrics_not_shared", folder=str(folder), reason=str(error))
        return values.MutexValue
