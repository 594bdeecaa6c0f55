import json

import pytest

from gen_video.cli.settings import without_password
from tests.cli.conftest import Run


def test_secrets_are_masked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEN_VIDEO_SECRET_KEY", "s3cret" * 8)
    monkeypatch.setenv("GEN_VIDEO_DATABASE_URL", "postgresql+psycopg://ann:pass@db:5432/x")

    shown = run("settings", "--json")

    assert "s3cret" not in shown.out
    assert "pass" not in json.loads(shown.out)["database_url"]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("sqlite:///a/b.sqlite3", "sqlite:///a/b.sqlite3"),
        ("postgresql://db/x", "postgresql://db/x"),
        ("postgresql://ann:p@ss@db:5432/x", "postgresql://ann:***@db:5432/x"),
        ("postgresql://ann@db/x?password=p", "postgresql://ann@db/x?***"),
        ("plain text", "plain text"),
    ],
)
def test_a_password_in_a_url_is_masked(given: str, shown: str) -> None:
    assert without_password(given) == shown


def test_what_differs_from_the_default_is_marked(run: Run) -> None:
    lines = run("settings").out.splitlines()

    assert next(line for line in lines if "ENABLE_TEST_MODEL" in line).startswith("*")
    assert next(line for line in lines if "GEN_VIDEO_TIMEZONE" in line).startswith(" ")


def test_every_wrong_setting_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEN_VIDEO_PORT", "99999")
    monkeypatch.setenv("GEN_VIDEO_TIMEZONE", "Mars/Olympus")

    outcome = run("settings")

    assert outcome.code == 1
    [line] = outcome.lines
    assert "GEN_VIDEO_PORT" in line
    assert "GEN_VIDEO_TIMEZONE" in line


def test_production_without_a_secret_says_how_to_make_one(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEN_VIDEO_ENVIRONMENT", "production")

    outcome = run("settings")

    assert outcome.code == 1
    assert "GEN_VIDEO_SECRET_KEY" in outcome.err
