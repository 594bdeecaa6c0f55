"""Shell completion and quick starts of the commands for users."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.terminals import Shell
from tests.journeys.service import PROJECT_FOLDER

HEAVY = {"alembic", "fastapi", "numpy", "PIL", "pydantic", "sqlalchemy", "structlog", "torch"}
COMMANDS = ("generate", "login", "logout", "jobs", "watch", "download", "quota", "webhooks")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(home=tmp_path)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("gen-video jo", "jobs"),
        ("gen-video jobs ", "list show cancel delete"),
        ("gen-video jobs list --stat", "--status"),
        ("gen-video jobs list --status f", "failed"),
        ("gen-video generate --rem", "--remote"),
        ("gen-video keys cr", "create"),
    ],
)
def test_bash_completes(tmp_path: Path, words: str, expected: str) -> None:
    """The script of `--show-completion` in a real bash."""
    program = tmp_path / "gen-video"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m gen_video "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    count = len(words.split(" ")) - 1
    script = (
        'eval "$(gen-video --show-completion bash)"\n'
        f'COMP_WORDS=({words}); [ ${{#COMP_WORDS[@]}} -gt {count} ] || COMP_WORDS+=("")\n'
        f"COMP_CWORD={count}\n"
        "complete -p gen-video > /dev/null && _gen_video_completion gen-video\n"
        'echo "${COMPREPLY[*]}"'
    )

    done = subprocess.run(
        ["/bin/bash", "-c", script],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "PYTHONPATH": str(PROJECT_FOLDER)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout.split() == expected.split(), done.stderr


@pytest.mark.parametrize(
    ("name", "more"),
    [("zsh", {}), ("fish", {"_TYPER_COMPLETE_FISH_ACTION": "get-args"})],
)
def test_other_shells_complete(shell: Shell, name: str, more: dict[str, str]) -> None:
    asked = {"_GEN_VIDEO_COMPLETE": f"complete_{name}", "_TYPER_COMPLETE_ARGS": "gen-video wat"}

    script = shell.run("--show-completion", name)
    answered = shell.run(**asked, **more)

    assert f"complete_{name}" in script.out
    assert "watch" in answered.out
    assert "worker" not in answered.out


def test_completion_is_installed_for_a_shell(shell: Shell) -> None:
    installed = shell.run("--install-completion", "bash")

    assert installed.code == 0, installed.err
    assert (shell.home / ".bash_completions" / "gen-video.sh").exists()
    assert "gen-video" in (shell.home / ".bashrc").read_text(encoding="utf-8")


def test_a_shell_that_is_not_known_is_one_line(shell: Shell) -> None:
    outcome = shell.run("--show-completion", "tcsh")

    assert outcome.code == 2
    assert len(outcome.lines) == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_for_users_load_nothing_of_the_service(command: str) -> None:
    code = (
        "import sys; from importlib import import_module; from gen_video.cli import main; "
        f"import_module('gen_video.cli.' + main.COMMANDS['{command}'].module); "
        f"import_module('gen_video.cli.generate_there'); print(*{HEAVY!r} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == ""


def test_help_has_a_panel_for_users_and_one_for_operators(shell: Shell) -> None:
    shown = shell.run("--help").out

    users, _, operators = shown.partition("To run a service")
    assert "  watch " in users
    assert "  serve " in operators
    assert "Exit codes" in operators
