"""The Kubernetes manifests: valid, hardened, and patient enough to drain."""

from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from gen_video.worker.main import KILL_GRACE_SECONDS
from tests.deploy.project import (
    COMPONENTS,
    DEPLOY,
    KUBERNETES,
    OVERLAYS,
    Tree,
    build,
    by_kind,
    find,
    load,
    load_all,
    pod_of,
)

OLDEST, NEWEST = "1.29", "1.37"
OURS = "gen-video"
CUSTOM = {"ScaledObject", "PrometheusRule", "PodMonitor"}
WORKLOADS = ("Deployment", "Job")
EVERYTHING = build(KUBERNETES / "overlays" / "gpu")

overlays = pytest.mark.parametrize("folder", OVERLAYS, ids=lambda path: path.name)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@overlays
def test_every_object_fits_its_schema(folder: Path, version: str) -> None:
    documents = [document for document in build(folder) if document["kind"] not in CUSTOM]

    for document in documents:
        kubernetes_validate.validate(document, version, strict=True)

    assert {document["kind"] for document in documents} >= {"Deployment", "Job", "Ingress"}


@pytest.mark.parametrize("folder", COMPONENTS, ids=lambda path: path.name)
def test_every_component_fits_its_schema(folder: Path) -> None:
    for name in load(folder / "kustomization.yaml")["resources"]:
        for document in load_all(folder / name):
            if document["kind"] not in CUSTOM:
                kubernetes_validate.validate(document, NEWEST, strict=True)


