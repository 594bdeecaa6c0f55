"""What a process must not load, and what pytest must not find."""

import subprocess
import sys

import pytest

from tests.house.project import PROJECT

HEAVY = ("torch", "diffusers", "transformers", "accelerate", "peft")


@pytest.mark.parametrize(
    "module", ["gen_video.asgi", "gen_video.worker.main", "gen_video.cli.main"]
)
def test_only_the_engine_child_loads_torch(module: str) -> None:
    program = f"import sys, {module}; print(*(set({HEAVY}) & set(sys.modules)))"

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


def test_the_seeds_test_script_is_no_test_of_ours() -> None:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]

    done = subprocess.run(
        [*command, "gen_video/api/test_mvp.py"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, done.stdout
