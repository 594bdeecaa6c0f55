"""What the house tests look at: the project's folder and its files."""

import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def list_files(*patterns: str) -> list[Path]:
    """Return the project's own files: tracked, or new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard", "--", *patterns],  # noqa: S607 - git of the developer
        cwd=PROJECT,
        capture_output=True,
        check=True,
    )
    names = {name for name in listed.stdout.decode().split("\0") if name}
    return sorted(PROJECT / name for name in names if (PROJECT / name).is_file())


def read(name: str) -> str:
    """Return the text of one file of the project."""
    return (PROJECT / name).read_text(encoding="utf-8")
