"""Rules that no linter knows: sizes, names, and what must not be written down."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.project import PROJECT, list_files

MAX_LINES = 400
MAX_LINES_OF_TESTS_AND_TRAINING = 500
MAX_FUNCTION_LINES = 70

# Written in pieces, or this file would be the first to break its rule.
REGISTRY_HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("files", "pythonhosted"),
        ("registry", "npmjs"),
        ("deb", "debian"),
        ("security", "debian"),
        ("download", "pytorch"),
    )
)
HOME_PATH = re.compile(r"(?<![\w.])/(?:home|Users|root|vepfs-dev)/\w")

PYTHON_FILES = list_files("*.py")
TEXT_FILES = list_files()


def _name(path: Path) -> str:
    return str(path.relative_to(PROJECT))


@pytest.mark.parametrize("path", PYTHON_FILES, ids=_name)
def test_a_file_fits_in_the_head(path: Path) -> None:
    is_offline = path.relative_to(PROJECT).parts[0] in {"tests", "training"}
    limit = MAX_LINES_OF_TESTS_AND_TRAINING if is_offline else MAX_LINES

    assert len(path.read_text(encoding="utf-8").splitlines()) <= limit


@pytest.mark.parametrize(
    "path", [path for path in PYTHON_FILES if "migrations" not in path.parts], ids=_name
)
def test_a_function_fits_on_a_screen(path: Path) -> None:
    long = [f"{name}: {lines}" for name, lines in _functions(path) if lines > MAX_FUNCTION_LINES]

    assert long == []


def test_no_module_of_the_api_hides_one_of_the_standard_library() -> None:
    """Running `python gen_video/api/mvp_main.py` puts that folder first on the search path."""
    names = {path.stem for path in (PROJECT / "gen_video" / "api").iterdir()} - {"__init__"}

    assert names & sys.stdlib_module_names == set()


def test_no_file_names_a_package_registry_or_a_home_folder() -> None:
    found = [f"{_name(path)}: {text}" for path in TEXT_FILES for text in _forbidden(path)]

    assert found == []


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def _forbidden(path: Path) -> Iterator[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return
    yield from (host for host in REGISTRY_HOSTS if host in text)
    yield from HOME_PATH.findall(text)
