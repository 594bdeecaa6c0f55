"""Headless Chromium, driven by Playwright: windows, what they complain of, and signing in."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.console.pages import Who
from tests.journeys.browser import require_chromium

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PHONE, DESKTOP = (390, 844), (1440, 900)
LOCALES = {"zh": "zh-CN", "en": "en-US"}
COMPLAINTS = ("error", "warning")


@dataclass
class Window:
    """A window with cookies of its own.

    Attributes:
        complaints: Errors and warnings of its console, scripts that failed, policy violations.
    """

    page: Page
    url: str
    size: tuple[int, int]
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """Go to a page."""
        self.page.goto(self.url + path)
        return self.page

    def stretch(self) -> None:
        """Make the window as high as its page, so that nothing of it is out of sight."""
        width, least = self.size
        self.page.set_viewport_size({"width": width, "height": least})
        height = int(self.page.evaluate("document.documentElement.scrollHeight"))
        self.page.set_viewport_size({"width": width, "height": max(height, least)})

    def sign_in(self, who: Who = "member") -> Page:
        """Sign in by the development's way."""
        if who != "visitor":
            self.open("/sign-in")
            name = "owner" if who == "owner" else "test_user"
            self.page.click(f'button[name="name"][value="{name}"]')
            self.page.wait_for_url("**/console/**")
        return self.page


@dataclass(frozen=True)
class Chromium:
    """A running browser."""

    browser: Browser

    @contextmanager
    def window(
        self,
        url: str,
        *,
        size: tuple[int, int] = DESKTOP,
        language: Literal["zh", "en"] = "en",
        colours: Literal["light", "dark"] = "light",
        who: Who = "visitor",
        **options: Any,  # noqa: ANN401 - of Playwright
    ) -> Iterator[Window]:
        """Open a window; at its end nothing may have been complained of."""
        context = self.browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            locale=LOCALES[language],
            color_scheme=colours,
            reduced_motion="reduce",
            has_touch=size == PHONE,
            **options,
        )
        context.set_default_timeout(20_000)
        window = Window(context.new_page(), url, size)

        def note(message: ConsoleMessage) -> None:
            if message.type in COMPLAINTS and not _is_expected(message.text):
                window.complaints.append(f"{window.page.url}: {message.text}")

        window.page.on("console", note)
        window.page.on("pageerror", lambda error: window.complaints.append(str(error)))
        try:
            window.sign_in(who)
            yield window
            assert window.complaints == []
        finally:
            context.close()


def _is_expected(text: str) -> bool:
    """Tell whether a message only repeats the status of an answer that a test asked for."""
    return text.startswith("Failed to load resource: the server responded with a status of 4")


@contextmanager
def run_chromium() -> Iterator[Chromium]:
    """Run a browser while the block runs."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=require_chromium(), args=[*FLAGS])
        try:
            yield Chromium(browser)
        finally:
            browser.close()
