"""Metrics: what they are called, that they add up over processes, and that they stay bounded."""

import os
import re
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gen_video.telemetry import metric_files
from gen_video.telemetry.metrics import (
    MAX_LABEL_VALUES,
    GaugeSample,
    Metrics,
    mark_process_dead,
    prepare_metrics_folder,
)

WORKER = """
import sys
from pathlib import Path
from gen_video.telemetry.metrics import Metrics

metrics = Metrics(Path(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    metrics.job_finished(kind="image", model="mini", status="succeeded", seconds=0.3)
    metrics.request_finished(method="GET", route="/health", status=200, seconds=0.001)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "metrics"
    prepare_metrics_folder(folder)
    return folder


def samples(metrics: Metrics, *gauges: GaugeSample) -> dict[str, float]:
    body, _ = metrics.render(gauges)
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def total(metrics: Metrics, name: str) -> float:
    return sum(value for key, value in samples(metrics).items() if key.startswith(f"{name}["))


def record_one_of_each(metrics: Metrics) -> None:
    metrics.job_finished(kind="image", model="mini", status="succeeded", seconds=2.0)
    metrics.job_waited(kind="image", seconds=0.2)
    metrics.files_encoded(kind="image", seconds=0.05)
    metrics.request_finished(method="POST", route="/api/v1/images", status=202, seconds=0.01)
    metrics.quota_refused(kind="image", tier="free")
    metrics.engine_restarted(reason="crashed")


@pytest.mark.parametrize("is_shared", [True, False], ids=["shared", "alone"])
def test_the_names_are_those_of_the_contract(folder: Path, *, is_shared: bool) -> None:
    metrics = Metrics(folder if is_shared else None)
    record_one_of_each(metrics)

    found = samples(metrics)

    assert {re.split(r"\[", key)[0] for key in found} == {
        "gv_jobs_total",
        *(f"gv_job_seconds_{part}" for part in ("bucket", "count", "sum")),
        *(f"gv_job_wait_seconds_{part}" for part in ("bucket", "count", "sum")),
        *(f"gv_encode_seconds_{part}" for part in ("bucket", "count", "sum")),
        "gv_http_requests_total",
        *(f"gv_http_request_seconds_{part}" for part in ("bucket", "count", "sum")),
        "gv_quota_refusals_total",
        "gv_engine_restarts_total",
    }
    assert (
        found["gv_jobs_total[('kind', 'image'), ('model', 'mini'), ('status', 'succeeded')]"] == 1
    )
    assert found["gv_job_seconds_sum[('kind', 'image'), ('model', 'mini')]"] == 2.0
    assert found["gv_job_seconds_bucket[('kind', 'image'), ('le', '1.0'), ('model', 'mini')]"] == 0
    assert found["gv_job_seconds_bucket[('kind', 'image'), ('le', '2.5'), ('model', 'mini')]"] == 1
    assert found["gv_encode_seconds_count[('kind', 'image')]"] == 1


def test_the_media_type_is_prometheus_text(folder: Path) -> None:
    body, media_type = Metrics(folder).render()

    assert media_type == "text/plain; version=0.0.4; charset=utf-8"
    assert body == b""


def test_gauges_are_rendered_and_leave_no_trace(folder: Path) -> None:
    """A gauge that went through the shared files would come back with a pid, and stay."""
    metrics = Metrics(folder)
    gauges = [
        GaugeSample(name="gv_queue_depth", help="Jobs", value=3, labels={"kind": "image"}),
        GaugeSample(name="gv_queue_depth", help="Jobs", value=1, labels={"kind": "video"}),
        GaugeSample(name="gv_drain_seconds", help="Seconds until the queue is empty", value=12.5),
    ]

    assert samples(metrics, *gauges) == {
        "gv_queue_depth[('kind', 'image')]": 3,
        "gv_queue_depth[('kind', 'video')]": 1,
        "gv_drain_seconds[]": 12.5,
    }
    assert samples(metrics) == {}
    assert list(folder.iterdir()) == []


def test_a_process_that_counts_nothing_leaves_no_files(folder: Path) -> None:
    Metrics(folder).render()

    assert list(folder.iterdir()) == []


def start_worker(folder: Path, times: int) -> subprocess.Popen[bytes]:
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder), str(times)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert worker.stdout is not None
    assert worker.stdout.readline() == b"ready\n"
    return worker


@pytest.fixture
def workers(folder: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    running = [start_worker(folder, 500), start_worker(folder, 300)]
    yield running
    for worker in running:
        worker.kill()
        worker.communicate()


def test_counts_of_two_processes_add_up(
    folder: Path, workers: list[subprocess.Popen[bytes]]
) -> None:
    metrics = Metrics(folder)
    metrics.job_finished(kind="image", model="mini", status="failed", seconds=1.0)

    assert total(metrics, "gv_jobs_total") == 801
    assert total(metrics, "gv_job_seconds_count") == 801
    assert total(metrics, "gv_http_requests_total") == 800
    assert total(metrics, "gv_job_seconds_sum") == pytest.approx(0.3 * 800 + 1)


def test_counts_of_ended_processes_stay_and_their_files_go(
    folder: Path, workers: list[subprocess.Popen[bytes]]
) -> None:
    before = samples(Metrics(folder))

    for worker in workers:
        worker.kill()
        worker.wait()
        mark_process_dead(folder, worker.pid)
        mark_process_dead(folder, worker.pid)

    assert samples(Metrics(folder)) == before
    assert sorted(path.name for path in folder.iterdir()) == [
        "counter_ended.db",
        "histogram_ended.db",
    ]


def test_counters_never_fall_while_processes_end(folder: Path) -> None:
    """A scrape that saw an ended process twice would make its end look like a reset."""
    for owner in range(1, 31):
        metric_files.MetricFile(folder, kind="counter", owner=str(owner)).add(
            '["gv_jobs", "gv_jobs_total", {}, "Jobs"]', 10
        )
    seen: list[float] = []
    is_over = threading.Event()

    def scrape() -> None:
        while not is_over.is_set():
            seen.append(total(Metrics(folder), "gv_jobs_total"))

    reader = threading.Thread(target=scrape)
    reader.start()
    for owner in range(1, 31):
        mark_process_dead(folder, owner)
    is_over.set()
    reader.join()

    assert set(seen) == {300}


def test_a_new_start_begins_at_zero_and_removes_metric_files_only(folder: Path) -> None:
    record_one_of_each(Metrics(folder))
    (folder / "gauge_all_17.db").write_bytes(b"")
    (folder / "precious.db").write_bytes(b"keep")

    prepare_metrics_folder(folder)

    assert [path.name for path in folder.iterdir()] == ["precious.db"]


@pytest.mark.parametrize("damage", [b"", b"\xff\xff\xff\x7f" + bytes(50), os.urandom(4096)])
def test_a_damaged_file_costs_its_own_counts_only(folder: Path, damage: bytes) -> None:
    metrics = Metrics(folder)
    record_one_of_each(metrics)
    (folder / "counter_999999.db").write_bytes(damage)

    assert total(metrics, "gv_jobs_total") == 1
    mark_process_dead(folder, 999999)
    assert total(metrics, "gv_jobs_total") == 1


def test_a_missing_folder_is_an_empty_one(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path / "gone")

    assert metrics.render()[0] == b""
    mark_process_dead(tmp_path / "gone", 1)
    record_one_of_each(metrics)
    assert total(metrics, "gv_jobs_total") == 1


def test_a_folder_that_cannot_be_written_stops_no_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    record_one_of_each(Metrics(tmp_path / "file"))


def test_two_sets_of_metrics_in_one_process_stay_apart(tmp_path: Path) -> None:
    first, second, alone = Metrics(tmp_path / "a"), Metrics(tmp_path / "b"), Metrics()
    for metrics in (first, second, alone):
        metrics.engine_restarted(reason="crashed")
    first.engine_restarted(reason="hung")

    assert total(first, "gv_engine_restarts_total") == 2
    assert total(second, "gv_engine_restarts_total") == 1
    assert total(alone, "gv_engine_restarts_total") == 1


@pytest.mark.parametrize("is_shared", [True, False], ids=["shared", "alone"])
def test_threads_lose_no_count(folder: Path, *, is_shared: bool) -> None:
    metrics = Metrics(folder if is_shared else None)

    def count(number: int) -> None:
        for _ in range(500):
            metrics.quota_refused(kind="image", tier=f"tier {number % 3}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(4)))

    assert total(metrics, "gv_quota_refusals_total") == 2000


def test_labels_are_bounded(folder: Path) -> None:
    metrics = Metrics(folder)

    for number in range(3 * MAX_LABEL_VALUES):
        metrics.request_finished(method="GET", route=f"/{number}", status=200, seconds=0.01)
    metrics.request_finished(method="GET", route="/" * 1000, status=200, seconds=0.01)

    found = samples(metrics)
    routes = [key for key in found if key.startswith("gv_http_requests_total")]
    assert len(routes) == MAX_LABEL_VALUES + 1
    assert (
        found["gv_http_requests_total[('method', 'GET'), ('route', 'other'), ('status', '200')]"]
        == 2 * MAX_LABEL_VALUES + 1
    )


def test_a_file_never_outgrows_its_room(folder: Path) -> None:
    values = metric_files.MetricFile(folder, kind="counter", owner="1")

    for number in range(20_000):
        values.add(f'["m", "m_total", {{"label": "{number:0100}"}}, "Help"]', 1)

    assert (folder / "counter_1.db").stat().st_size == metric_files.FILE_BYTES
    assert len(list(metric_files.read_folder(folder))) == 1


def test_a_full_disk_kills_nobody(tmp_path: Path) -> None:
    """Writing into a sparse mapped file on a full disk ends a process with SIGBUS."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["/usr/bin/mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)]
    can_mount = os.geteuid() == 0 and Path(mount[0]).exists()
    if not can_mount or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    script = """
        import sys
        from pathlib import Path
        from gen_video.telemetry.metrics import Metrics, mark_process_dead

        disk = Path(sys.argv[1])
        metrics = Metrics(disk / "metrics")
        metrics.engine_restarted(reason="first")
        try:
            with (disk / "filler").open("wb", buffering=0) as filler:
                while True:
                    filler.write(bytes(65536))
        except OSError:
            pass
        late = Metrics(disk / "late")
        for number in range(90):
            for one in (metrics, late):
                one.request_finished(method="GET", route=f"/{number}", status=200, seconds=1)
        mark_process_dead(disk / "metrics", 12345)
        assert b'route="/89"' in metrics.render()[0]
    """
    try:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script), str(disk)], check=False, timeout=20
        )
    finally:
        subprocess.run(["/usr/bin/umount", "-l", str(disk)], check=True)

    assert done.returncode == 0
