"""Errors arrive as the SDK's own exceptions, in words that people can read, asked for once."""

import pytest

from tests.journeys.service import TEST_KEY, RunningService
from tests.sdk.conftest import MAJORS, Script, parse
from tests.sdk.dropping_proxy import dropping_proxy

pytestmark = pytest.mark.journey

EXPECTED = {
    "bad_key": ("AuthenticationError", "invalid_api_key", None, "API key"),
    "unknown_model": ("UnprocessableEntityError", "unknown_model", None, "no-such-model"),
    "unknown_field": ("UnprocessableEntityError", "invalid_request", "colour", "colour"),
    "own_model_bad_size": ("UnprocessableEntityError", "invalid_request", "size", "multiple of 8"),
    "transparent": ("UnprocessableEntityError", "invalid_request", "background", "transparent"),
    "damaged_picture": ("APIStatusError", "unsupported_image_type", None, "PNG, JPEG or WebP"),
    "no_such_video": ("NotFoundError", "job_not_found", None, "Check the id"),
    "failed": ("InternalServerError", "generation_failed", None, "asked to fail"),
    "failed_stream": ("APIError", "generation_failed", None, "asked to fail"),
    "unfinished_delete": ("ConflictError", "job_unfinished", None, "Cancel it first"),
}


@pytest.mark.parametrize("major", MAJORS)
def test_an_error_is_the_sdks_own_exception(script: Script, major: int) -> None:
    with dropping_proxy(script.service.url, drops=0) as (url, proxy):
        printed = script.python(major, "failing.py", *EXPECTED, OPENAI_BASE_URL=f"{url}/v1")

    seen = parse(printed)
    assert set(seen) == set(EXPECTED)
    for name, (kind, code, param, words) in EXPECTED.items():
        error = seen[name]
        assert (error["class"], error["code"], error["param"]) == (kind, code, param), name
        assert words in error["message"], name
        assert error["request_id"] or name == "failed_stream"
    # Nothing that is final is asked for again.
    assert set(proxy.retry_counts) == {"0"}


@pytest.mark.parametrize("major", MAJORS)
def test_a_used_up_quota_is_asked_for_once(script: Script, major: int) -> None:
    use_up_pictures(script.service)

    with dropping_proxy(script.service.url, drops=0) as (url, proxy):
        printed = script.python(
            major, "failing.py", "quota", OPENAI_BASE_URL=f"{url}/v1", OPENAI_API_KEY=TEST_KEY
        )

    error = parse(printed)["quota"]
    assert (error["class"], error["code"]) == ("RateLimitError", "quota_exceeded")
    assert "10" in error["message"]
    assert proxy.requests == ["POST /v1/images/generations"]


def use_up_pictures(service: RunningService) -> None:
    """Take what is left of the free account's pictures today."""
    while left := service.client.get("/api/v1/quota").json()["quota_remaining"]["images"]:
        made = service.client.post(
            "/api/v1/images/generate", json={"prompt": "a lake", "n": min(left, 4)}
        )
        made.raise_for_status()
