"""`compose.yaml`: no secret in it, enough patience to drain, one way in. No engine is needed."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gen_video.api.drain import RESERVE_SECONDS
from gen_video.worker.main import KILL_GRACE_SECONDS
from tests.deploy.project import CADDYFILE, DEPLOY, Tree, load, read

COMPOSE = load(DEPLOY / "compose.yaml")
SERVICES: Tree = COMPOSE["services"]
OURS = ("web-1", "web-2", "worker", "worker-video", "migrate")
LASTING = sorted(set(SERVICES) - {"migrate", "bucket"})
_VARIABLE = re.compile(r"\$\{([A-Z_0-9]+)(:[?-])?")
_COMMENT = re.compile(r"(^|\s)#.*$", re.MULTILINE)


def test_it_is_a_file_of_the_present_specification() -> None:
    known = {"name", "services", "networks", "volumes"}

    assert {key for key in COMPOSE if not key.startswith("x-")} == known


def test_networks_and_volumes_that_are_used_are_declared() -> None:
    networks = {name for service in SERVICES.values() for name in service["networks"]}
    sources = {v.split(":")[0] for s in SERVICES.values() for v in s.get("volumes", [])}

    assert networks == set(COMPOSE["networks"])
    assert {name for name in sources if not name.startswith(".")} == set(COMPOSE["volumes"])
    assert [name for name in sources if name.startswith(".") and not (DEPLOY / name).exists()] == []


def test_what_is_waited_for_exists_and_can_tell() -> None:
    for service in SERVICES.values():
        for name, wish in service.get("depends_on", {}).items():
            needed = SERVICES[name]
            if wish["condition"] == "service_healthy":
                assert "healthcheck" in needed or name.startswith("web-")
            else:
                assert needed["restart"] == "no"


@pytest.mark.parametrize("name", ["web-1", "web-2", "worker", "worker-video"])
def test_nothing_starts_before_the_migration_has_succeeded(name: str) -> None:
    assert SERVICES[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


def test_no_secret_has_a_value_or_a_default() -> None:
    """Whatever is named like a secret is a variable, and one that must be given."""
    text = _COMMENT.sub("", read(DEPLOY / "compose.yaml"))
    secrets = [found for found in _VARIABLE.findall(text) if _is_secret(found[0])]

    assert {name for name, _ in secrets} == {
        "SECRET_KEY",
        "POSTGRES_PASSWORD",
        "REDIS_PASSWORD",
        "RABBITMQ_PASSWORD",
        "MINIO_ROOT_PASSWORD",
        "S3_SECRET_KEY",
        "GRAFANA_PASSWORD",
    }
    assert {name for name, _ in secrets} == {name for name, how in secrets if how == ":?"}
    assert [name for name, how in secrets if how == ":-"] == []
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            assert not _is_secret(name) or str(value).startswith("${"), name


def test_the_written_environment_has_every_secret_once_and_for_its_owner_only(
    tmp_path: Path,
) -> None:
    target = tmp_path / "env"

    first = _make_env(target)
    again = _make_env(target)

    values = dict(
        line.split("=", 1) for line in read(target).splitlines() if re.match("[A-Z]", line)
    )
    secrets = [value for name, value in values.items() if _is_secret(name)]
    assert (first, again) == (0, 1)
    assert target.stat().st_mode & 0o777 == 0o600
    assert len(secrets) == len(set(secrets)) == 7
    assert all(re.fullmatch(r"[0-9a-f]{64}", secret) for secret in secrets)
    assert set(values) <= {name for name, _ in _VARIABLE.findall(read(DEPLOY / "compose.yaml"))} | {
        "SITE_ADDRESS"
    }


@pytest.mark.parametrize("name", ["web-1", "web-2"])
def test_a_web_process_has_time_to_drain(name: str) -> None:
    service = SERVICES[name]
    environment = service["environment"]
    notice = environment["GEN_VIDEO_DRAIN_NOTICE_SECONDS"]
    drain = environment["GEN_VIDEO_DRAIN_SECONDS"]

    assert _seconds(service["stop_grace_period"]) > notice + drain + RESERVE_SECONDS
    assert notice >= 3 * _interval_of_health_checks()


@pytest.mark.parametrize("name", ["worker", "worker-video"])
def test_a_worker_has_time_to_drain(name: str) -> None:
    service = SERVICES[name]
    drain = service["environment"]["GEN_VIDEO_DRAIN_SECONDS"]

    assert _seconds(service["stop_grace_period"]) > drain + KILL_GRACE_SECONDS


@pytest.mark.parametrize("name", OURS)
def test_our_processes_run_without_rights(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {entry.split(":")[0] for entry in service["tmpfs"]} == {"/data", "/tmp"}  # noqa: S108 - inside the container


@pytest.mark.parametrize("name", LASTING)
def test_what_lasts_is_started_again_and_bounded(name: str) -> None:
    service = SERVICES[name]

    assert service["restart"] == "unless-stopped"
    assert service["logging"]["options"]["max-size"]
    assert name == "proxy" or "memory" in service["deploy"]["resources"]["limits"]


def test_images_have_versions() -> None:
    for service in SERVICES.values():
        name, _, tag = service["image"].partition(":")
        assert name
        assert tag
        assert "latest" not in tag


def test_the_proxy_is_the_only_way_in() -> None:
    open_to_all = {
        name: service["ports"]
        for name, service in SERVICES.items()
        if any(not str(port).startswith("127.0.0.1:") for port in service.get("ports", []))
    }

    assert list(open_to_all) == ["proxy"]
    assert COMPOSE["networks"]["back"]["internal"]
    for name in ("postgres", "redis", "rabbitmq", "minio"):
        assert SERVICES[name]["networks"] == ["back"]


def test_only_the_proxys_word_about_the_client_is_believed() -> None:
    (range_,) = COMPOSE["networks"]["front"]["ipam"]["config"]
    address = SERVICES["proxy"]["networks"]["front"]["ipv4_address"]

    assert address.startswith(range_["subnet"].rpartition(".")[0])
    for name in ("web-1", "web-2"):
        assert SERVICES[name]["environment"]["FORWARDED_ALLOW_IPS"] == address


def test_the_proxy_knows_every_web_process() -> None:
    upstreams = re.search(r"WEB_UPSTREAMS:([^}]*)", read(CADDYFILE))

    assert upstreams is not None
    assert upstreams[1].split() == ["web-1:8000", "web-2:8000"]
    assert [name for name in SERVICES if name.startswith("web-")] == ["web-1", "web-2"]


def test_prometheus_finds_the_processes_by_the_names_they_have() -> None:
    jobs = {job["job_name"]: job for job in _scrape_jobs()}
    web = jobs["gen-video-web"]["dns_sd_configs"][0]
    worker = jobs["gen-video-worker"]["dns_sd_configs"][0]

    assert (web["names"], web["port"]) == (["web"], 8000)
    assert all("web" in SERVICES[n]["networks"]["front"]["aliases"] for n in ("web-1", "web-2"))
    assert set(worker["names"]) == {"worker", "worker-video"}
    assert SERVICES["worker"]["environment"]["GEN_VIDEO_WORKER_METRICS_PORT"] == worker["port"]
    assert {"front", "back"} <= set(SERVICES["prometheus"]["networks"])


def test_the_gpu_file_changes_workers_only() -> None:
    override: Tree = load(DEPLOY / "compose.gpu.yaml")["services"]

    assert set(override) == {"worker", "worker-video"}
    for service in override.values():
        (device,) = service["deploy"]["resources"]["reservations"]["devices"]
        assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
        assert service["build"]["args"]["GEN_VIDEO_TORCH"] == "cuda"


def test_the_key_of_the_service_may_only_use_its_bucket() -> None:
    policy = load(DEPLOY / "minio" / "policy.json")
    bucket = SERVICES["bucket"]["environment"]["BUCKET"]
    resources = {name for rule in policy["Statement"] for name in rule["Resource"]}
    actions = {action for rule in policy["Statement"] for action in rule["Action"]}

    assert resources == {f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"}
    assert not any("*" in action for action in actions)
    assert SERVICES["web-1"]["environment"]["GEN_VIDEO_STORAGE_URL"].startswith(f"s3://{bucket}/")


def _make_env(target: Path) -> int:
    script = DEPLOY / "make_env.sh"
    shell = shutil.which("sh")
    assert shell is not None
    done = subprocess.run([shell, str(script), str(target)], capture_output=True, check=False)
    return done.returncode


def _is_secret(name: str) -> bool:
    return bool(re.search(r"PASSWORD$|_PASS$|SECRET", name))


def _seconds(duration: str) -> float:
    assert duration.endswith("s")
    return float(duration.removesuffix("s"))


def _interval_of_health_checks() -> float:
    found = re.search(r"health_interval (\d+)s", read(CADDYFILE))
    assert found is not None
    return float(found[1])


def _scrape_jobs() -> list[Tree]:
    jobs: list[Tree] = load(DEPLOY / "prometheus" / "prometheus.yaml")["scrape_configs"]
    return jobs
