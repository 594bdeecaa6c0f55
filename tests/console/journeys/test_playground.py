"""Somebody makes pictures and videos, as they do it: looks, clicks, waits, takes along."""

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.console.journeys.chromium import Chromium, Window
from tests.console.studio import png
from tests.journeys.service import RunningService

pytestmark = pytest.mark.journey

KEY = "demo-key-456"
HOSTILE = '"><img src=x onerror=alert(1)>'
MANY = 30
expect.set_options(timeout=20_000)
SMALL = {"width": 64, "height": 64, "num_inference_steps": 2}


@contextmanager
def window_of(site: RunningService, chromium: Chromium, **look: Any) -> Iterator[Window]:  # noqa: ANN401 - of a window
    """Open a window as the user of a larger plan, who signs in with the API key."""
    with chromium.window(site.url, **look) as window:
        page = window.open("/sign-in?next=/console/playground")
        page.locator("summary", has_text="API key").click()
        page.fill("#key", KEY)
        page.press("#key", "Enter")
        page.wait_for_url("**/console/playground")
        yield window


def ask(page: Page, prompt: str, *, steps: int = 4) -> Locator:
    """Ask for a picture; return the card that follows it."""
    send(page, prompt, steps=steps)
    expect(page.locator("[data-results] .job-prompt").first).to_have_text(prompt)
    return page.locator("[data-results] .job").first


def send(page: Page, prompt: str, *, steps: int = 4) -> None:
    """Send the form with a prompt."""
    page.fill("#prompt", prompt)
    page.evaluate(
        "steps => { document.getElementById('num_inference_steps').value = steps; }", steps
    )
    page.get_by_role("button", name="Make a picture").click()


def left(page: Page, kind: str = "images") -> int:
    """Return how many pictures or videos are left today."""
    return int(page.locator("#quota").get_attribute(f"data-{kind}") or "")


def test_a_picture_comes_while_one_watches(site: RunningService, chromium: Chromium) -> None:
    with window_of(site, chromium) as window:
        page = window.page
        before = left(page)

        card = ask(page, "sleep=3 a quiet lake", steps=12)

        expect(card.locator("[data-stage]")).to_contain_text("Drawing, step")
        expect(card.locator(".badge")).to_have_text("Running")
        expect(card.locator("[data-preview]")).to_be_visible()
        expect(card.locator("[data-eta]")).to_contain_text("left")
        expect(page.locator("#quota")).to_have_attribute("data-images", str(before - 1))
        expect(card.locator(".badge")).to_have_text("Done")
        picture = card.locator(".job-file img")
        expect(picture).to_be_visible()
        assert (
            picture.evaluate("picture => picture.decode().then(() => picture.naturalWidth)") == 64
        )
        with page.expect_download() as download:
            card.get_by_role("link", name="Download").click()
        assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")


def test_a_result_leads_to_the_next_one(site: RunningService, chromium: Chromium) -> None:
    permissions = ["clipboard-read", "clipboard-write"]
    with window_of(site, chromium, permissions=permissions) as window:
        page = window.page
        card = ask(page, "a lake to come back to")
        expect(card.locator(".badge")).to_have_text("Done")
        seed = card.get_attribute("data-seed")
        assert seed is not None

        card.get_by_text("Copy as code").click()
        card.get_by_role("tab", name="Python").click()
        card.get_by_role("tabpanel", name="Python").get_by_role("button", name="Copy").click()
        card.get_by_role("button", name="Copied").wait_for()
        code = page.evaluate("navigator.clipboard.readText()")
        page.locator("[data-fine] summary").click()
        page.get_by_role("button", name="Keep the seed").click()
        kept = page.input_value("#seed")
        card.get_by_role("link", name="Again with this seed").click()
        page.wait_for_url("**/playground?again=*")

        assert f"seed={seed}" in code
        assert "'a lake to come back to'" in code
        assert kept == seed
        assert page.input_value("#seed") == seed
        assert page.input_value("#prompt") == "a lake to come back to"

        page.locator(".job").get_by_role("link", name="Make a video of it").first.click()
        page.wait_for_url("**/playground/video?*")
        assert page.input_value("[data-prompt]") == "a lake to come back to"
        expect(page.locator("[data-drop-shown]").first).to_be_visible()


