"""The Dockerfile's promises: no rights, exact versions, signals that arrive, all files there."""

import fnmatch
import json
import re

import pytest

from gen_video.settings import INSTALLER_NAMES
from scripts.install import TORCH_CHOICES
from tests.deploy.dockerfile import lineage, read_stages
from tests.deploy.project import DEPLOY, PROJECT, read

STAGES = read_stages(DEPLOY / "Dockerfile")
IMAGES = ("web", "worker")

images = pytest.mark.parametrize("image", IMAGES)


@images
def test_an_image_runs_as_nobody_in_particular(image: str) -> None:
    last = STAGES[image].instructions
    users = [index for index, entry in enumerate(last) if entry.word == "USER"]

    assert STAGES[image].all("USER") == ["10001:10001"]
    assert not [entry for entry in last[users[0] :] if entry.word in {"RUN", "COPY", "ADD"}]


@images
def test_signals_reach_the_process(image: str) -> None:
    """Exec forms only, under an init that passes SIGTERM on."""
    (command,) = STAGES[image].all("CMD")
    inherited = lineage(STAGES, image)
    (entry,) = [text for stage in inherited for text in stage.all("ENTRYPOINT")]

    assert json.loads(entry) == ["tini", "--"]
    assert json.loads(command) == ["gen-video", image]
    assert [text for stage in inherited for text in stage.all("STOPSIGNAL")] == ["SIGTERM"]


def test_base_images_have_exact_versions() -> None:
    names = {stage.parent for stage in STAGES.values() if stage.parent not in STAGES}
    (python,) = [text for text in STAGES[""].all("ARG") if text.startswith("PYTHON_IMAGE")]

    assert names == {"${PYTHON_IMAGE}"}
    assert re.fullmatch(r"PYTHON_IMAGE=python:3\.\d+\.\d+-slim-\w+", python)


def test_copied_files_say_whose_they_are() -> None:
    copies = [text for name in (*IMAGES, "runtime") for text in STAGES[name].all("COPY")]

    assert len(copies) > 5
    assert [text for text in copies if not text.startswith("--chown=root:root ")] == []
    assert not any(stage.all("ADD") for stage in STAGES.values())


def test_no_compiler_and_no_package_lists_stay_in_an_image() -> None:
    for image in IMAGES:
        runs = [text for stage in lineage(STAGES, image) for text in stage.all("RUN")]

        assert not any(re.search(r"\b(gcc|libc6-dev)\b", text) for text in runs)
        for text in runs:
            if "apt-get install" in text:
                assert "--no-install-recommends" in text
                assert "rm -rf /var/lib/apt/lists/*" in text


def test_only_the_workers_image_has_torch() -> None:
    web, worker = (STAGES[f"build-{image}"].all("RUN") for image in IMAGES)

    assert "GEN_VIDEO_TORCH=none" in web[0]
    assert "GEN_VIDEO_TORCH=${GEN_VIDEO_TORCH}" in worker[0]
    assert all("python scripts/install.py" in run[0] for run in (web, worker))
    assert "none" in TORCH_CHOICES
    arguments = {text.partition("=")[0] for text in STAGES["build-worker"].all("ARG")}
    assert arguments == INSTALLER_NAMES


def test_versions_come_from_the_constraints() -> None:
    assert any("constraints.txt" in text for text in STAGES["build"].all("COPY"))
    assert '"-c", "constraints.txt"' in read(PROJECT / "scripts" / "install.py")


@pytest.mark.parametrize("name", ["build", "runtime"])
def test_what_is_copied_is_there_and_not_ignored(name: str) -> None:
    sources = [
        source
        for text in STAGES[name].all("COPY")
        for source in re.sub(r"--\S+ ", "", text).split()[:-1]
    ]

    assert sources
    assert [source for source in sources if not (PROJECT / source).exists()] == []
    assert [source for source in sources if _is_ignored(source.rstrip("/"))] == []


def test_everything_that_the_service_reads_beside_its_code_is_copied() -> None:
    copied = " ".join(STAGES["runtime"].all("COPY"))

    for name in ("alembic.ini", "models.toml", "migrations/", "models/", "gen_video/"):
        assert name in copied


@pytest.mark.parametrize(
    "name", [".git", ".env", "deploy/.env", ".venv", "outputs", "data", "tests"]
)
def test_what_does_not_belong_into_an_image_is_ignored(name: str) -> None:
    assert _is_ignored(name)


def test_the_web_image_tells_whether_it_is_alive() -> None:
    (check,) = STAGES["web"].all("HEALTHCHECK")
    command = json.loads(check[check.index("[") :])

    assert command[:2] == ["python", "-c"]
    compile(command[2], "healthcheck", "exec")
    assert "/api/v1/health/live" in command[2]
    assert STAGES["worker"].all("HEALTHCHECK") == []


def test_the_image_has_the_version_of_the_code() -> None:
    versions = [text for text in STAGES["runtime"].all("ARG") if text.startswith("VERSION=")]
    declared = re.search(r'^version = "(.+)"', read(PROJECT / "pyproject.toml"), re.MULTILINE)

    assert declared is not None
    assert versions == [f"VERSION={declared[1]}"]


def _is_ignored(name: str) -> bool:
    """Follow the ignore file's rules for a path: the last one that fits decides."""
    top = name.partition("/")[0]
    ignored = False
    for line in read(DEPLOY / "Dockerfile.dockerignore").splitlines():
        rule = line.strip()
        if not rule or rule.startswith("#"):
            continue
        pattern = rule.removeprefix("!").removeprefix("**/")
        if fnmatch.fnmatch(top, pattern) or fnmatch.fnmatch(name, pattern):
            ignored = not rule.startswith("!")
    return ignored
