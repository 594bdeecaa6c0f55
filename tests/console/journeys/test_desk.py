"""Developers and owners at work in a real browser, on a real service with a real worker."""

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.console.journeys.chromium import PHONE, Chromium
from tests.journeys.service import RunningService

pytestmark = pytest.mark.journey

WORKER_MILLISECONDS = 20_000


def answer_yes(page: Page) -> None:
    """Agree with whatever the page asks before it does something."""
    page.on("dialog", lambda dialog: dialog.accept())


def ask_quota(site: RunningService, key: str) -> int:
    """Return the status of an API request with a key."""
    return httpx.get(f"{site.url}/api/v1/quota", headers={"X-API-Key": key}).status_code


def test_a_key_is_made_used_and_revoked(site: RunningService, chromium: Chromium) -> None:
    with chromium.window(site.url, who="member", size=PHONE) as window:
        page = window.open("/console/developer")
        answer_yes(page)
        page.fill("#label", "my laptop")
        page.fill("#images_per_day", "5")
        page.get_by_role("button", name="Create key").click()
        key = page.locator(".once code").inner_text()
        assert key.startswith("gv_live_")
        assert ask_quota(site, key) == 200

        window.open("/console/developer")
        assert key not in page.content()
        page.locator(".row", has_text="my laptop").get_by_role("button", name="Revoke").click()

        expect(page.get_by_text("The key is revoked.")).to_be_visible()
        expect(page.get_by_text("1 revoked key")).to_be_visible()
        wait_for_refusal(page, site, key)


def wait_for_refusal(page: Page, site: RunningService, key: str) -> None:
    """Return when a key is refused; a second at most."""
    for _ in range(20):
        if ask_quota(site, key) == 401:
            return
        page.wait_for_timeout(100)
    raise AssertionError("a revoked key still works")


def test_usage_and_requests_tell_what_a_program_did(
    site: RunningService, chromium: Chromium
) -> None:
    made = site.client.post(
        "/api/v1/images/generate", json={"prompt": "a lake", "width": 64, "height": 64}
    )
    refused = site.client.post("/api/v1/images/generate", json={"prompt": ""})
    assert (made.status_code, refused.status_code) == (200, 422)

    with chromium.window(site.url, who="member") as window:
        page = window.open("/console/developer/usage")
        expect(page.locator(".chart canvas").first).to_be_visible()
        expect(page.locator(".tile", has_text="Pictures today")).to_contain_text("/ 10")
        page.get_by_role("link", name="By key").click()
        expect(page.locator(".legend").first).to_contain_text("test key")
        page.get_by_text("Show as a table").first.click()
        expect(page.locator(".chart-table[open] tbody tr")).to_have_count(30)

        page.get_by_role("link", name="Requests").click()
        page.get_by_role("link", name="Errors only").click()
        for _ in range(3):  # the log is written once a second
            if refused.headers["x-request-id"] in page.content():
                break
            page.wait_for_timeout(700)
            page.reload()
        expect(page.get_by_text(refused.headers["x-request-id"])).to_be_visible()
        assert made.headers["x-request-id"] not in page.content()


def test_a_webhook_is_added_and_tested(site: RunningService, chromium: Chromium) -> None:
    """Nobody answers at its address: the attempt is shown with what went wrong."""
    with chromium.window(site.url, who="member") as window:
        page = window.open("/console/developer/webhooks")
        answer_yes(page)
        page.fill("#url", "https://hooks.invalid/in")
        page.get_by_label("job.succeeded").uncheck()
        page.get_by_role("button", name="Add endpoint").click()
        assert page.locator(".once code").inner_text().startswith("whsec_")

        page.get_by_role("button", name="Send a test event").click()
        expect(page.get_by_text("A test event is on its way.")).to_be_visible()
        delivery = page.locator(".delivery", has_text="webhook.test")
        delivery.locator("summary").click(timeout=WORKER_MILLISECONDS)
        expect(delivery.locator(".attempts .badge-bad").first).to_be_visible()

        page.get_by_role("button", name="Delete").click()
        expect(page.get_by_text("The endpoint is deleted.")).to_be_visible()


