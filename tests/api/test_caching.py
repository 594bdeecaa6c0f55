"""HTTP caching: what is kept, for how long, and what is not sent again."""

import time

import pytest

from gen_video.api.caching import file_cache_control
from tests.api.conftest import GENERATE, SMALL, Door, OpenDoor, worker_of

MODELS = "/api/v1/models"


def seconds_of(cache_control: str) -> int:
    return int(cache_control.partition("max-age=")[2].partition(",")[0])


@pytest.mark.parametrize(
    ("access", "seconds_left", "expected"),
    [
        ("link", None, "public, max-age=50, must-revalidate"),
        ("signed", 3600.0, "public, max-age=50, must-revalidate"),
        ("signed", 7.9, "public, max-age=7, must-revalidate"),
        ("signed", -1.0, "public, max-age=0, must-revalidate"),
        ("signed", None, "private, no-cache"),
        ("key", None, "private, no-cache"),
    ],
)
def test_how_long_a_file_is_kept(access: str, seconds_left: float | None, expected: str) -> None:
    assert file_cache_control(access=access, seconds_left=seconds_left) == expected


def test_a_deleted_file_is_gone_from_caches_within_a_minute(working: Door) -> None:
    made = working.client.post(GENERATE, json=SMALL).json()

    got = working.client.get(made["image_url"])
    working.client.delete(f"/api/v1/jobs/{made['task_id']}")
    again = working.client.get(made["image_url"], headers={"If-None-Match": got.headers["ETag"]})

    assert 0 < seconds_of(got.headers["Cache-Control"]) < 60
    assert "must-revalidate" in got.headers["Cache-Control"]
    assert again.status_code == 410
    assert again.headers["Cache-Control"] == "no-store"


def test_a_file_that_was_not_changed_keeps_for_as_long_again(working: Door) -> None:
    url = working.client.post(GENERATE, json=SMALL).json()["image_url"]
    got = working.client.get(url)

    again = working.client.get(url, headers={"If-None-Match": got.headers["ETag"]})

    assert again.status_code == 304
    assert again.headers["Cache-Control"] == got.headers["Cache-Control"]
    assert again.headers["ETag"] == got.headers["ETag"]


def test_a_file_that_needs_a_key_is_kept_by_nobody_else(open_door: OpenDoor) -> None:
    door = open_door(file_access="key")
    with worker_of(door.services):
        url = door.client.post(GENERATE, json=SMALL).json()["image_url"]

    assert door.client.get(url).headers["Cache-Control"] == "private, no-cache"


def test_a_signed_link_is_not_kept_beyond_its_time(open_door: OpenDoor) -> None:
    door = open_door(file_access="signed", file_url_seconds=10)
    with worker_of(door.services):
        url = door.client.post(GENERATE, json=SMALL).json()["image_url"]

    by_link = door.client.get(url, headers={"X-API-Key": ""})
    with_key = door.client.get(url)

    assert seconds_of(by_link.headers["Cache-Control"]) <= 10
    assert with_key.headers["Cache-Control"] == "private, no-cache"


def test_models_are_not_sent_again_while_they_are_the_same(door: Door) -> None:
    got = door.client.get(MODELS)
    etag = got.headers["ETag"]

    again = door.client.get(MODELS, headers={"If-None-Match": etag})
    other = door.client.get(MODELS, headers={"If-None-Match": etag, "Accept-Language": "zh"})

    assert got.headers["Cache-Control"] == "private, no-cache"
    assert "Accept-Language" in got.headers["Vary"]
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == etag
    assert other.status_code == 200


@pytest.mark.parametrize("path", ["/openapi.json", "/static/docs.js", MODELS])
def test_what_may_be_compressed_has_one_weak_tag_for_both_forms(door: Door, path: str) -> None:
    plain = door.client.get(path, headers={"Accept-Encoding": "identity"})
    small = door.client.get(path, headers={"Accept-Encoding": "gzip"})

    assert plain.content == small.content
    assert small.headers["ETag"].removeprefix("W/") == plain.headers["ETag"].removeprefix("W/")
    if "content-encoding" in small.headers:
        assert small.headers["ETag"].startswith("W/")
        assert "Accept-Encoding" in plain.headers["Vary"]
        assert "Accept-Encoding" in small.headers["Vary"]
    again = door.client.get(path, headers={"If-None-Match": small.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["/openapi.json", "/static/redoc.js"])
def test_pages_are_compared_each_time(door: Door, path: str) -> None:
    assert door.client.get(path).headers["Cache-Control"] == "no-cache"


def test_everything_else_is_kept_nowhere(door: Door) -> None:
    for path in ("/api/v1/jobs", "/api/v1/quota", "/api/v1/health", "/nowhere"):
        assert door.client.get(path).headers["Cache-Control"] == "no-store"


def test_the_older_address_of_a_job_says_what_follows_it(door: Door) -> None:
    made = door.client.post(GENERATE, json=SMALL, headers={"Prefer": "respond-async"}).json()

    for client, status in ((door.client, 200), (door.other, 404)):
        answer = client.get(f"/api/v1/tasks/{made['task_id']}")
        assert answer.status_code == status
        assert int(answer.headers["Deprecation"].removeprefix("@")) < time.time() + 86_400 * 365
        assert answer.headers["Link"] == f'<{made["job_url"]}>; rel="successor-version"'
        assert "Sunset" not in answer.headers
    assert "Deprecation" not in door.client.get(made["job_url"]).headers


def test_whoever_writes_the_address_writes_no_header(door: Door) -> None:
    answer = door.client.get('/api/v1/tasks/a%0d%0aSet-Cookie: b%22>; rel="next"')

    assert answer.headers["Link"].startswith("</api/v1/jobs/a%0D%0ASet-Cookie%3A%20b%22%3E%3B")
    assert "Set-Cookie" not in answer.headers


def test_a_head_request_says_what_get_would_say(door: Door) -> None:
    for path in (MODELS, "/openapi.json"):
        got = door.client.get(path, headers={"Accept-Encoding": "gzip"})
        asked = door.client.head(path, headers={"Accept-Encoding": "gzip"})

        assert asked.content == b""
        for name in ("etag", "cache-control", "content-length", "content-encoding", "vary"):
            assert asked.headers.get(name) == got.headers.get(name), name
