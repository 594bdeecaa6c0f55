"""Pictures of every page: `python -m tests.console.screenshots`, to be looked at by somebody.

Each page at 390 and 1440 pixels, in Chinese and English, light and dark, into `screenshots/`.
`--model mini` has the embedded model make what they show; it takes some minutes.
"""

import argparse
import itertools
import tempfile
from pathlib import Path

from tests.console.journeys.chromium import DESKTOP, PHONE, Chromium, run_chromium
from tests.console.pages import PAGES, Page
from tests.console.samples import make_samples
from tests.house.project import PROJECT
from tests.journeys.service import RunningService

FOLDER = PROJECT / "screenshots"
SIZES = {"390": PHONE, "1440": DESKTOP}


def main() -> None:
    """Take the pictures that the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--model", default="test-double", help="test-double or mini")
    parser.add_argument("--only", nargs="*", help="names of pages")
    parser.add_argument("--languages", nargs="*", default=["zh", "en"])
    parser.add_argument("--colours", nargs="*", default=["light", "dark"])
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    pages = [page for page in PAGES if not options.only or page.name in options.only]
    settings = {"DEFAULT_IMAGE_MODEL": options.model, "DEFAULT_VIDEO_MODEL": "test-double"}
    with (
        tempfile.TemporaryDirectory() as folder,
        RunningService(Path(folder), settings=settings) as service,
        run_chromium() as chromium,
    ):
        samples = make_samples(service)
        for size, language, colours in itertools.product(SIZES, options.languages, options.colours):
            for who in ("visitor", "member", "owner"):
                shown = [page for page in pages if page.who == who]
                names = [f"{page.name}-{size}-{language}-{colours}.png" for page in shown]
                look = {"size": SIZES[size], "language": language, "colours": colours, "who": who}
                files = [options.folder / name for name in names]
                _take(chromium, service.url, look, list(zip(shown, files, strict=True)), samples)


def _take(
    chromium: Chromium,
    url: str,
    look: dict[str, object],
    pictures: list[tuple[Page, Path]],
    samples: dict[str, str],
) -> None:
    if not pictures:
        return
    with chromium.window(url, **look) as window:  # type: ignore[arg-type]  # each by its name
        for page, file in pictures:
            window.open(page.path.format(**samples))
            window.page.wait_for_timeout(300)
            window.stretch()
            window.page.screenshot(path=file)


if __name__ == "__main__":
    main()