def test_the_schemas_refuse_a_misspelt_field() -> None:
    document = find(EVERYTHING, "Deployment", "gen-video-web")
    broken = yaml.safe_load(yaml.safe_dump(document))
    broken["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, NEWEST, strict=True)


def test_every_file_belongs_to_a_kustomization() -> None:
    used = {
        (path.parent / name).resolve()
        for path in KUBERNETES.rglob("kustomization.yaml")
        for name in load(path).get("resources", [])
    }
    files = {path.resolve() for path in KUBERNETES.rglob("*.yaml")}
    loose = {path for path in files - used if path.name != "kustomization.yaml"}

    assert {path.name for path in loose} == {"secret.example.yaml", "adapter-rules.example.yaml"}


@overlays
def test_pods_run_without_rights(folder: Path) -> None:
    workloads = [document for document in build(folder) if document["kind"] in WORKLOADS]

    assert len(workloads) >= 3
    for workload in workloads:
        pod = pod_of(workload)
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["runAsUser"] == 10001
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert "memory" in container["resources"]["limits"]


@overlays
def test_what_is_written_to_is_a_volume(folder: Path) -> None:
    for workload in build(folder):
        if workload["kind"] not in WORKLOADS:
            continue
        pod = pod_of(workload)
        mounts = {m["name"]: m["mountPath"] for m in pod["containers"][0]["volumeMounts"]}

        assert {"/data", "/tmp"} <= set(mounts.values())  # noqa: S108 - inside the container
        assert set(mounts) == {volume["name"] for volume in pod["volumes"]}


@overlays
def test_a_worker_has_time_to_drain(folder: Path) -> None:
    workers = [d for d in by_kind(build(folder), "Deployment") if "worker" in d["metadata"]["name"]]

    assert workers
    for worker in workers:
        pod = pod_of(worker)
        container = pod["containers"][0]
        drain = _seconds(container, "GEN_VIDEO_DRAIN_SECONDS")

        assert pod["terminationGracePeriodSeconds"] > drain + KILL_GRACE_SECONDS
        assert "livenessProbe" not in container


def test_a_web_pod_is_out_of_the_balance_before_it_refuses_anything() -> None:
    pod = pod_of(find(EVERYTHING, "Deployment", "gen-video-web"))
    container = pod["containers"][0]
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    drain = _seconds(container, "GEN_VIDEO_DRAIN_SECONDS")

    assert pause >= 10
    assert pod["terminationGracePeriodSeconds"] > pause + drain
    assert container["readinessProbe"]["httpGet"]["path"] == "/api/v1/health/ready"
    assert container["livenessProbe"]["httpGet"]["path"] == "/api/v1/health/live"


def test_an_upgrade_never_takes_the_last_web_pod() -> None:
    web = find(EVERYTHING, "Deployment", "gen-video-web")

    assert web["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert find(EVERYTHING, "PodDisruptionBudget", "gen-video-web")["spec"]["minAvailable"] == 1
    assert find(EVERYTHING, "HorizontalPodAutoscaler", "gen-video-web")["spec"]["minReplicas"] == 2


def test_selectors_meet_what_they_select() -> None:
    labels = [
        d["spec"]["template"]["metadata"]["labels"] for d in EVERYTHING if d["kind"] in WORKLOADS
    ]
    selectors = [
        selector for document in EVERYTHING for selector in _selectors(document) if selector
    ]

    assert len(selectors) > 8
    for selector in selectors:
        assert any(selector.items() <= given.items() for given in labels), selector


def test_metrics_are_behind_no_public_path() -> None:
    ingress = find(EVERYTHING, "Ingress", OURS)
    paths = [path for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]]

    assert "/api" in {path["path"] for path in paths}
    for path in paths:
        assert path["path"] != "/"
        assert not "/metrics".startswith(path["path"])


def test_the_ingress_waits_and_takes_uploads() -> None:
    notes = find(EVERYTHING, "Ingress", OURS)["metadata"]["annotations"]
    prefix = "nginx.ingress.kubernetes.io/"

    assert notes[f"{prefix}proxy-body-size"] == "26m"
    assert notes[f"{prefix}proxy-buffering"] == "off"
    assert int(notes[f"{prefix}proxy-read-timeout"]) > 600
    assert "non_idempotent" not in notes[f"{prefix}proxy-next-upstream"]


def test_workers_reach_the_internet_only_with_the_hub() -> None:
    closed = build(KUBERNETES / "overlays" / "cpu")

    own = {"gen-video-web", "gen-video-courier"}
    assert _policies_with_internet(closed) == own
    assert _policies_with_internet(EVERYTHING) == own | {"gen-video-worker-hub"}
    assert find(closed, "ConfigMap", OURS)["data"]["GEN_VIDEO_HUB_OFFLINE"] == "true"
    assert find(EVERYTHING, "ConfigMap", OURS)["data"]["GEN_VIDEO_HUB_OFFLINE"] == "false"


def test_gpus_are_asked_for_where_they_are_used() -> None:
    for worker in by_kind(EVERYTHING, "Deployment"):
        limits = pod_of(worker)["containers"][0]["resources"]["limits"]

        assert ("nvidia.com/gpu" in limits) == ("worker" in worker["metadata"]["name"])


def test_no_secret_is_in_the_manifests() -> None:
    assert by_kind(EVERYTHING, "Secret") == []
    example = load(KUBERNETES / "base" / "secret.example.yaml")
    assert example["stringData"]["GEN_VIDEO_SECRET_KEY"] == ""


def test_images_have_versions() -> None:
    for document in EVERYTHING:
        if document["kind"] in WORKLOADS:
            image = pod_of(document)["containers"][0]["image"]
            assert not image.endswith(":latest")
            assert ":" in image


@pytest.mark.parametrize(
    "scaled", by_kind(EVERYTHING, "ScaledObject"), ids=lambda d: d["metadata"]["name"]
)
def test_workers_are_scaled_by_seconds_of_all_of_them(scaled: Tree) -> None:
    """The signal is divided by the workers already; `AverageValue` would divide it once more."""
    spec = scaled["spec"]
    pool = find(EVERYTHING, "Deployment", spec["scaleTargetRef"]["name"])
    environment = {e["name"]: e["value"] for e in pod_of(pool)["containers"][0]["env"]}

    assert spec["minReplicaCount"] < spec["maxReplicaCount"]
    assert spec["fallback"]["failureThreshold"] > 0
    for trigger in spec["triggers"]:
        assert (trigger["type"], trigger["metricType"]) == ("prometheus", "Value")
        assert float(trigger["metadata"]["threshold"]) > 0
        assert f'pool="{environment["GEN_VIDEO_WORKER_POOLS"]}"' in trigger["metadata"]["query"]
        assert trigger["metadata"]["query"].startswith("max(")


@pytest.mark.parametrize(
    "scaled", by_kind(EVERYTHING, "ScaledObject"), ids=lambda d: d["metadata"]["name"]
)
def test_scaling_in_is_slower_than_a_drain(scaled: Tree) -> None:
    down = scaled["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]

    assert down["stabilizationWindowSeconds"] >= 300
    assert [(p["type"], p["value"]) for p in down["policies"]] == [("Pods", 1)]


def test_the_alternative_to_keda_uses_the_same_signal() -> None:
    (scaler,) = load_all(KUBERNETES / "components" / "hpa" / "worker.yaml")
    targets = {
        metric["external"]["metric"]["selector"]["matchLabels"]["kind"]: metric["external"][
            "target"
        ]
        for metric in scaler["spec"]["metrics"]
    }
    keda = find(EVERYTHING, "ScaledObject", "gen-video-worker")["spec"]["triggers"]

    assert {target["type"] for target in targets.values()} == {"Value"}
    assert [targets["image"]["value"], targets["video"]["value"]] == [
        trigger["metadata"]["threshold"] for trigger in keda[:2]
    ]


def test_the_operators_rules_are_the_alerts_of_prometheus() -> None:
    rule = find(EVERYTHING, "PrometheusRule", OURS)

    assert rule["spec"] == load(DEPLOY / "alerts" / "gen_video.yaml")


def _seconds(container: Tree, name: str) -> float:
    return next(float(entry["value"]) for entry in container["env"] if entry["name"] == name)


def _selectors(document: Tree) -> list[dict[str, str]]:
    spec = document.get("spec", {})
    found = [spec.get("selector"), spec.get("podSelector")]
    if document["kind"] == "Deployment":
        spread = pod_of(document).get("topologySpreadConstraints", [])
        found += [constraint["labelSelector"] for constraint in spread]
    return [entry.get("matchLabels", entry) for entry in found if entry]


def _policies_with_internet(documents: list[Tree]) -> set[str]:
    return {
        policy["metadata"]["name"]
        for policy in by_kind(documents, "NetworkPolicy")
        for rule in policy["spec"].get("egress", [])
        for target in rule["to"]
        if target.get("ipBlock", {}).get("cidr") == "0.0.0.0/0"
    }
