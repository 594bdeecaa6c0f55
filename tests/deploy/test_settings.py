"""Every setting that the deployment files name is one that the service has."""

import re

from gen_video.settings import INSTALLER_NAMES, Settings
from tests.deploy.project import (
    DEPLOY,
    PROMISED_SETTINGS,
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
    assert [pair for pair in sorted(named) if pair[1] not in KNOWN | PROMISED_SETTINGS] == []


def test_the_values_in_the_files_are_valid() -> None:
    """Compose's fixed values and the ConfigMap's, read by the settings themselves."""
    services = load(DEPLOY / "compose.yaml")["services"]
    configured = load_config_map()
    for given in (services["web-1"]["environment"], services["worker"]["environment"], configured):
        values = {
            name.removeprefix("GEN_VIDEO_").lower(): value
            for name, value in given.items()
            if name in KNOWN and "$" not in str(value)
        }

        settings = Settings(_env_file=None, **values | {"secret_key": "0123456789abcdef" * 4})

        assert settings.is_production


def load_config_map() -> dict[str, str]:
    documents = load_all(DEPLOY / "k8s" / "base" / "settings.yaml")
    data: dict[str, str] = find(documents, "ConfigMap", "gen-video")["data"]
    return data
