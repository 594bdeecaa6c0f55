"""Every setting that the deployment files name is one that the service has."""

import re

import pytest

from gen_video.settings import INSTALLER_NAMES, Settings
from tests.deploy.project import (
    DEPLOY,
    find,
    list_deploy_files,
    load,
    load_all,
    read,
)

_NAME = re.compile(r"\bGEN_VIDEO_[A-Z0-9_]+\b")
KNOWN = {f"GEN_VIDEO_{name.upper()}" for name in Settings.model_fields} | INSTALLER_NAMES


def test_every_setting_that_is_named_exists() -> None:
    named = {
        (path.name, name) for path in list_deploy_files() for name in _NAME.findall(read(path))
    }

    assert len(named) > 40
    assert [pair for pair in sorted(named) if pair[1] not in KNOWN] == []


@pytest.mark.parametrize("place", ["web-1", "worker", "worker-video", "migrate", "kubernetes"])
def test_the_values_in_the_files_are_valid(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read by the settings themselves; what an operator fills in is left out."""
    services = load(DEPLOY / "compose.yaml")["services"]
    given = load_config_map() if place == "kubernetes" else services[place]["environment"]
    fixed = {name: str(value) for name, value in given.items() if "$" not in str(value)}
    for name, value in fixed.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GEN_VIDEO_SECRET_KEY", "0123456789abcdef" * 4)

    settings = Settings(_env_file=None)

    assert settings.is_production
    assert settings.storage_url == "s3://gen-video/files"


def load_config_map() -> dict[str, str]:
    documents = load_all(DEPLOY / "k8s" / "base" / "settings.yaml")
    data: dict[str, str] = find(documents, "ConfigMap", "gen-video")["data"]
    return data
