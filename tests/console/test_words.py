"""Every word of the console is there in Chinese, and no template has words that cannot be."""

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from jinja2 import Environment
from typing_extensions import override

from gen_video.console.languages import FOLDER as CATALOGUES
from gen_video.console.languages import preferred, read_catalogue
from tests.house.project import PROJECT

CONSOLE = PROJECT / "gen_video" / "console"
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]
OPTIONS = {
    "templates/**.html": {
        "trim_blocks": "true",
        "lstrip_blocks": "true",
        "silent": "false",
        "extensions": "jinja2.ext.do,jinja2.ext.loopcontrols",
    }
}
READ_ATTRIBUTES = frozenset({"alt", "aria-label", "placeholder", "title", "data-confirm"})
NAMES = frozenset(
    {"gen_video", "English", "中文", "curl", "Python", "OpenAI SDK", "JSON", "CSV", "ms"}
)
"""Words that are the same in every language."""
TEMPLATES = sorted((CONSOLE / "templates").rglob("*.html"))
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]")
WORD = re.compile(r"[A-Za-z]{2,}|[\u4e00-\u9fff]")

Id = str | tuple[str, ...] | list[str]


def list_words() -> dict[Id, str]:
    """Return every word of code and templates with its place."""
    found = extract_from_dir(CONSOLE, METHODS, OPTIONS)
    return {words: f"{file}:{line}" for file, line, words, _, _ in found}


def test_every_word_is_there_in_chinese() -> None:
    catalogue = read_catalogue()

    missing = {
        words: place
        for words, place in list_words().items()
        if (message := catalogue.get(words if isinstance(words, str) else words[0])) is None
        or message.fuzzy
        or not all(_texts(message))
    }

    assert missing == {}


def test_no_word_is_kept_for_nothing() -> None:
    known = {words if isinstance(words, str) else words[0] for words in list_words()}

    spare = [
        str(message.id)
        for message in read_catalogue()
        if message.id and _first(message.id) not in known
    ]

    assert spare == []


def test_facts_are_in_both_languages() -> None:
    wrong = [
        str(message.id)
        for message in read_catalogue()
        if message.id
        for text in _texts(message)
        if set(PLACEHOLDER.findall(text)) != set(PLACEHOLDER.findall(_last(message.id)))
    ]

    assert wrong == []


def test_no_word_is_translated_twice() -> None:
    seen: dict[str, Path] = {}
    twice = []
    for file in sorted(CATALOGUES.glob("*.po")):
        with file.open("rb") as source:
            for message in read_po(source):
                if message.id:
                    name = _first(message.id)
                    twice += [f"{name}: {seen[name].name}, {file.name}"] if name in seen else []
                    seen[name] = file

    assert twice == []


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.name)
def test_templates_have_no_words_of_their_own(file: Path) -> None:
    page = _Page()
    page.feed(_bare(file.read_text(encoding="utf-8")))

    assert [text for text in page.texts if text not in NAMES and WORD.search(text)] == []


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.name)
def test_templates_have_no_styles_and_scripts_of_their_own(file: Path) -> None:
    """The policy would keep them from working."""
    page = _Page()
    page.feed(_bare(file.read_text(encoding="utf-8")))

    assert page.inline == []


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-US,en;q=0.9,zh;q=0.8", "en"),
        ("fr-FR,zh-TW;q=0.5", "zh"),
        ("en;q=0.1, zh;q=0.2", "zh"),
        ("zh;q=0, en", "en"),
        ("zh;q=x", "en"),
        ("*", "en"),
    ],
)
def test_the_browser_says_what_is_read(header: str, language: str) -> None:
    assert preferred(header) == language


class _Page(HTMLParser):
    """Collects what people read, and what the policy forbids."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.inline: list[str] = []
        self._silent = 0

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in READ_ATTRIBUTES and value:
                self.texts.append(value.strip())
            if name == "style" or name.startswith("on") or (value or "").startswith("javascript:"):
                self.inline.append(f"{tag} {name}")
        if tag in {"script", "style"} and "src" not in dict(attrs):
            self.inline.append(tag)

    @override
    def handle_data(self, data: str) -> None:
        self.texts += [text for text in (line.strip(" ·") for line in data.split("\n")) if text]


def _bare(source: str) -> str:
    """Return a template without its expressions, and without what is translated."""
    parts: list[str] = []
    is_translated = False
    block: list[str] = []
    for _, token, value in Environment(autoescape=True, extensions=["jinja2.ext.i18n"]).lex(source):
        if token == "block_begin":
            block = []
        elif token == "name":
            block.append(value)
        elif token == "block_end" and block[:1] in (["trans"], ["endtrans"]):
            is_translated = block[0] == "trans"
        elif token == "data" and not is_translated:
            parts.append(value)
    return "".join(parts)


def _first(words: Id) -> str:
    return words if isinstance(words, str) else words[0]


def _last(words: Id) -> str:
    return words if isinstance(words, str) else words[-1]


def _texts(message: Message) -> Sequence[str]:
    """Return what a message says in Chinese; several where it counts."""
    said = message.string
    if said is None or isinstance(said, str):
        return [said or ""]
    return list(said)
