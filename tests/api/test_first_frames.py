"""First frames: a picture made here, a data URI, a URL or a file, and nobody else's picture."""

import base64
import io
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from gen_video.egress.fetcher import Fetched, UrlRefusedError, UrlTooLargeError, UrlUnreachableError
from gen_video.errors import ServiceError
from gen_video.threads import ERRANDS_OF_ACCOUNT
from tests.api.conftest import ASYNC, CLIP, FILM, GENERATE, SMALL, Answer, Door
from tests.generation.fakes import PATIENCE_SECONDS

URL = "https://pictures.example.com/dawn.png"
MISSING = "job_AAAAAAAAAAAAAAAAAAAAAA"


def png(color: str = "teal", size: tuple[int, int] = (80, 64)) -> bytes:
    """Return a picture of one color."""
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, "PNG")
    return file.getvalue()


def data_uri(data: bytes, kind: str = "data:image/png;base64,") -> str:
    return kind + base64.b64encode(data).decode()


def film(door: Door, **fields: object) -> Answer:
    """Ask for a video and do not wait for it."""
    return door.client.post(FILM, json=CLIP | fields, headers=ASYNC)


def inputs_of(door: Door, answer: Answer) -> list[bool]:
    """Return which scenes of an accepted video have a first frame."""
    assert answer.status_code in {200, 202}, answer.text
    job = door.client.get(answer.json()["job_url"]).json()
    return [scene["has_image"] for scene in job["input"]["scenes"]]


def refused(door: Door, answer: Answer, status: int, code: str) -> dict[str, str]:
    """Check a refusal that names one field; return that problem."""
    body = answer.json()
    assert (answer.status_code, body["code"]) == (status, "invalid_request"), body
    (problem,) = body["errors"]
    assert problem["code"] == code
    return {name: str(text) for name, text in problem.items()}


@pytest.fixture
def untouched(door: Door) -> Iterator[None]:
    """Check that a test leaves no job, no file and no charge behind."""
    rows, files = door.count_rows(), door.list_files()
    yield
    assert door.count_rows() == rows
    assert door.list_files() == files


@pytest.mark.parametrize(
    "kind",
    [
        "data:image/png;base64,",
        "data:image/jpeg;base64,",
        "data:;base64,",
        "DATA:IMAGE/PNG;BASE64,",
        "data:image/svg+xml;base64,",
    ],
)
def test_a_data_uri_is_read_whatever_it_says_of_itself(door: Door, kind: str) -> None:
    answer = film(door, image=data_uri(png(), kind))

    assert inputs_of(door, answer) == [True]


def test_a_picture_may_speak_for_itself(door: Door) -> None:
    without_words = {name: value for name, value in CLIP.items() if name != "prompt"}

    answer = door.client.post(FILM, json=without_words | {"image": data_uri(png())}, headers=ASYNC)

    assert inputs_of(door, answer) == [True]


def test_a_picture_in_a_form_becomes_the_first_frame(working: Door) -> None:
    fields = {name: str(value) for name, value in CLIP.items()} | {"task": "i2v", "seed": "3"}

    answer = working.client.post(
        FILM, data=fields, files={"image": ("photo.png", png(), "image/png")}
    )

    assert answer.status_code == 200, answer.text
    assert answer.json()["seed"] == 3
    assert inputs_of(working, answer) == [True]


def test_another_first_frame_gives_another_video(working: Door) -> None:
    made = [
        working.client.post(FILM, json=CLIP | {"seed": 1, "image": data_uri(png(color))}).json()
        for color in ("teal", "tomato")
    ]

    assert made[0]["sha256"] != made[1]["sha256"]


def test_a_large_picture_fits_into_json(door: Door) -> None:
    """Whole pictures travel in it: it is bounded like an upload, not like other JSON."""
    noise = Image.effect_noise((1200, 1200), 90).convert("RGB")
    file = io.BytesIO()
    noise.save(file, "PNG")
    assert len(file.getvalue()) > 1_500_000

    assert inputs_of(door, film(door, image=data_uri(file.getvalue()))) == [True]


@pytest.fixture
def picture(working: Door) -> dict[str, str]:
    """Return a picture of the client's own, by all its names."""
    made = working.client.post(GENERATE, json=SMALL).json()
    url = str(made["image_url"])
    return {
        "address": url,
        "name": url.removeprefix("/api/v1/files/"),
        "job": str(made["task_id"]),
        "job_url": str(made["job_url"]),
    }


