"""Dashboards, alerts and scalers ask for figures that the service has, by labels that they have."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gen_video.api import figures
from gen_video.generation.models import PoolFigures, QueueFigures
from gen_video.telemetry.metrics import Metrics
from tests.deploy.project import DEPLOY, KUBERNETES, Tree, build, by_kind, load, read

BESIDE_THE_QUEUE = {"gv_model_resident": {"model"}, "gv_waiting_clients": set[str]()}
FOREIGN = {
    "up": {"job"},
    "minio_cluster_capacity_usable_free_bytes": set[str](),
    "minio_cluster_capacity_usable_total_bytes": set[str](),
}
_NAME = re.compile(r"\b(?:gv_\w+|minio_\w+|up(?=\{))")
_SELECTOR = re.compile(r"\b(gv_\w+)\{([^}]*)\}")
_SAMPLE = re.compile(r"^(gv_\w+?)(?:\{(.*)\})? ", re.MULTILINE)
_GROUPING = re.compile(r"\bby \(([^)]*)\)\s*\(+(?:rate|increase)?\(?(gv_\w+)")


def test_every_expression_names_figures_that_exist() -> None:
    known = _figures() | FOREIGN
    asked = {name for expression in _expressions() for name in _NAME.findall(expression)}

    assert len(asked) > 20
    assert asked - set(known) == set()


def test_every_expression_uses_labels_that_the_figures_have() -> None:
    known = _figures()
    for expression in _expressions():
        used = [
            (name, set(re.findall(r"(\w+)\s*[=!]~?", selector)))
            for name, selector in _SELECTOR.findall(expression)
        ] + [
            (name, {label.strip() for label in labels.split(",")})
            for labels, name in _GROUPING.findall(expression)
        ]
        for name, labels in used:
            assert labels <= known[name], expression


def test_the_dashboard_is_whole() -> None:
    dashboard = _dashboard()
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    provider = load(DEPLOY / "grafana/provisioning/dashboards/gen_video.yaml")["providers"][0]
    (source,) = load(DEPLOY / "grafana/provisioning/datasources/prometheus.yaml")["datasources"]

    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    assert {panel["datasource"]["uid"] for panel in panels} == {source["uid"]}
    assert all(panel["targets"] for panel in panels)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)
    volumes = load(DEPLOY / "compose.yaml")["services"]["grafana"]["volumes"]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in volumes


def test_a_pool_without_figures_is_empty_only_while_there_are_figures() -> None:
    """Else a scaler would take a silent Prometheus for an empty queue, or the other way round."""
    scaled = [e for e in _expressions() if e.endswith("or max(gv_workers) * 0")]

    assert sorted(scaled) == sorted(_scaler_queries())


def test_alerts_say_in_both_languages_what_is_wrong() -> None:
    rules = _alerts()

    assert len(rules) >= 8
    for rule in rules:
        assert rule["alert"].startswith("GenVideo")
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert re.search("[a-z]{3}", rule["annotations"]["summary"])
        assert re.search("[\u4e00-\u9fff]", rule["annotations"]["summary_zh"])


def test_the_queue_of_all_web_processes_is_not_added_up() -> None:
    """Each of them reads the same figure from the database."""
    gauges = {name for name in _figures() if name.startswith(("gv_pool_", "gv_queue_"))}
    gauges |= {"gv_workers", "gv_jobs_queued", "gv_jobs_running"}
    for expression in _expressions():
        for name in gauges & set(_NAME.findall(expression)):
            assert re.search(rf"max(?: by \([^)]*\))? ?\({name}", expression), expression


def test_prometheus_accepts_rules_and_configuration(tmp_path: Path) -> None:
    """Prometheus's own checker, where it is installed; else at least the brackets."""
    program = shutil.which("promtool")
    if program is None:
        assert all(e.count(o) == e.count(c) for e in _expressions() for o, c in ("()", "{}", "[]"))
        return
    rules = tmp_path / "expressions.yaml"
    entries = [{"record": f"gv:{i}", "expr": e} for i, e in enumerate(_expressions())]
    rules.write_text(
        json.dumps({"groups": [{"name": "all", "rules": entries}]}).replace(
            "$__rate_interval", "5m"
        )
    )
    configuration = tmp_path / "prometheus.yaml"
    text = read(DEPLOY / "prometheus" / "prometheus.yaml")
    configuration.write_text(text.replace("/etc/prometheus/alerts", str(DEPLOY / "alerts")))

    for arguments in (["rules", str(rules)], ["config", str(configuration)]):
        done = subprocess.run(
            [program, "check", *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def _figures() -> dict[str, set[str]]:
    """Return the names and labels that `/metrics` has, from a real rendering."""
    metrics = Metrics()
    metrics.job_finished(kind="image", model="mini", status="succeeded", seconds=1.0)
    metrics.job_waited(kind="image", seconds=1.0)
    metrics.files_encoded(kind="image", seconds=1.0)
    metrics.request_finished(method="GET", route="/", status=200, seconds=0.1)
    metrics.quota_refused(kind="image", tier="free")
    metrics.engine_restarted(reason="crash")
    metrics.swept(what="requeued", count=1)
    gauges = figures._queue_gauges(_some_queue())
    body, _ = metrics.render(gauges)
    found = {
        name: set(re.findall(r'(\w+)="', labels)) for name, labels in _SAMPLE.findall(body.decode())
    }
    return found | BESIDE_THE_QUEUE


def _some_queue() -> QueueFigures:
    pool = PoolFigures(
        pool="default",
        kind="image",
        queued=1,
        running=1,
        slots=1,
        time_to_drain_seconds=1.0,
        oldest_queued_seconds=1.0,
    )
    return QueueFigures(pools=(pool,), workers=1, resident_models=())


def _expressions() -> list[str]:
    panels = _dashboard()["panels"]
    shown = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    return [*shown, *_scaler_queries(), *(rule["expr"] for rule in _alerts())]


def _scaler_queries() -> list[str]:
    return [
        trigger["metadata"]["query"]
        for scaler in by_kind(build(KUBERNETES / "overlays" / "gpu"), "ScaledObject")
        for trigger in scaler["spec"]["triggers"]
    ]


def _dashboard() -> Tree:
    dashboard: Tree = json.loads(read(DEPLOY / "grafana" / "dashboards" / "gen_video.json"))
    return dashboard


def _alerts() -> list[Tree]:
    groups = load(DEPLOY / "alerts" / "gen_video.yaml")["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.mark.parametrize("name", sorted(BESIDE_THE_QUEUE))
def test_the_figures_beside_the_queue_are_in_the_code(name: str) -> None:
    assert f'"{name}"' in read(Path(figures.__file__))
