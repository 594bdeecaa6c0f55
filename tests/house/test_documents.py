"""What the documents say is there: commands, targets, links, versions, both languages."""

import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from gen_video import __version__
from gen_video.cli.main import COMMANDS
from tests.house.project import PROJECT, list_files, read

READMES = ("README.md", "README.zh-CN.md")
GUIDES = (*READMES, "CONTRIBUTING.md", "docs/howto/operate.md", "gen_video/api/MVP启动指南.md")
DOCUMENTS = list_files("*.md")

_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|<img[^>]* src=\"([^\"]+)\"")


@pytest.mark.parametrize("document", GUIDES)
def test_make_targets_exist(document: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))

    assert set(re.findall(r"\bmake ([a-z]+)\b", _code(document))) <= targets


@pytest.mark.parametrize("document", GUIDES)
def test_commands_exist(document: str) -> None:
    used = set(re.findall(r"\bgen-video ([a-z]+)(?: ([a-z]+))?", _code(document)))

    assert [pair for pair in sorted(used) if not _is_command(*pair)] == []


def test_both_readmes_have_the_same_sections() -> None:
    english, chinese = (_headings(name) for name in READMES)

    assert [level for level, _ in english] == [level for level, _ in chinese]


def test_both_readmes_show_the_same_commands() -> None:
    english, chinese = (_without_comments(_FENCE.findall(read(name))) for name in READMES)

    assert english == chinese


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_links_lead_somewhere(path: Path) -> None:
    text = _FENCE.sub("", path.read_text(encoding="utf-8"))
    targets = [first or second for first, second in _LINK.findall(text)]
    local = [target.partition("#")[0] for target in targets if "://" not in target]

    assert [target for target in local if target and not (path.parent / target).exists()] == []


def test_one_version_everywhere() -> None:
    project = tomllib.loads(read("pyproject.toml"))["project"]
    newest = re.search(r"^## (\d\S*)", read("CHANGELOG.md"), re.MULTILINE)

    assert newest is not None
    assert {project["version"], newest[1]} == {__version__}


def test_every_decision_says_context_decision_and_consequences() -> None:
    pages = sorted((PROJECT / "docs" / "decisions").glob("0*.md"))

    assert pages
    for page in pages:
        headings = re.findall(r"^## (\w+)", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences"], page.name


def _code(document: str) -> str:
    return "\n".join(_CODE.findall(read(document)))


def _headings(document: str) -> list[tuple[str, str]]:
    text = _FENCE.sub("", read(document))
    return re.findall(r"^(#{1,4}) (.+)$", text, re.MULTILINE)


def _without_comments(blocks: list[str]) -> list[str]:
    return [re.sub(r"^#.*\n|  #.*$", "", block, flags=re.MULTILINE) for block in blocks]


def _is_command(command: str, subcommand: str) -> bool:
    entry = COMMANDS.get(command)
    if entry is None:
        return False
    if not subcommand or entry.module == "process":
        return True
    app = import_module(f"gen_video.cli.{entry.module}").app
    callbacks = [given.name or given.callback.__name__ for given in app.registered_commands]
    return len(callbacks) == 1 or subcommand in callbacks