@pytest.mark.parametrize("name", ["address", "name", "job"])
def test_a_picture_made_here_is_known_by_its_names(
    working: Door, picture: dict[str, str], name: str
) -> None:
    answer = film(working, image=picture[name])

    assert inputs_of(working, answer) == [True]
    assert working.internet.urls == []


def test_the_poster_of_a_video_may_begin_another(working: Door) -> None:
    poster = working.client.post(FILM, json=CLIP).json()["poster_url"]

    assert inputs_of(working, film(working, image=poster)) == [True]


def test_a_foreign_picture_is_refused_like_one_that_is_not_there(
    working: Door, picture: dict[str, str]
) -> None:
    address, job = picture["address"], picture["job"]

    for mine, missing in ((address, address.replace(job, MISSING)), (job, MISSING)):
        foreign, absent = (
            working.other.post(FILM, json=CLIP | {"image": name}, headers={"X-Request-Id": "same"})
            for name in (mine, missing)
        )
        assert foreign.status_code == absent.status_code == 422
        assert foreign.text == absent.text
        assert foreign.json()["errors"][0]["code"] == "image_not_found"


def test_a_picture_that_is_gone_says_no_more_to_its_owner_or_others(
    working: Door, picture: dict[str, str]
) -> None:
    working.client.delete(picture["job_url"])

    for client in (working.client, working.other):
        for name in ("address", "job"):
            answer = client.post(FILM, json=CLIP | {"image": picture[name]})
            assert refused(working, answer, 422, "image_not_found")["pointer"] == "/image"


def test_a_video_and_an_unfinished_job_are_no_pictures(working: Door) -> None:
    made = working.client.post(FILM, json=CLIP).json()
    slow = SMALL | {"prompt": "sleep=3600", "num_inference_steps": 1000}
    queued = working.client.post(GENERATE, json=slow, headers=ASYNC).json()

    for name in (made["video_url"], made["task_id"], queued["task_id"]):
        refused(working, film(working, image=name), 422, "image_not_found")
    working.client.post(f"{queued['job_url']}/cancel")


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "a lake",
        "../../etc/passwd",
        "/etc/passwd",
        "file:///etc/passwd",
        "ftp://pictures.example.com/dawn.png",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "/api/v1/files/images/../../../../etc/passwd",
        "images/%2e%2e/secret.png",
        f"images/{MISSING}.png\x00",
        f"{MISSING}\n",
        "data:image/png,not-base64",
        "data:text/html;base64,PGI+",
        "job_" + "9" * 5000,
        "图片",
    ],
)
def test_what_names_no_picture_is_refused(door: Door, text: str) -> None:
    problem = refused(door, film(door, image=text), 422, "image_not_found")

    assert problem["pointer"] == "/image"
    assert "data URI" in problem["detail"]
    assert door.internet.urls == []


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("text", ["@@@@", "AAA", "A" * 5, "é"])
def test_a_data_uri_that_is_no_base64_is_refused(door: Door, text: str) -> None:
    answer = film(door, image=f"data:image/png;base64,{text}")

    refused(door, answer, 422, "invalid_data_uri")


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 422, "invalid_image"),
        (b"hello", 415, "unsupported_image_type"),
        (b"<svg/>", 415, "unsupported_image_type"),
        (png(size=(1, 1)), 422, "invalid_image"),
        (png()[:60], 422, "invalid_image"),
    ],
)
def test_bytes_that_are_no_usable_picture_are_refused(
    door: Door, data: bytes, status: int, code: str
) -> None:
    answer = film(door, image=data_uri(data))

    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_url_is_fetched_once_and_its_picture_used(door: Door) -> None:
    door.internet.answers[URL] = Fetched(data=png(), content_type="image/png")

    answer = film(door, image=URL)

    assert inputs_of(door, answer) == [True]
    assert door.internet.urls == [URL]