def test_a_job_is_canceled_and_its_units_come_back(
    site: RunningService, chromium: Chromium
) -> None:
    with window_of(site, chromium) as window:
        page = window.page
        before = left(page)
        card = ask(page, "sleep=60 never to be seen", steps=30)
        expect(card.locator("[data-stage]")).to_contain_text("Drawing")

        card.get_by_role("button", name="Cancel").click()

        expect(card.locator(".badge")).to_have_text("Canceled")
        expect(page.locator("#quota")).to_have_attribute("data-images", str(before))


def test_a_hostile_prompt_is_shown_as_it_was_written(
    site: RunningService, chromium: Chromium
) -> None:
    with window_of(site, chromium) as window:
        page = window.page
        page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        card = ask(page, HOSTILE)
        expect(card.locator(".badge")).to_have_text("Done")

        expect(card.locator(".job-prompt")).to_have_text(HOSTILE)
        card.get_by_text("Copy as code").click()
        expect(card.locator(".snippets pre").first).to_contain_text("onerror=alert(1)")
        card.locator(".job-prompt a").click()
        page.wait_for_url("**/console/jobs/*")
        expect(page.locator(".job-words").first).to_have_text(HOSTILE)
        window.open("/console/gallery")
        expect(page.locator(".thumb-prompt").first).to_have_text(HOSTILE)
        assert page.locator('img[src="x"]').count() == 0


def test_a_wrong_field_is_told_and_costs_nothing(site: RunningService, chromium: Chromium) -> None:
    with window_of(site, chromium) as window:
        page = window.page
        before = left(page)
        page.evaluate("document.getElementById('studio-form').noValidate = true")
        page.fill("#width", "63")

        send(page, "a lake")

        toast = page.locator("#toasts .toast")
        expect(toast).to_contain_text("multiple of 8")
        assert left(page) == before


def test_a_picture_is_started_from(site: RunningService, chromium: Chromium) -> None:
    file = FilePayload(name="start.png", mimeType="image/png", buffer=png("orange"))
    with window_of(site, chromium) as window:
        page = window.page
        page.set_input_files("#reference_image", file)
        expect(page.locator("[data-drop-shown]")).to_be_visible()
        expect(page.locator("#strength")).to_be_visible()

        card = ask(page, "a warmer lake")

        expect(card.locator(".badge")).to_have_text("Done")
        card.locator(".job-prompt a").click()
        page.wait_for_url("**/console/jobs/*")
        expect(page.get_by_text("Distance from the picture")).to_be_visible()


def test_a_picture_is_dropped_and_taken_away_again(
    site: RunningService, chromium: Chromium
) -> None:
    with window_of(site, chromium) as window:
        page = window.page
        transfer = page.evaluate_handle(
            """bytes => {
              const transfer = new DataTransfer();
              const file = new File([new Uint8Array(bytes)], "dropped.png", {type: "image/png"});
              transfer.items.add(file);
              return transfer;
            }""",
            list(png("purple")),
        )

        page.dispatch_event("[data-drop]", "drop", {"dataTransfer": transfer})

        expect(page.locator("[data-drop-shown]")).to_be_visible()
        assert page.evaluate("document.getElementById('reference_image').files.length") == 1
        page.get_by_role("button", name="Without this picture").click()
        expect(page.locator("[data-drop-shown]")).to_be_hidden()
        assert page.evaluate("document.getElementById('reference_image').files.length") == 0


