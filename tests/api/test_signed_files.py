"""Files that are read by links which expire, or with the owner's key."""

import json
import time
from urllib.parse import urlsplit

import pytest

from tests.api.conftest import CLIP, FILM, GENERATE, PAID_KEY, SMALL, Door, OpenDoor, worker_of

NOBODY = {"X-API-Key": ""}


@pytest.fixture
def door(open_door: OpenDoor) -> Door:
    return open_door(file_access="signed", file_url_seconds=600)


@pytest.fixture
def url(working: Door) -> str:
    return str(working.client.post(GENERATE, json=SMALL).json()["image_url"])


def bare(url: str) -> str:
    return urlsplit(url).path


def signed(door: Door, url: str, *, expires_at: int) -> str:
    """Return the link to a file that a service with this secret would give out."""
    name = bare(url).removeprefix("/api/v1/files/")
    signature = door.services.links.sign(name, expires_at)
    return f"{bare(url)}?expires={expires_at}&signature={signature}"


def test_a_link_lets_its_holder_in(working: Door, url: str) -> None:
    expires = int(url.partition("expires=")[2].partition("&")[0])

    assert 590 <= expires - time.time() <= 601
    assert working.client.get(url, headers=NOBODY).status_code == 200
    assert working.client.head(url, headers=NOBODY).status_code == 200
    assert working.client.get(url, headers=NOBODY | {"Range": "bytes=0-3"}).status_code == 206
    assert working.client.get(url, headers={"X-API-Key": PAID_KEY}).status_code == 200


def test_every_answer_names_links_that_lead_to_files(working: Door) -> None:
    made = working.client.post(GENERATE, json=SMALL).json()
    film = working.client.post(FILM, json=CLIP).json()
    get = working.client.get
    events = get(f"{made['job_url']}/events").text
    final = json.loads(events.rpartition("data: ")[2])
    job = get(film["job_url"]).json()

    urls = [
        *(made["image_url"], made["images"][0]["image_url"], final["outputs"][0]["url"]),
        *(film["video_url"], film["poster_url"], film["thumbnails_url"]),
        *(job["outputs"][0]["url"], job["outputs"][0]["thumbnail_url"]),
        *(
            output["url"]
            for item in get("/api/v1/jobs").json()["data"]
            for output in item["outputs"]
        ),
        get(f"/api/v1/tasks/{made['task_id']}").json()["image_url"],
        get(f"/api/v1/tasks/{film['task_id']}").json()["poster_url"],
    ]

    assert len(urls) == 12
    for url in urls:
        assert "?expires=" in url
        assert get(url, headers=NOBODY).status_code == 200


def test_the_owner_needs_no_link(working: Door, url: str) -> None:
    plain = bare(url)

    assert working.client.get(plain).status_code == 200
    assert working.client.get(plain, headers=NOBODY).status_code == 401
    foreign = working.client.get(plain, headers={"X-API-Key": PAID_KEY})
    assert (foreign.status_code, foreign.json()["code"]) == (404, "file_not_found")


@pytest.mark.parametrize(
    "query",
    [
        *("signature=x", "expires=1", "expires=99999999999&signature=x", "expires=&signature=x"),
        f"expires={'9' * 5000}&signature={'A' * 32}",
        f"expires=99999999999&signature={'A' * 32}",
        f"expires=99999999999&signature={'%E7' * 32}",
    ],
)
def test_a_wrong_link_is_refused_whether_there_is_a_file_or_not(
    working: Door, url: str, query: str
) -> None:
    missing = f"/api/v1/files/images/{'job_' + 'x' * 22}.png"

    answers = [
        working.client.get(f"{address}?{query}", headers=NOBODY) for address in (bare(url), missing)
    ]

    problems = [answer.json() for answer in answers]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert [problem["code"] for problem in problems] == ["link_invalid"] * 2
    assert problems[0]["detail"] == problems[1]["detail"]
    assert "job again" in problems[0]["detail"]


def test_a_link_to_another_file_is_refused(working: Door, url: str) -> None:
    other = str(working.client.post(GENERATE, json=SMALL).json()["image_url"])

    answer = working.client.get(f"{bare(other)}?{urlsplit(url).query}", headers=NOBODY)

    assert (answer.status_code, answer.json()["code"]) == (403, "link_invalid")


def test_an_expired_link_says_so_in_both_languages(working: Door, url: str) -> None:
    old = signed(working, url, expires_at=int(time.time()) - 1)

    answer = working.client.get(old, headers=NOBODY)
    chinese = working.client.get(old, headers=NOBODY | {"Accept-Language": "zh"})

    assert (answer.status_code, answer.json()["code"]) == (403, "link_expired")
    assert "job again" in answer.json()["detail"]
    assert "已过期" in chinese.json()["detail"]


def test_with_a_key_an_old_link_is_no_hindrance(working: Door, url: str) -> None:
    old = signed(working, url, expires_at=int(time.time()) - 1)

    assert working.client.get(old).status_code == 200
    assert working.client.get(old, headers={"X-API-Key": PAID_KEY}).status_code == 404


def test_a_link_to_a_deleted_file_leads_nowhere(working: Door) -> None:
    made = working.client.post(GENERATE, json=SMALL).json()
    working.client.delete(made["job_url"])

    answer = working.client.get(made["image_url"], headers=NOBODY)

    assert (answer.status_code, answer.json()["code"]) == (410, "file_gone")


@pytest.mark.parametrize("access", ["link", "key"])
def test_otherwise_addresses_are_plain(open_door: OpenDoor, access: str) -> None:
    door = open_door(file_access=access)
    with worker_of(door.services):
        made = door.client.post(GENERATE, json=SMALL).json()

    assert made["image_url"] == f"/api/v1/files/images/{made['task_id']}.png"