def test_a_repeated_request_is_the_same_job_whatever_lies_at_the_url_by_then(door: Door) -> None:
    headers = ASYNC | {"Idempotency-Key": "order-1"}
    door.internet.answers[URL] = Fetched(data=png(), content_type="image/png")
    first = door.client.post(FILM, json=CLIP | {"image": URL}, headers=headers)
    del door.internet.answers[URL]

    again = door.client.post(FILM, json=CLIP | {"image": URL}, headers=headers)
    other = door.client.post(FILM, json=CLIP | {"image": f"{URL}?v=2"}, headers=headers)

    assert again.json()["task_id"] == first.json()["task_id"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert door.internet.urls == [URL]


def test_a_repeated_request_outlives_the_picture_that_it_named(
    working: Door, picture: dict[str, str]
) -> None:
    headers = {"Idempotency-Key": "order-1"}
    first = working.client.post(FILM, json=CLIP | {"image": picture["job"]}, headers=headers)
    working.client.delete(picture["job_url"])

    again = working.client.post(FILM, json=CLIP | {"image": picture["job"]}, headers=headers)

    assert (first.status_code, again.json()) == (200, first.json())


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (UrlRefusedError(reason="a reason", reason_zh="原因"), 422, "url_refused"),
        (UrlUnreachableError(reason="a reason", reason_zh="原因"), 422, "url_unreachable"),
        (UrlTooLargeError(max_bytes=1), 413, "url_too_large"),
        (Fetched(data=b"<html>", content_type="text/html"), 422, "url_unreachable"),
        (
            Fetched(data=b"<html>", content_type="image/png"),
            415,
            "unsupported_image_type",
        ),
        (Fetched(data=b"\0" * (21 * 2**20), content_type="image/png"), 413, "url_too_large"),
    ],
    ids=["refused", "unreachable", "too large", "a page", "a page in disguise", "huge"],
)
def test_a_url_that_gives_no_picture_is_refused(
    door: Door, answer: Fetched | ServiceError, status: int, code: str
) -> None:
    door.internet.answers[URL] = answer

    found = film(door, image=URL)

    assert (found.status_code, found.json()["code"]) == (status, code)
    assert door.client.get("/api/v1/quota").json()["quota_remaining"]["videos"] == 2


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000/api/v1/quota",
        "http://[::1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/a.png",
        "http://0x7f000001/",
        "http://2130706433/",
        "https://user:secret@pictures.example.com/",
        "http://pictures.example.com:22/",
        "https://",
        "http:///a.png",
        "HTTP://127.0.0.1/",
    ],
)
def test_a_url_of_no_public_place_is_refused_and_says_nothing_of_it(door: Door, url: str) -> None:
    answer = film(door, image=url)

    assert (answer.status_code, answer.json()["code"]) == (422, "url_refused")
    assert "127.0.0.1" not in answer.json()["detail"]
    assert "secret" not in answer.text


WRONG_ELSEWHERE: list[dict[str, object]] = [
    {"width": 65},
    {"fps": 0},
    {"seed": -1},
    {"num_frames": 0},
    {"duration": 1.0},
    {"model": "no-such-model"},
    {"metadata": {"a": "\x00"}},
    {"colour": "red"},
    {"output_format": "avi"},
    {"num_inference_steps": 1000, "width": 2048, "height": 2048, "num_frames": 4000},
]


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("wrong", WRONG_ELSEWHERE, ids=str)
def test_nothing_is_fetched_when_another_field_is_wrong(
    door: Door, wrong: dict[str, object]
) -> None:
    door.internet.answers[URL] = Fetched(data=png(), content_type="image/png")

    answer = film(door, image=URL, **wrong)

    assert answer.status_code == 422
    assert door.internet.urls == []


@pytest.mark.usefixtures("untouched")
def test_nothing_is_fetched_for_a_storyboard_with_one_wrong_scene(door: Door) -> None:
    scenes = [{"image": URL}, {"image": URL, "num_frames": 0}]

    answer = door.client.post(FILM, json={"scenes": scenes, "width": 64, "height": 64})

    assert answer.status_code == 422
    assert {error["pointer"] for error in answer.json()["errors"]} == {"/scenes/1/num_frames"}
    assert door.internet.urls == []


