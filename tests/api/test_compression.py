"""Compressed answers: what is, what is not, and that nothing else changes."""

import gzip
import json

import pytest
from starlette.types import Scope

from gen_video.api.compression import takes_gzip
from tests.api.conftest import ASYNC, GENERATE, SMALL, Door, OpenDoor

JOBS = "/api/v1/jobs?limit=100"
GZIP = {"Accept-Encoding": "gzip"}
PLAIN = {"Accept-Encoding": "identity"}


def scope_of(accept_encoding: str) -> Scope:
    return {"type": "http", "headers": [(b"accept-encoding", accept_encoding.encode())]}


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("gzip", True),
        ("gzip, deflate, br", True),
        ("br;q=1.0, GZIP;q=0.8", True),
        ("gzip;q=1", True),
        ("gzip; q=0.001", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000, br", False),
        ("x-gzip-like", False),
    ],
)
def test_who_takes_gzip(accepted: str, *, expected: bool) -> None:
    assert takes_gzip(scope_of(accepted)) is expected


def test_a_long_list_comes_in_a_fifth_of_the_bytes(open_door: OpenDoor) -> None:
    door = open_door(rate_limits=False)
    for seed in range(10):
        body = SMALL | {"prompt": f"a lake at {seed} o'clock", "seed": seed}
        assert door.other.post(GENERATE, json=body, headers=ASYNC).status_code == 202

    with door.other.stream("GET", JOBS, headers=GZIP) as answer:
        sent = b"".join(answer.iter_raw())
    plain = door.other.get(JOBS, headers=PLAIN)

    assert answer.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(sent)) == plain.json()
    assert len(sent) * 5 < len(plain.content)
    assert int(answer.headers["content-length"]) == len(sent)
    assert "content-encoding" not in plain.headers
    for headers in (answer.headers, plain.headers):
        assert "Accept-Encoding" in headers["vary"]


@pytest.mark.parametrize("path", ["/api/v1/quota", "/api/v1/health/live", "/nowhere"])
def test_short_answers_are_left_alone(door: Door, path: str) -> None:
    assert "content-encoding" not in door.client.get(path, headers=GZIP).headers


def test_pictures_are_left_alone_whole_and_in_part(working: Door) -> None:
    url = working.client.post(GENERATE, json=SMALL | {"prompt": "a lake bytes=5000"}).json()[
        "image_url"
    ]

    whole = working.client.get(url, headers=GZIP)
    part = working.client.get(url, headers=GZIP | {"Range": "bytes=0-2047"})

    assert len(whole.content) == int(whole.headers["content-length"]) >= 5000
    assert part.status_code == 206
    assert part.content == whole.content[:2048]
    for answer in (whole, part):
        assert "content-encoding" not in answer.headers
        assert not answer.headers["ETag"].startswith("W/")


def test_live_events_are_left_alone(working: Door) -> None:
    job_id = working.client.post(GENERATE, json=SMALL, headers=ASYNC).json()["task_id"]

    answer = working.client.get(f"/api/v1/jobs/{job_id}/events", headers=GZIP)

    assert "content-encoding" not in answer.headers
    assert "event: succeeded" in answer.text


def test_the_viewer_of_the_document_is_compressed(door: Door) -> None:
    with door.client.stream("GET", "/static/redoc/redoc.standalone.js", headers=GZIP) as answer:
        sent = b"".join(answer.iter_raw())

    plain = door.client.get("/static/redoc/redoc.standalone.js", headers=PLAIN)
    assert gzip.decompress(sent) == plain.content
    assert len(sent) * 3 < len(plain.content)
