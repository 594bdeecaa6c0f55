"""Finished files in a bucket over HTTP: passed on in parts, or fetched from the bucket itself."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, IncompleteRead
from urllib.request import Request, urlopen

import pytest
import uvicorn
from pydantic import SecretStr

from gen_video.storage.objects import StorageUnavailableError
from gen_video.storage.s3 import S3ObjectStore
from tests.api.conftest import FILM, FREE_KEY, GENERATE, SMALL, Door, OpenDoor, worker_of
from tests.buckets import ACCESS_KEY, SECRET_KEY, bucket_server

PREFIX = "site/files"

OpenRemote = Callable[..., Door]


@pytest.fixture
def open_remote(open_door: OpenDoor) -> OpenRemote:
    """Return a function that starts an application whose files lie in a bucket of its own."""

    def start(**settings: object) -> Door:
        server = bucket_server()
        return open_door(
            storage_url=f"s3://{server.make_bucket()}/{PREFIX}",
            s3_endpoint=server.url,
            s3_access_key_id=ACCESS_KEY,
            s3_secret_access_key=SecretStr(SECRET_KEY),
            **settings,
        )

    return start


@pytest.fixture
def door(open_remote: OpenRemote) -> Door:
    return open_remote()


@pytest.fixture
def url(working: Door) -> str:
    return str(working.client.post(GENERATE, json=SMALL).json()["image_url"])


@contextmanager
def listening(door: Door) -> Iterator[int]:
    """Serve the application on a real port; give the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(door.app, lifespan="off", log_level="critical"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        thread.join(timeout=20)


def make_large(door: Door) -> str:
    """Make a picture with a file of three megabytes; return its address."""
    wanted = {"prompt": "bytes=3000000", "width": 1024, "height": 1024, "num_inference_steps": 1}
    made = door.client.post(GENERATE, json=wanted).json()
    assert made["file_size"] > 2_900_000
    return str(made["image_url"])


def test_a_job_puts_its_file_into_the_bucket_and_nothing_on_this_machine(working: Door) -> None:
    """The guide names these two requests as what a picture costs."""
    with bucket_server().logged() as methods:
        made = working.client.post(GENERATE, json=SMALL).json()
        wait_until(lambda: is_published(made["task_id"], files=1))

    answer = working.client.get(made["image_url"], headers={"X-API-Key": ""})

    assert answer.status_code == 200
    assert len(answer.content) == made["file_size"]
    assert answer.headers["ETag"] == f'"{made["images"][0]["sha256"]}"'
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert methods == ["PUT", "HEAD"]
    assert working.list_files() == []


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        *[("0-9", 0, 10), ("5-", 5, None), ("-7", -7, None), ("0-0", 0, 1), (" 1-2", 1, 3)],
        *[("3-999999999", 3, None), ("-999999999", 0, None)],
    ],
)
def test_a_part_of_a_file(
    working: Door, url: str, wanted: str, start: int, end: int | None
) -> None:
    whole = working.client.get(url).content

    answer = working.client.get(url, headers={"Range": f"bytes={wanted}"})

    part = whole[start:end]
    first = len(whole) + start if start < 0 else start
    assert answer.status_code == 206
    assert answer.content == part
    assert answer.headers["Content-Length"] == str(len(part))
    assert answer.headers["Content-Range"] == f"bytes {first}-{first + len(part) - 1}/{len(whole)}"


@pytest.mark.parametrize("wanted", ["999999999-", "-0"])
def test_a_part_that_is_not_there_is_refused(working: Door, url: str, wanted: str) -> None:
    size = len(working.client.get(url).content)

    answer = working.client.get(url, headers={"Range": f"bytes={wanted}"})

    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{size}"


@pytest.mark.parametrize(
    "wanted",
    [
        *("bytes=5-2", "bytes=a-b", "bytes=", "lines=0-1", "bytes=-", "bytes=0-1,4-5"),
        *(f"bytes={'9' * 5000}-", f"bytes=0-{'9' * 5000}"),
    ],
)
def test_what_is_no_single_range_gets_the_whole(working: Door, url: str, wanted: str) -> None:
    whole = working.client.get(url).content

    answer = working.client.get(url, headers={"Range": wanted})

    assert (answer.status_code, answer.content) == (200, whole)


@pytest.mark.parametrize(("is_same", "status"), [(True, 206), (False, 200)])
def test_a_part_is_for_the_version_that_the_client_has(
    working: Door, url: str, *, is_same: bool, status: int
) -> None:
    etag = working.client.get(url).headers["ETag"] if is_same else '"other"'

    answer = working.client.get(url, headers={"Range": "bytes=0-9", "If-Range": etag})

    assert answer.status_code == status


def test_head_and_a_known_file_ask_the_bucket_nothing(working: Door, url: str) -> None:
    got = working.client.get(url)

    with bucket_server().logged() as methods:
        asked = working.client.head(url)
        known = working.client.get(url, headers={"If-None-Match": got.headers["ETag"]})

    assert (asked.status_code, asked.content) == (200, b"")
    for name in ("content-length", "content-type", "etag", "accept-ranges", "cache-control"):
        assert asked.headers[name] == got.headers[name]
    assert (known.status_code, known.content) == (304, b"")
    assert methods == []