def test_each_scene_has_its_own_picture_from_wherever_it_is(
    working: Door, picture: dict[str, str]
) -> None:
    working.internet.answers[URL] = Fetched(data=png("tomato"), content_type="image/png")
    scenes = [
        {"image": data_uri(png())},
        {"prompt": "a scene of words"},
        {"image": URL, "prompt": "with words"},
        {"image": picture["job"]},
    ]
    board = {"scenes": scenes, "width": 64, "height": 64, "num_inference_steps": 2, "seed": 1}

    answer = working.client.post(FILM, json=board)

    assert inputs_of(working, answer) == [True, False, True, True]
    swapped = working.client.post(FILM, json=board | {"scenes": [*scenes[:3], scenes[0]]})
    assert swapped.status_code == 200
    assert swapped.json()["sha256"] != answer.json()["sha256"]


def test_a_url_that_several_scenes_name_is_fetched_once(door: Door) -> None:
    door.internet.answers[URL] = Fetched(data=png(), content_type="image/png")
    scenes = [{"image": URL}, {"prompt": "words"}, {"image": URL}]

    answer = door.client.post(
        FILM, json={"scenes": scenes, "width": 64, "height": 64}, headers=ASYNC
    )

    assert inputs_of(door, answer) == [True, False, True]
    assert door.internet.urls == [URL]


@pytest.mark.usefixtures("untouched")
def test_the_scene_whose_url_is_refused_is_pointed_at(door: Door) -> None:
    scenes = [{"prompt": "dawn"}, {"image": "http://127.0.0.1/"}]

    answer = door.client.post(FILM, json={"scenes": scenes, "width": 64, "height": 64})

    assert refused(door, answer, 422, "url_refused")["pointer"] == "/scenes/1/image"


def test_a_whole_address_of_this_service_is_not_fetched(
    working: Door, picture: dict[str, str]
) -> None:
    own = f"{working.client.base_url}{picture['address']}"

    assert inputs_of(working, film(working, image=own)) == [True]
    assert working.internet.urls == []


@pytest.mark.usefixtures("untouched")
def test_the_scene_whose_picture_is_wrong_is_pointed_at(door: Door) -> None:
    scenes = [{"image": data_uri(png())}, {"image": "nothing"}]

    answer = door.client.post(FILM, json={"scenes": scenes, "width": 64, "height": 64})

    assert refused(door, answer, 422, "image_not_found")["pointer"] == "/scenes/1/image"


def test_the_stored_pictures_are_plain_and_erased_with_the_job(working: Door) -> None:
    """What is stored is what was made safe: no trailing data, no metadata."""
    hidden = png() + b"trailing secret"

    answer = working.client.post(FILM, json=CLIP | {"image": data_uri(hidden)})
    working.services.sweeper.sweep()

    assert answer.status_code == 200
    folder = working.services.settings.output_dir
    assert not any(
        b"trailing secret" in (folder / name).read_bytes() for name in working.list_files()
    )
    assert [name for name in working.list_files() if name.endswith(".png")] == []
    assert working.services.auditor.audit().findings == ()


def test_a_slow_server_keeps_nobody_else_waiting(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fetching has threads of its own: requests that hang leave those of the doors free."""
    gate, waiting = threading.Event(), threading.Semaphore(0)

    def hang(_url: str, **_limits: object) -> Fetched:
        waiting.release()
        assert gate.wait(PATIENCE_SECONDS)
        return Fetched(data=png(), content_type="image/png")

    monkeypatch.setattr(door.internet, "fetch", hang)
    with ThreadPoolExecutor(ERRANDS_OF_ACCOUNT) as threads:
        hanging = [threads.submit(film, door, image=URL) for _ in range(ERRANDS_OF_ACCOUNT)]
        for _ in hanging:
            assert waiting.acquire(timeout=PATIENCE_SECONDS)

        assert door.client.get("/api/v1/quota").status_code == 200
        one_more = film(door, image=URL)
        assert (one_more.status_code, one_more.json()["code"]) == (503, "service_unavailable")

        gate.set()
        statuses = sorted(each.result().status_code for each in hanging)
    assert statuses == [202] * 2 + [429] * (ERRANDS_OF_ACCOUNT - 2)


def test_another_picture_is_another_request(door: Door) -> None:
    headers = ASYNC | {"Idempotency-Key": "order-1"}

    def post(color: str) -> Answer:
        files = {"image": ("photo.png", png(color), "image/png")}
        fields = {name: str(value) for name, value in CLIP.items()}
        answer: Answer = door.client.post(FILM, data=fields, files=files, headers=headers)
        return answer

    first, again, other = post("teal"), post("teal"), post("tomato")

    assert again.json()["task_id"] == first.json()["task_id"]
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
