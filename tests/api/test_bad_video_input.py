"""Bad requests for videos get a clear error and touch nothing: no job, no file, no URL."""

import pytest

from tests.api.conftest import ASYNC, CLIP, FILM, Door
from tests.api.corpus import BadRequest
from tests.api.test_bad_input import PROBLEM_FIELDS
from tests.api.video_corpus import CORPUS, SCENES


@pytest.mark.parametrize("bad", CORPUS, ids=lambda bad: bad.name)
def test_a_bad_request_is_refused_clearly_and_touches_nothing(door: Door, bad: BadRequest) -> None:
    rows, files = door.count_rows(), door.list_files()

    answer = door.client.post(FILM, content=bad.content, headers=ASYNC | bad.headers)

    body = answer.json()
    assert (answer.status_code, body["code"]) == (bad.status, bad.code), body
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(body) == PROBLEM_FIELDS
    assert body["detail"]
    assert body["error"]["code"] == body["code"]
    assert len(answer.content) < 40_000
    assert door.count_rows() == rows
    assert door.list_files() == files
    assert door.internet.urls == []


@pytest.mark.parametrize("name", ["image", "duration", "num_frames"])
@pytest.mark.parametrize(("language", "word"), [("en", "belongs into the scenes"), ("zh", "分镜")])
def test_what_belongs_to_a_scene_is_not_given_beside_them(
    door: Door, name: str, language: str, word: str
) -> None:
    given = {"image": "data:image/png;base64,AAAA", "duration": 3, "num_frames": 8}[name]

    answer = door.client.post(
        FILM, json={"scenes": SCENES, name: given}, headers={"Accept-Language": language}
    )

    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["pointer"], error["code"]) == (
        422,
        f"/{name}",
        "not_with_scenes",
    )
    assert word in error["detail"]


def test_every_wrong_field_is_named_at_once(door: Door) -> None:
    scenes = [{"prompt": "dawn"}, {}, {"prompt": "night", "num_frames": 0}]

    answer = door.client.post(FILM, json={"scenes": scenes, "width": 65, "fps": 0, "seed": -1})

    assert {error["pointer"] for error in answer.json()["errors"]} == {
        "/scenes/1/prompt",
        "/scenes/2/num_frames",
        "/width",
        "/fps",
        "/seed",
    }


@pytest.mark.parametrize(
    ("scene", "pointer"),
    [
        ({"prompt": 3}, "/scenes/1/prompt"),
        ({"num_frames": "8"}, "/scenes/1/num_frames"),
        ({"colour": "red"}, "/scenes/1/colour"),
        ([], "/scenes/1"),
    ],
)
def test_a_scene_of_the_wrong_form_is_pointed_at(door: Door, scene: object, pointer: str) -> None:
    answer = door.client.post(FILM, json={"scenes": [{"prompt": "dawn"}, scene]})

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_a_refused_video_leaves_its_key_free(door: Door) -> None:
    headers = ASYNC | {"Idempotency-Key": "order-1"}
    assert door.client.post(FILM, json=CLIP | {"fps": 0}, headers=headers).status_code == 422

    assert door.client.post(FILM, json=CLIP, headers=headers).status_code == 202
