"""`.env.example` documents every setting with its default, and nothing else."""

import os
import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from gen_video.settings import Settings
from tests.house.project import PROJECT, read

_LINE = re.compile(r"^# (GEN_VIDEO_[A-Z0-9_]+)=(.*)$", re.MULTILINE)
_CHINESE = re.compile(r"[\u4e00-\u9fff]")

DOCUMENTED = dict(_LINE.findall(read(".env.example")))
FIELDS = {f"GEN_VIDEO_{name.upper()}": name for name in Settings.model_fields}


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("GEN_VIDEO_")]:  # noqa: TID251 - to clear it
        monkeypatch.delenv(name)


def test_every_setting_is_documented_once() -> None:
    assert sorted(name for name, _ in _LINE.findall(read(".env.example"))) == sorted(FIELDS)


@pytest.mark.parametrize("variable", sorted(FIELDS))
def test_the_documented_default_is_the_default(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = FIELDS[variable]
    default = _shown(getattr(Settings(_env_file=None), name))
    if DOCUMENTED[variable]:
        monkeypatch.setenv(variable, DOCUMENTED[variable])

    documented = _shown(getattr(Settings(_env_file=None), name))

    assert documented == default


@pytest.mark.parametrize("variable", sorted(FIELDS))
def test_a_setting_is_explained_in_both_languages(variable: str) -> None:
    above = read(".env.example").partition(f"\n# {variable}=")[0].rpartition("\n\n")[2]
    explanation = "\n".join(line for line in above.splitlines() if not _LINE.match(line))

    assert _CHINESE.search(explanation)
    assert re.search(r"[A-Za-z]{3}", explanation)


def _shown(value: object) -> object:
    match value:
        case Path():
            return PROJECT / value
        case SecretStr():
            return value.get_secret_value()
        case _:
            return value
