"""Every page in a real browser: accessible, within its width, without a complaint."""

from pathlib import Path
from typing import Literal

import pytest

from tests.console.journeys.chromium import DESKTOP, PHONE, Chromium, Window
from tests.console.pages import PAGES, Who
from tests.console.samples import make_samples
from tests.journeys.service import RunningService

AXE = Path(__file__).parents[1].joinpath("vendor", "axe.min.js").read_text(encoding="utf-8")
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
GRAVE = {"serious", "critical"}
Look = tuple[tuple[int, int], Literal["zh", "en"], Literal["light", "dark"]]
LOOKS: list[Look] = [
    (PHONE, "zh", "dark"),
    (DESKTOP, "en", "light"),
]

pytestmark = pytest.mark.journey


@pytest.fixture(scope="module")
def samples(site: RunningService) -> dict[str, str]:
    return make_samples(site)


@pytest.mark.parametrize("who", ["visitor", "member", "owner"])
@pytest.mark.parametrize("look", LOOKS, ids=["phone", "desktop"])
def test_pages_are_accessible_and_fit(
    site: RunningService, chromium: Chromium, samples: dict[str, str], look: Look, who: Who
) -> None:
    size, language, colours = look
    found = {}
    with chromium.window(
        site.url, size=size, language=language, colours=colours, who=who
    ) as window:
        for page in PAGES:
            if page.who == who:
                window.open(page.path.format(**samples))
                found[page.name] = [*_list_faults(window), *_list_overflows(window)]

    assert {name: faults for name, faults in found.items() if faults} == {}


def _list_faults(window: Window) -> list[str]:
    window.page.evaluate(AXE)
    result = window.page.evaluate("rules => axe.run(document, rules)", RULES)
    return [
        f"{fault['id']}: {node['target']} {node.get('failureSummary', '')}"
        for fault in result["violations"]
        if fault["impact"] in GRAVE
        for node in fault["nodes"]
    ]


def _list_overflows(window: Window) -> list[str]:
    """A page is never wider than its window; wide things scroll by themselves."""
    wide = window.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return [f"{wide} px too wide"] if wide > 0 else []