@pytest.mark.parametrize("delivery", ["proxy", "redirect"])
def test_a_deleted_file_is_gone_from_the_bucket_too(open_remote: OpenRemote, delivery: str) -> None:
    door = open_remote(file_delivery=delivery)
    with worker_of(door.services):
        made = door.client.post(GENERATE, json=SMALL).json()
    assert list(door.services.objects.list_keys())

    assert door.client.delete(made["job_url"]).status_code == 200

    answer = door.client.get(made["image_url"], follow_redirects=False)
    assert (answer.status_code, answer.json()["code"]) == (410, "file_gone")
    assert list(door.services.objects.list_keys()) == []
    unknown = door.client.get(f"/api/v1/files/images/{'job_' + 'x' * 22}.png")
    assert unknown.status_code == 404


def test_a_file_that_vanished_from_the_bucket_is_missing(working: Door, url: str) -> None:
    for found in working.services.objects.list_keys():
        working.services.objects.delete(found.key)

    answer = working.client.get(url)

    assert (answer.status_code, answer.json()["code"]) == (404, "object_missing")


def test_a_bucket_in_trouble_is_said_at_once(working: Door, url: str) -> None:
    start = time.monotonic()

    with bucket_server().down():
        answer = working.client.get(url)

    assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
    assert answer.headers["Retry-After"]
    assert time.monotonic() - start < 3
    assert working.client.get(url).status_code == 200


def test_redirected_the_bucket_itself_sends_the_file(open_remote: OpenRemote) -> None:
    door = open_remote(file_delivery="redirect", file_url_seconds=120)
    with worker_of(door.services):
        made = door.client.post(GENERATE, json=SMALL).json()
    url = made["image_url"]

    answer = door.client.get(url, follow_redirects=False)
    asked = door.client.head(url, follow_redirects=False)

    assert (answer.status_code, asked.status_code) == (307, 307)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "X-Amz-Expires=120&" in answer.headers["Location"]
    wanted = Request(answer.headers["Location"], headers={"Range": "bytes=0-9"})  # noqa: S310 - loopback
    with urlopen(wanted, timeout=10) as part:  # noqa: S310
        assert (part.status, part.headers["Content-Type"]) == (206, "image/png")
        assert part.read().startswith(b"\x89PNG")
    with urlopen(Request(asked.headers["Location"], method="HEAD"), timeout=10) as head:  # noqa: S310
        assert head.headers["Content-Length"] == str(made["file_size"])
    known = door.client.get(
        url, headers={"If-None-Match": f'"{made["images"][0]["sha256"]}"'}, follow_redirects=False
    )
    assert known.status_code == 304


def test_redirected_from_a_folder_files_are_sent_as_ever(open_door: OpenDoor) -> None:
    door = open_door(file_delivery="redirect")
    with worker_of(door.services):
        url = door.client.post(GENERATE, json=SMALL).json()["image_url"]

    assert door.client.get(url, follow_redirects=False).status_code == 200


def test_a_picture_in_the_bucket_can_be_the_first_frame_of_a_video(working: Door, url: str) -> None:
    clip = SMALL | {"prompt": "waves", "num_frames": 8, "fps": 8, "image": url}
    picture = url.rpartition("/")[2].partition(".")[0]
    wait_until(lambda: is_published(picture, files=1))  # which may come after its answer

    with bucket_server().logged() as methods:
        made = working.client.post(FILM, json=clip).json()
        wait_until(lambda: is_published(made["task_id"], files=3))

    # The guide names these, too: video, poster, thumbnails and the first frame.
    assert (methods.count("PUT"), methods.count("HEAD")) == (4, 3)
    answer = working.client.get(made["video_url"], headers={"Range": "bytes=4-7"})
    assert (answer.status_code, answer.content) == (206, b"ftyp")
    assert working.client.get(made["poster_url"]).headers["content-type"].startswith("image/")


def test_a_file_that_breaks_off_is_no_whole_file_for_the_client(
    working: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make_large(working)
    real = S3ObjectStore.read

    def break_off(objects: S3ObjectStore, key: str) -> Iterator[bytes]:
        yield next(iter(real(objects, key)))
        raise StorageUnavailableError("pulled the plug")

    monkeypatch.setattr(S3ObjectStore, "read", break_off)

    with listening(working) as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", url)
        answer = connection.getresponse()
        with pytest.raises((IncompleteRead, ConnectionError)):
            answer.read()

    assert answer.status == 200


def test_clients_that_do_not_read_leave_the_threads_to_others(working: Door) -> None:
    """More of them than the door and the file readers have threads together."""
    url = make_large(working)
    ask = f"GET {url} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()

    with listening(working) as port, ExitStack() as open_until_end:
        for _ in range(60):
            idle = open_until_end.enter_context(socket.socket())
            idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            idle.connect(("127.0.0.1", port))
            idle.sendall(ask)
            assert idle.recv(12) == b"HTTP/1.1 200"
        start = time.monotonic()
        quota, _ = fetch(port, "/api/v1/quota", **{"X-API-Key": FREE_KEY})
        part, data = fetch(port, url, Range="bytes=-1000")
        assert time.monotonic() - start < 5

    assert (quota, part, len(data)) == (200, 206, 1000)


def fetch(port: int, path: str, **headers: str) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def is_published(job_id: str, *, files: int) -> bool:
    """Tell whether the bucket was asked for each of the job's files, as publishing does."""
    lines = [line for line in bucket_server().requests if job_id in line]
    return sum(line.startswith("HEAD") for line in lines) == files


def wait_until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.01)
