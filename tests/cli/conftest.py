"""Fixtures of the command line: folders of its own, and a way to run a command."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from gen_video.cli.main import main


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.err.strip().splitlines()


Run = Callable[..., Outcome]


@pytest.fixture
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point every setting at folders of this test; the developer's own stay out."""
    for name in [name for name in os.environ if name.startswith("GEN_VIDEO_")]:  # noqa: TID251 - to clear it
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GEN_VIDEO_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("GEN_VIDEO_OUTPUT_DIR", str(tmp_path / "outputs"))
    monkeypatch.setenv("GEN_VIDEO_ENABLE_TEST_MODEL", "1")
    monkeypatch.setenv("GEN_VIDEO_DEFAULT_IMAGE_MODEL", "test-double")
    return tmp_path / "data"


@pytest.fixture
def run(data_folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command in this process."""

    def run_command(*arguments: str) -> Outcome:
        capsys.readouterr()
        try:
            code = main(arguments)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        printed = capsys.readouterr()
        return Outcome(code, printed.out, printed.err)

    return run_command
