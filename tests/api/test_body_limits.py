"""Bodies have a largest size on every address that takes one, old and new."""

import json

import pytest

from tests.api.conftest import FILM, GENERATE, Door, OpenDoor

SMALL_LIMIT, LARGE_LIMIT = 2048, 8192


@pytest.fixture
def bounded(open_door: OpenDoor) -> Door:
    return open_door(max_json_bytes=SMALL_LIMIT, max_upload_bytes=LARGE_LIMIT)


def json_of(size: int) -> bytes:
    body = json.dumps({"no_such_field": ""}).encode()
    return body[:-2] + b"a" * (size - len(body)) + body[-2:]


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        (GENERATE, SMALL_LIMIT),
        ("/v1/images/generations", SMALL_LIMIT),
        ("/api/v1/webhooks", SMALL_LIMIT),
        (FILM, LARGE_LIMIT),
        ("/v1/videos", LARGE_LIMIT),
    ],
)
def test_json_has_a_largest_size(bounded: Door, path: str, limit: int) -> None:
    headers = {"Content-Type": "application/json"}

    fits = bounded.client.post(path, content=json_of(limit), headers=headers)
    is_larger = bounded.client.post(path, content=json_of(limit + 1), headers=headers)

    assert fits.status_code == 422
    assert is_larger.status_code == 413
    assert is_larger.json()["code"] == "body_too_large"


@pytest.mark.parametrize(
    ("path", "field"),
    [
        (GENERATE, "reference_image"),
        (FILM, "image"),
        ("/v1/images/edits", "image"),
        ("/v1/images/variations", "image"),
        ("/v1/videos", "input_reference"),
    ],
)
def test_a_form_has_a_largest_size(bounded: Door, path: str, field: str) -> None:
    for size, is_refused in ((LARGE_LIMIT // 2, False), (LARGE_LIMIT, True)):
        answer = bounded.client.post(
            path, data={"no_such_field": "a"}, files={field: ("a.png", b"x" * size, "image/png")}
        )

        assert answer.status_code == (413 if is_refused else 422), answer.text
