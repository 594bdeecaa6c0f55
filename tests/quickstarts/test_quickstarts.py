"""The code in the documents does what it shows, in both languages."""

import re
import shutil
from pathlib import Path

import pytest

from tests.quickstarts.code import Block, list_blocks
from tests.quickstarts.reader import Reader
from tests.sdk.packages import python_sdk
from tests.services import IS_CI

pytestmark = pytest.mark.journey

PAGES = ("docs/quickstart", "docs/coming-from")
RUN = [
    *list_blocks("README.md", section="Try"),
    *list_blocks("README.md", section="Use it from code"),
    *(block for page in PAGES for block in list_blocks(f"{page}.md")),
]
FILES = {
    "docs/quickstart.md#1-bash": ["answer.json", "*.png"],
    "docs/quickstart.md#2-bash": ["accepted.json", "clip.mp4"],
    "docs/quickstart.md#3-python": ["forest.png"],
    "docs/quickstart.md#4-python": ["lake.png", "sea.mp4"],
    "docs/quickstart.md#5-python": ["*_1.png", "*_2.png"],
    "docs/coming-from.md#3-python": ["lake.png"],
}
"""What a reader has in the folder afterwards."""


def _is_of_sdk(block: Block) -> bool:
    return "from openai import" in block.code


@pytest.mark.parametrize("block", RUN, ids=lambda block: block.name)
def test_the_code_of_a_document_runs(block: Block, reader: Reader, tmp_path: Path) -> None:
    if block.language == "javascript" and shutil.which("node") is None and not IS_CI:
        pytest.skip("needs Node.js")

    ended = reader.run(block, tmp_path, packages=python_sdk(3) if _is_of_sdk(block) else None)

    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
    assert '"status":4' not in ended.stdout.replace(" ", "")
    for pattern in FILES.get(block.name, ()):
        found = list(tmp_path.glob(pattern))
        assert found, f"no {pattern}:\n{ended.stdout}"
        assert all(file.stat().st_size > 0 for file in found)


@pytest.mark.parametrize("block", [*filter(_is_of_sdk, RUN)], ids=lambda block: block.name)
def test_code_for_the_sdk_runs_with_its_older_major_too(
    block: Block, reader: Reader, tmp_path: Path
) -> None:
    ended = reader.run(block, tmp_path, packages=python_sdk(2))

    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"


def test_a_stream_is_read_to_its_end(reader: Reader, tmp_path: Path) -> None:
    block = next(block for block in RUN if block.language == "javascript")

    ended = reader.run(block, tmp_path)

    assert re.search(r"^succeeded http\S+\.png$", ended.stdout, re.MULTILINE), ended.stderr


@pytest.mark.parametrize("page", PAGES)
def test_both_languages_show_the_same_code(page: str) -> None:
    english, chinese = (
        [_without_comments(block.code) for block in list_blocks(f"{page}{suffix}.md")]
        for suffix in ("", ".zh-CN")
    )

    assert english == chinese
    assert english


def _without_comments(code: str) -> str:
    return re.sub(r"(^|\s+)(#|//) .*$", "", code, flags=re.MULTILINE)
