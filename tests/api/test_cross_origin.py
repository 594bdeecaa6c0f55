"""Pages of other origins: who may call, what they may send and read."""

from collections.abc import Mapping

import pytest
from pydantic import ValidationError

from gen_video.settings import Settings
from tests.api.conftest import FREE_KEY, GENERATE, SMALL, Door, OpenDoor

PAGE = "https://app.example.com"
QUOTA = "/api/v1/quota"
ASKED = {
    "Origin": PAGE,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": (
        "authorization,content-type,idempotency-key,prefer,x-api-key,x-stainless-retry-count"
    ),
}


@pytest.fixture
def called(open_door: OpenDoor) -> Door:
    return open_door(cors_origins=(PAGE, "http://localhost:3000"))


def allowed(headers: Mapping[str, str]) -> str | None:
    return headers.get("access-control-allow-origin")


def test_without_the_setting_no_page_of_another_origin_may_call(door: Door) -> None:
    answer = door.client.get(QUOTA, headers={"Origin": PAGE})
    preflight = door.client.options(GENERATE, headers=ASKED)

    assert answer.status_code == 200
    assert allowed(answer.headers) is None
    assert preflight.status_code == 405
    assert allowed(preflight.headers) is None


def test_a_preflight_lets_a_named_page_send_what_sdks_send(called: Door) -> None:
    answer = called.client.options(GENERATE, headers=ASKED | {"X-API-Key": ""})

    assert answer.status_code == 200
    assert allowed(answer.headers) == PAGE
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "Origin" in answer.headers["vary"]
    assert answer.headers["x-request-id"].startswith("req_")


def test_a_preflight_of_another_page_is_refused(called: Door) -> None:
    answer = called.client.options(GENERATE, headers=ASKED | {"Origin": "https://evil.example"})

    assert answer.status_code == 400
    assert allowed(answer.headers) is None


def test_a_page_may_not_send_just_any_header(called: Door) -> None:
    headers = ASKED | {"Access-Control-Request-Headers": "x-forwarded-for"}

    assert called.client.options(GENERATE, headers=headers).status_code == 400


def test_a_page_can_read_the_headers_that_it_needs(called: Door) -> None:
    answer = called.client.post(
        GENERATE, json=SMALL, headers={"Origin": PAGE, "Prefer": "respond-async"}
    )

    exposed = answer.headers["access-control-expose-headers"]
    assert answer.status_code == 202
    assert allowed(answer.headers) == PAGE
    for name in ("X-Request-Id", "Location", "Retry-After", "RateLimit", "Idempotency-Replayed"):
        assert name in exposed.split(", ")


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [
        (QUOTA, "wrong", 401),
        ("/api/v1/jobs/job_missing", FREE_KEY, 404),
        ("/api/v1/files/images/job_missing.png", "", 404),
        ("/nowhere", "", 404),
    ],
)
def test_errors_can_be_read_by_pages_as_well(
    called: Door, path: str, key: str, status: int
) -> None:
    answer = called.client.get(path, headers={"Origin": PAGE, "X-API-Key": key})

    assert answer.status_code == status
    assert allowed(answer.headers) == PAGE


def test_an_unexpected_error_can_be_read_by_pages_too(
    called: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(called.app.state, "services")

    answer = called.client.get(QUOTA, headers={"Origin": PAGE})

    assert answer.status_code == 500
    assert allowed(answer.headers) == PAGE
    assert answer.headers["x-request-id"]


def test_another_page_gets_no_leave_and_caches_learn_why(called: Door) -> None:
    answer = called.client.get(QUOTA, headers={"Origin": "https://evil.example"})

    assert allowed(answer.headers) is None
    assert "Origin" in answer.headers["vary"]


def test_every_page_may_call_if_the_operator_says_so_but_never_with_cookies(
    open_door: OpenDoor,
) -> None:
    door = open_door(cors_origins=("*",))

    for answer in (
        door.client.get(QUOTA, headers={"Origin": "https://any.example"}),
        door.client.options(GENERATE, headers=ASKED),
    ):
        assert allowed(answer.headers) == "*"
        assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("", ()),
        ("*", ("*",)),
        (f"{PAGE}, http://localhost:3000", (PAGE, "http://localhost:3000")),
        ("http://[::1]:8080", ("http://[::1]:8080",)),
        ("tauri://localhost", ("tauri://localhost",)),
    ],
)
def test_origins_are_named_as_browsers_send_them(given: str, read: tuple[str, ...]) -> None:
    settings = Settings(_env_file=None, cors_origins=given)

    assert settings.cors_origins == read


@pytest.mark.parametrize(
    "given",
    [f"{PAGE}/", f"{PAGE}/app", "app.example.com", "null", f"*,{PAGE}", "https://*.example.com"],
)
def test_what_no_browser_sends_is_refused_at_start(given: str) -> None:
    with pytest.raises(ValidationError, match="origins as browsers send them"):
        Settings(_env_file=None, cors_origins=given)
