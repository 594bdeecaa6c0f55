import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from gen_video.cli.main import COMMANDS
from tests.cli.conftest import Run


def test_help_names_every_command_in_both_languages(run: Run) -> None:
    shown = run("--help")

    assert shown.code == 0
    for name, entry in COMMANDS.items():
        assert name in shown.out
        assert entry.zh in shown.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(run: Run, name: str) -> None:
    shown = run(name, "--help")

    assert shown.code == 0
    assert "Usage" in shown.out


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from gen_video.cli.main import main; main(['--help']); "
        "heavy = {'pydantic', 'sqlalchemy', 'fastapi', 'uvicorn', 'PIL', 'torch', 'rich'}; "
        "sys.exit(len(heavy & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)

    assert done.returncode == 0


def test_an_unknown_command_is_one_line(run: Run) -> None:
    outcome = run("sing")

    assert outcome.code == 2
    assert len(outcome.lines) == 1


def test_the_version_is_printed(run: Run) -> None:
    assert run("--version").out.startswith("gen-video ")


def test_migrating_twice_changes_nothing(run: Run) -> None:
    first = run("migrate")

    second = run("migrate")

    assert first.code == 0
    assert second.err == first.err


def test_an_empty_service_passes_the_audit(run: Run) -> None:
    run("migrate")

    outcome = run("audit")

    assert outcome.code == 0
    assert "0 findings" in outcome.err


def test_the_audit_of_no_database_says_what_to_run(run: Run) -> None:
    outcome = run("audit")

    assert outcome.code == 1
    assert "gen-video migrate" in outcome.err


@pytest.mark.parametrize(
    ("revision", "advice"),
    [("2026_11_24_videos", "gen-video migrate"), ("2999_01_01_later", "newer version")],
    ids=["older", "newer"],
)
def test_a_command_leaves_a_database_of_another_version_alone(
    run: Run, data_folder: Path, revision: str, advice: str
) -> None:
    run("migrate")
    with sqlite3.connect(data_folder / "gen_video.sqlite3") as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    connection.close()

    outcome = run("keys", "list")

    assert outcome.code == 1
    assert advice in outcome.err
