"""The document pages in a real browser: they show every call, in both languages, offline."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from tests.house.openapi import SNAPSHOT
from tests.journeys.browser import read_page, take_picture
from tests.journeys.service import RunningService

pytestmark = pytest.mark.journey

PATHS = sorted(json.loads(SNAPSHOT.read_text(encoding="utf-8"))["paths"])
FOREIGN = re.compile(
    r'(?:src|href)="(?:https?:)?//(?!127\.0\.0\.1)[^"]+\.(?:js|css|woff2?|png|svg)"'
)


def _flat(document: str) -> str:
    # Swagger UI breaks long addresses with zero-width spaces.
    return document.replace("\u200b", "").replace("<wbr>", "")


def test_the_interactive_page_shows_every_call(service: RunningService, tmp_path: Path) -> None:
    document = _flat(read_page(f"{service.url}/docs", tmp_path / "profile"))

    assert [path for path in PATHS if path not in document] == []
    assert "生成图像" in document
    assert FOREIGN.findall(document) == []


def test_the_reading_page_shows_calls_in_both_languages(
    service: RunningService, tmp_path: Path
) -> None:
    document = _flat(read_page(f"{service.url}/redoc", tmp_path / "profile"))

    assert "Generate pictures" in document
    assert "生成图像" in document
    assert "/api/v1/images/generate" in document


@pytest.mark.parametrize("page", ["docs", "redoc"])
def test_a_page_is_not_blank(service: RunningService, tmp_path: Path, page: str) -> None:
    picture = tmp_path / "page.png"

    take_picture(f"{service.url}/{page}", tmp_path / "profile", picture)

    colours = Image.open(picture).convert("RGB").getcolors(maxcolors=2**24) or []
    assert len(colours) > 100
