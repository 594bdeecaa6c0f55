"""The client as a distribution of its own: built, installed with httpx alone, used on a service."""

import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from shutil import copyfile, copytree

import pytest
from packaging.requirements import Requirement

import gen_video
from gen_video.client import __version__
from tests.house.project import PROJECT
from tests.journeys.service import RunningService

SOURCE = PROJECT / "clients" / "python"
LITTER = ("build", "*.egg-info", "__pycache__", "dist")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy, in which the links have become files."""
    folder = tmp_path_factory.mktemp("wheel")
    copytree(SOURCE, folder / "source", ignore=lambda _, names: set(LITTER) & set(names))
    build = ("pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--quiet")
    _run(sys.executable, "-m", *build, "--wheel-dir", str(folder), str(folder / "source"))
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of a fresh environment with the client and what it requires."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder, with_pip=False, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    for name in _required("httpx"):
        _copy_distribution(name, packages)
    fresh = folder / "bin" / "python"
    install = ("pip", "--python", str(fresh), "install", "--no-index", "--quiet", str(wheel))
    _run(sys.executable, "-m", *install)
    return fresh


def test_the_wheel_holds_the_client_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    code = {name for name in names if ".dist-info/" not in name}
    own = {
        f"gen_video/client/{path.name}"
        for path in Path(gen_video.__path__[0], "client").glob("*.py")
    }
    assert code == own | {"gen_video/client/py.typed"}
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_its_version_is_the_project_s() -> None:
    assert __version__ == gen_video.__version__


def test_it_requires_httpx_alone() -> None:
    project = tomllib.loads((SOURCE / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert [Requirement(text).name for text in project["dependencies"]] == ["httpx"]


def test_it_is_there_without_the_service(python: Path) -> None:
    code = "import gen_video.client; print(gen_video.client.__version__)"

    assert _run(str(python), "-c", code).strip() == __version__
    absent = subprocess.run([python, "-c", "import gen_video.settings"], check=False)
    assert absent.returncode == 1


def test_beside_the_service_s_source_the_service_s_is_found(python: Path, tmp_path: Path) -> None:
    """The order of the search path does not matter: a package goes before a namespace."""
    code = f"import sys; sys.path.append({str(PROJECT)!r}); import gen_video.ids, gen_video.client"

    assert _run(str(python), "-c", f"{code}; print(gen_video.client.__file__)").strip() == str(
        PROJECT / "gen_video" / "client" / "__init__.py"
    )


@pytest.mark.journey
def test_it_draws_on_a_running_service(
    python: Path, tmp_path: Path, service: RunningService
) -> None:
    script = tmp_path / "draw.py"
    script.write_text(
        "from gen_video.client import Client\n"
        "with Client.from_environment() as client:\n"
        "    job = client.generate_image('a lake', width=64, height=64)\n"
        "    print(client.download(job, 'lake.png').stat().st_size)\n",
        encoding="utf-8",
    )
    variables = {"GEN_VIDEO_BASE_URL": service.url, "GEN_VIDEO_API_KEY": "test-key-123"}

    printed = _run(str(python), str(script), environment=variables, folder=tmp_path)

    assert int(printed) == (tmp_path / "lake.png").stat().st_size


def _required(name: str, seen: frozenset[str] = frozenset()) -> frozenset[str]:
    """Return a distribution and all that it requires, extras left out."""
    seen |= {name}
    for text in distribution(name).requires or ():
        wanted = Requirement(text)
        is_wanted = wanted.marker is None or wanted.marker.evaluate({"extra": ""})
        if is_wanted and wanted.name not in seen:
            seen |= _required(wanted.name, seen)
    return seen


def _copy_distribution(name: str, folder: Path) -> None:
    for source, target in _files_of(name):
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        copyfile(source, folder / target)


def _files_of(name: str) -> Iterator[tuple[Path, str]]:
    for file in distribution(name).files or ():
        if not str(file).startswith("..") and "__pycache__" not in file.parts:
            yield Path(str(file.locate())), str(file)


def _run(
    *arguments: str, environment: dict[str, str] | None = None, folder: Path | None = None
) -> str:
    done = subprocess.run(
        arguments,
        env={"PATH": "/usr/bin:/bin"} | (environment or {}),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