def test_an_owner_sees_the_targets_and_a_member_no_such_page(
    site: RunningService, chromium: Chromium
) -> None:
    with chromium.window(site.url, who="owner") as window:
        page = window.open("/console/owner")
        tiles = page.locator(".tile")
        expect(tiles.filter(has_text="Service")).to_contain_text("Up")
        expect(tiles.filter(has_text="Success rate")).to_contain_text("Target: over 90%")
        expect(tiles.filter(has_text="95th percentile")).to_contain_text("Target: under 60 s")
        expect(tiles.filter(has_text="Active users")).to_contain_text("5 to 10 a day")

        page.get_by_role("button", name="中文").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("管理")
        expect(page.locator(".tile").first).to_contain_text("运行中")

    with chromium.window(site.url, who="member") as window:
        page = window.open("/console/account")
        assert page.get_by_role("link", name="Owner").count() == 0
        answer = page.goto(f"{site.url}/console/owner")
        assert answer is not None
        assert answer.status == 404


def test_a_worker_is_drained_and_resumed(site: RunningService, chromium: Chromium) -> None:
    with chromium.window(site.url, who="owner") as window:
        page = window.open("/console/owner/queue")
        answer_yes(page)
        worker = page.locator("#floor .row").first
        expect(worker).to_contain_text("Works")

        worker.get_by_role("button", name="Drain").click()
        expect(worker).to_contain_text("Drained", timeout=WORKER_MILLISECONDS)
        job = site.client.post(
            "/api/v1/images/generate",
            json={"prompt": "waits", "width": 64, "height": 64},
            headers={"Prefer": "respond-async"},
        ).json()["task_id"]
        expect(page.get_by_text(job)).to_be_visible(timeout=WORKER_MILLISECONDS)

        worker.get_by_role("button", name="Resume").click()
        expect(worker).to_contain_text("Works", timeout=WORKER_MILLISECONDS)
        expect(page.get_by_text(job)).to_be_hidden(timeout=WORKER_MILLISECONDS)

        page.get_by_role("link", name="Audit log").click()
        expect(page.get_by_text("Worker drained").nth(1)).to_be_visible()
        expect(page.get_by_text("Worker resumed").nth(1)).to_be_visible()


def test_a_model_is_unloaded_and_checked(site: RunningService, chromium: Chromium) -> None:
    with chromium.window(site.url, who="owner") as window:
        page = window.open("/console/owner/models")
        answer_yes(page)
        model = page.locator("section.card", has_text="test-double").first

        model.get_by_role("button", name="Check").click()
        order = page.locator("#orders-title ~ .rows .row").first
        expect(order).to_contain_text("Done", timeout=WORKER_MILLISECONDS)
        expect(order).to_contain_text(re.compile(r"\d×\d+"))
        expect(model).to_contain_text("In memory", timeout=WORKER_MILLISECONDS)

        model.get_by_role("button", name="Unload").click()
        expect(model).to_contain_text("Not in memory", timeout=WORKER_MILLISECONDS)


def test_a_user_is_added_and_signs_in(site: RunningService, chromium: Chromium) -> None:
    with chromium.window(site.url, who="owner") as window:
        page = window.open("/console/owner/users")
        answer_yes(page)
        page.fill("#name", "grace")
        page.fill("#email", "grace@example.com")
        page.get_by_role("button", name="Add user").click()
        page.get_by_role("button", name="New password").click()
        password = page.locator(".once code").inner_text()

    with chromium.window(site.url) as window:
        page = window.open("/sign-in")
        page.fill("#email", "grace@example.com")
        page.fill("#password", password)
        page.press("#password", "Enter")
        page.wait_for_url("**/console/**")
        window.open("/console/developer")
        expect(page.get_by_text("No key yet")).to_be_visible()
