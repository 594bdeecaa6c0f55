"""`./启动MVP.sh` before anything is installed: what is wrong is said in one line per language."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.project import PROJECT

LAUNCHER = "启动MVP.sh"
WEIGHTS = Path("models/mini/unet/diffusion_pytorch_model.safetensors")
TOOLS = ("bash", "env", "dirname", "readlink", "printf")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder with the launcher, its scripts and something that stands for the model."""
    folder = tmp_path / "a folder with spaces 目录"
    shutil.copytree(PROJECT / "scripts", folder / "scripts")
    for name in (LAUNCHER, "pyproject.toml", "constraints.txt"):
        shutil.copy(PROJECT / name, folder / name)
    (folder / WEIGHTS).parent.mkdir(parents=True)
    (folder / WEIGHTS).write_bytes(b"weights")
    return folder


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """Return a folder that is the whole PATH: the shell's tools and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        if found is not None:
            (folder / tool).symlink_to(found)
    return folder


def launch(checkout: Path, path: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(checkout / LAUNCHER)],
        env={"PATH": str(path), "HOME": str(checkout), **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd="/",
    )


def assert_said(done: subprocess.CompletedProcess[str], english: str, chinese: str) -> None:
    lines = done.stderr.strip().splitlines()
    assert done.returncode != 0
    assert len(lines) == 2, done.stderr
    assert english in lines[0]
    assert chinese in lines[1]


def test_a_missing_model_is_said_before_anything_is_installed(checkout: Path, tools: Path) -> None:
    (checkout / WEIGHTS).unlink()

    done = launch(checkout, tools)

    assert_said(done, "models/mini is missing", "缺少内置模型")
    assert not (checkout / ".venv").exists()


def test_no_python_at_all(checkout: Path, tools: Path) -> None:
    done = launch(checkout, tools)

    assert_said(done, "Python was not found", "未找到 Python")


def test_an_old_python_is_named(checkout: Path, tools: Path) -> None:
    old = tools / "python3"
    old.write_text('#!/usr/bin/env bash\ncase "$2" in *platform*) echo 3.9.2;; *) exit 1;; esac\n')
    old.chmod(0o755)

    done = launch(checkout, tools)

    assert_said(done, "Python 3.11 or newer is needed, found only 3.9.2", "仅找到 3.9.2")


def test_a_python_without_venv_is_named(checkout: Path, tools: Path) -> None:
    bare = tools / "python3"
    bare.write_text(
        '#!/usr/bin/env bash\ncase "$2" in *platform*) echo 3.12.1;; *ensurepip*) exit 1;; esac\n'
    )
    bare.chmod(0o755)

    done = launch(checkout, tools)

    assert_said(done, "cannot make a virtual environment", "缺少 venv")


def test_an_unknown_torch_build_is_refused(checkout: Path, tools: Path) -> None:
    done = launch(checkout, tools, GEN_VIDEO_TORCH="rocket", GEN_VIDEO_PYTHON=sys.executable)

    assert_said(done, "GEN_VIDEO_TORCH=rocket is unknown", "GEN_VIDEO_TORCH=rocket 无效")
