"""People come and go: by password, by button, in their language, with the keyboard alone."""

import pytest

from tests.console.journeys.chromium import PHONE, Chromium, Window
from tests.journeys.service import RunningService

pytestmark = pytest.mark.journey
NEW = "an even better password"


@pytest.fixture(scope="module")
def ann(site: RunningService) -> str:
    """Return the address of a user that an operator made on the command line."""
    email = "ann@example.com"
    made = site.run_command("users", "create", "ann", "--email", email)
    given = site.run_command("users", "password", "ann", "--generate")
    assert (made.returncode, given.returncode) == (0, 0), made.stderr + given.stderr
    return f"{email} {given.stdout.strip()}"


def sign_in(window: Window, email: str, password: str) -> None:
    """Fill in the form of the page that is open."""
    window.page.fill("#email", email)
    window.page.fill("#password", password)
    window.page.press("#password", "Enter")


def test_a_password_is_changed_and_ends_the_other_sessions(
    site: RunningService, chromium: Chromium, ann: str
) -> None:
    email, password = ann.split()
    with chromium.window(site.url) as here, chromium.window(site.url, size=PHONE) as there:
        here.open("/sign-in")
        sign_in(here, email, "wrong password")
        assert here.page.get_by_role("alert").inner_text().startswith("The e-mail address")
        there.open("/sign-in")
        for window in (here, there):
            sign_in(window, email, password)
            window.page.wait_for_url("**/console/**")

        here.open("/console/account")
        here.page.fill("#current", password)
        here.page.fill("#new", NEW)
        here.page.get_by_role("button", name="Change password").click()

        assert "is changed" in here.page.locator("main").get_by_role("status").inner_text()
        there.open("/console/account")
        assert "/sign-in" in there.page.url
        sign_in(there, email, NEW)
        there.page.wait_for_url("**/console/account")


def test_language_and_colours_are_a_button_away(site: RunningService, chromium: Chromium) -> None:
    with chromium.window(site.url, language="en") as window:
        page = window.open("/")
        assert page.get_by_role("heading", level=1).inner_text().startswith("Pictures")
        light = page.evaluate("getComputedStyle(document.body).backgroundColor")

        page.get_by_role("button", name="中文").click()
        assert "一句话" in page.get_by_role("heading", level=1).inner_text()
        page.get_by_role("button", name="外观跟随设备").click()
        page.wait_for_selector('html[data-theme="dark"]')

        assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
        window.open("/sign-in")
        assert page.locator("html").get_attribute("data-theme") == "dark"


def test_a_chinese_browser_gets_chinese(site: RunningService, chromium: Chromium) -> None:
    with chromium.window(site.url, language="zh") as window:
        assert window.open("/").title().startswith("一句话")


def test_one_gets_in_and_out_without_a_mouse(site: RunningService, chromium: Chromium) -> None:
    with chromium.window(site.url) as window:
        page = window.open("/")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        button = page.get_by_role("button", name="Try it without an account")
        button.focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/console/**")

        page.locator("details[data-menu] summary").focus()
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Sign out").focus()
        page.keyboard.press("Enter")
        page.wait_for_url(f"{site.url}/")

        window.open("/console/account")
        assert "/sign-in" in page.url


def test_an_example_is_copied(site: RunningService, chromium: Chromium) -> None:
    with chromium.window(site.url, permissions=["clipboard-read", "clipboard-write"]) as window:
        page = window.open("/")
        page.get_by_role("button", name="Copy").first.click()
        page.get_by_role("button", name="Copied").wait_for()

        text = page.evaluate("navigator.clipboard.readText()")

        assert text.startswith(f"curl -s {site.url}/api/v1/images/generate")