def test_another_model_changes_the_fields_and_keeps_the_prompt(
    site: RunningService, chromium: Chromium
) -> None:
    with window_of(site, chromium) as window:
        page = window.page
        page.fill("#prompt", "kept")

        page.select_option("#model", "mini")

        expect(page.locator("#model-hint")).to_contain_text("Landscapes only")
        expect(page.locator("#width")).to_have_value("1024")
        page.get_by_role("button", name="16:9").click()
        expect(page.locator("#height")).to_have_value("576")
        expect(page.get_by_role("button", name="16:9")).to_have_attribute("aria-pressed", "true")
        assert page.input_value("#prompt") == "kept"


def test_a_storyboard_becomes_a_film(site: RunningService, chromium: Chromium) -> None:
    with window_of(site, chromium) as window:
        page = window.open("/console/playground/video")
        before = left(page, "videos")
        page.locator("[data-scene] textarea").first.fill("second")
        page.get_by_role("button", name="Add a scene").click()
        page.locator("[data-scene] textarea").nth(1).fill("first")
        page.locator("[data-seconds]").nth(1).fill("1.5")
        page.get_by_role("button", name="Move up").nth(1).click()
        expect(page.locator("[data-scene] textarea").first).to_have_value("first")
        expect(page.locator("[data-length]")).to_have_text("3.5 s in all")
        page.get_by_role("button", name="Add a scene").click()
        page.get_by_role("button", name="Remove this scene").nth(2).click()

        page.get_by_role("button", name="Make a video").click()

        expect(page.locator("[data-results] .job-prompt").first).to_have_text("first · second")
        card = page.locator("[data-results] .job").first
        expect(card.locator(".badge")).to_have_text("Done")
        expect(page.locator("#quota")).to_have_attribute("data-videos", str(before - 1))
        seconds = card.locator("video").evaluate(
            "video => video.readyState ? video.duration : new Promise("
            "done => video.addEventListener('loadedmetadata', () => done(video.duration)))"
        )
        assert seconds == pytest.approx(3.5, abs=0.2)


def test_the_gallery_goes_on_as_one_scrolls_and_packs_what_is_chosen(
    site: RunningService, chromium: Chromium
) -> None:
    _fill_gallery(site)
    with window_of(site, chromium) as window:
        page = window.open("/console/gallery?state=succeeded&kind=image")
        assert page.locator(".thumb").count() == 24
        page.mouse.wheel(0, 20_000)
        expect(page.locator(".thumb").nth(MANY - 1)).to_be_attached()

        page.fill("#search", "gallery number 007")
        expect(page.locator(".thumb")).to_have_count(1)
        expect(page.locator(".thumb-prompt")).to_have_text("gallery number 007")
        assert "search=gallery%20number%20007" in page.url
        page.fill("#search", "gallery")
        expect(page.locator(".thumb").nth(20)).to_be_attached()
        for place in (0, 3):
            page.locator('input[name="job"]').nth(place).check(force=True)
        expect(page.locator("[data-picked-text]")).to_have_text("2 chosen")
        with page.expect_download() as download:
            page.get_by_role("button", name="Download as ZIP").click()
        data = Path(download.value.path()).read_bytes()

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 2


def _fill_gallery(site: RunningService) -> None:
    """Make more pictures than a page of the gallery shows."""
    headers = {"X-API-Key": KEY, "Prefer": "respond-async"}
    with httpx.Client(base_url=site.url, headers=headers, trust_env=False) as client:
        for number in range(MANY):
            fields = {"prompt": f"gallery number {number:03}", **SMALL}
            answer = client.post("/api/v1/images/generate", json=fields)
            assert answer.status_code == 202, answer.text
        site.wait_until(lambda: _is_done(client), seconds=60)


def _is_done(client: httpx.Client) -> bool:
    waiting = [
        client.get("/api/v1/jobs", params={"status": state}).json()["data"]
        for state in ("queued", "running")
    ]
    return not any(waiting)
