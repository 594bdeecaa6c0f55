"""Finished files over HTTP: ranges, caching, safety headers, who may read them."""

from pathlib import Path

import pytest

from tests.api.conftest import FREE_KEY, GENERATE, PAID_KEY, SMALL, Door, OpenDoor, worker_of


@pytest.fixture
def url(working: Door) -> str:
    return str(working.client.post(GENERATE, json=SMALL).json()["image_url"])


def test_a_file_is_safe_to_open(working: Door, url: str) -> None:
    answer = working.client.get(url, headers={"X-API-Key": ""})

    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["Content-Disposition"].startswith('inline; filename="job_')
    assert answer.headers["Accept-Ranges"] == "bytes"


def test_head_says_the_same_without_the_bytes(working: Door, url: str) -> None:
    got, asked = working.client.get(url), working.client.head(url)

    assert asked.status_code == 200
    assert asked.content == b""
    for name in ("content-length", "content-type", "etag"):
        assert asked.headers[name] == got.headers[name]


def test_a_known_file_is_not_sent_again(working: Door, url: str) -> None:
    etag = working.client.get(url).headers["ETag"]

    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = working.client.get(url, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
    assert working.client.get(url, headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    ("wanted", "start", "end"), [("0-9", 0, 10), ("5-", 5, None), ("-7", -7, None), ("0-0", 0, 1)]
)
def test_a_part_of_a_file(
    working: Door, url: str, wanted: str, start: int, end: int | None
) -> None:
    whole = working.client.get(url).content

    answer = working.client.get(url, headers={"Range": f"bytes={wanted}"})

    assert answer.status_code == 206
    assert answer.content == whole[start:end]
    assert answer.headers["Content-Range"].endswith(f"/{len(whole)}")


def test_a_part_of_a_changed_file_is_the_whole_file(working: Door, url: str) -> None:
    answer = working.client.get(url, headers={"Range": "bytes=0-9", "If-Range": '"other"'})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ("bytes=999999999-", 416),
        ("bytes=" + ",".join(f"{n}-{n}" for n in range(50)), 200),
    ],
)
def test_a_strange_range_is_no_error_of_ours(
    working: Door, url: str, wanted: str, status: int
) -> None:
    assert working.client.get(url, headers={"Range": wanted}).status_code == status


def test_the_row_decides_even_when_publishing_was_cut_short(working: Door, url: str) -> None:
    whole = working.client.get(url).content
    public = working.services.settings.output_dir / url.removeprefix("/api/v1/files/")
    public.unlink()

    assert working.client.get(url).content == whole


def test_with_keys_required_only_the_owner_may_read(open_door: OpenDoor) -> None:
    door = open_door(file_access="key")
    with worker_of(door.services):
        url = door.client.post(GENERATE, json=SMALL).json()["image_url"]

    assert door.client.get(url).status_code == 200
    assert door.client.get(url, headers={"X-API-Key": ""}).status_code == 401
    foreign = door.client.get(url, headers={"X-API-Key": PAID_KEY})
    assert (foreign.status_code, foreign.json()["code"]) == (404, "file_not_found")


def test_a_file_past_its_retention_is_gone(open_door: OpenDoor) -> None:
    door = open_door(retention_days=1)
    with worker_of(door.services):
        made = door.client.post(GENERATE, json=SMALL).json()
    job = door.client.get(made["job_url"]).json()
    assert job["expires_at"] > job["finished_at"]

    from sqlalchemy import text  # noqa: PLC0415 - only here time is moved by hand

    door.services.database.write(
        lambda connection: connection.execute(text("UPDATE artifacts SET expires_at = 1"))
    )

    answer = door.client.get(made["image_url"])
    assert (answer.status_code, answer.json()["code"]) == (410, "file_gone")


@pytest.mark.parametrize(
    "wanted", ["bytes=5-2", "bytes=a-b", "bytes=", "lines=0-1", "bytes=1-2-3", "bytes", "bytes=-"]
)
def test_what_is_no_range_is_ignored(working: Door, url: str, wanted: str) -> None:
    answer = working.client.get(url, headers={"Range": wanted})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"


def test_a_file_that_is_deleted_at_this_moment_is_gone(
    working: Door, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = working.services.objects
    real = objects.local_path
    job_id = url.rpartition("/")[2].partition(".")[0]

    def delete_first(key: str) -> Path | None:
        caller = working.services.accounts.authenticate(FREE_KEY)
        working.services.jobs.delete(caller, job_id)
        return real(key)

    monkeypatch.setattr(type(objects), "local_path", lambda _self, key: delete_first(key))

    assert working.client.get(url).status_code == 410
