"""Bad requests in OpenAI's words: clear, in the client's own words, and nothing is kept."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.api.conftest import Answer, Door, run_door
from tests.api.test_first_frames import png

GENERATIONS, EDITS = "/v1/images/generations", "/v1/images/edits"
VARIATIONS, VIDEOS = "/v1/images/variations", "/v1/videos"
PNG = ("a.png", png(), "image/png")
TEXT = ("a.txt", b"no picture", "text/plain")
Check = Callable[[Answer, int, str | None], dict[str, Any]]
OWN: dict[str, Any] = {"model": "test-double", "prompt": "a lake"}

JSON_CASES: list[tuple[str, dict[str, Any], str, str]] = [
    (GENERATIONS, {}, "prompt", "missing"),
    (GENERATIONS, {"prompt": ""}, "prompt", "prompt_empty"),
    (GENERATIONS, {"prompt": 5}, "prompt", "string_type"),
    (GENERATIONS, {"prompt": "x", "n": 0}, "n", "out_of_range"),
    (GENERATIONS, {"prompt": "x", "n": 11}, "n", "out_of_range"),
    (GENERATIONS, {"prompt": "x", "n": "two"}, "n", "int_type"),
    (GENERATIONS, {"prompt": "x", "size": "wide"}, "size", "invalid_size"),
    (GENERATIONS, {"prompt": "x", "quality": "best"}, "quality", "literal_error"),
    (GENERATIONS, {"prompt": "x", "response_format": "png"}, "response_format", "literal_error"),
    (GENERATIONS, {"prompt": "x", "output_format": "svg"}, "output_format", "literal_error"),
    (GENERATIONS, {"prompt": "x", "output_format": "gif"}, "output_format", "literal_error"),
    (
        GENERATIONS,
        {"prompt": "x", "output_format": "jpeg", "output_compression": 101},
        "output_compression",
        "out_of_range",
    ),
    (
        GENERATIONS,
        {"prompt": "x", "background": "transparent"},
        "background",
        "not_supported_by_model",
    ),
    (GENERATIONS, {"prompt": "x", "partial_images": 4}, "partial_images", "less_than_equal"),
    (GENERATIONS, {"prompt": "x", "stream": "yes"}, "stream", "bool_type"),
    (GENERATIONS, {"prompt": "x", "seed": -1}, "seed", "out_of_range"),
    (GENERATIONS, {"prompt": "x", "num_inference_steps": 0}, "num_inference_steps", "out_of_range"),
    (GENERATIONS, {"prompt": "x", "colour": "red"}, "colour", "unknown_field"),
    (GENERATIONS, {"prompt": "x", "image": "x"}, "image", "unknown_field"),
    (GENERATIONS, {"prompt": "x", "webhook": "nowhere"}, "webhook", ""),
    (GENERATIONS, {"prompt": "x", "metadata": {"a": 1}}, "metadata/a", "string_type"),
    (GENERATIONS, OWN | {"size": "100x100"}, "size", "not_a_multiple"),
    (GENERATIONS, OWN | {"size": "9000x64"}, "size", "out_of_range"),
    (GENERATIONS, {"prompt": "x", "model": "mini-video"}, "model", "not_supported_by_model"),
    (VIDEOS, {}, "prompt", "missing"),
    (VIDEOS, {"prompt": " "}, "prompt", "prompt_empty"),
    (VIDEOS, {"prompt": "x", "seconds": "long"}, "seconds", "invalid_seconds"),
    (VIDEOS, {"prompt": "x", "seconds": "nan"}, "seconds", "invalid_seconds"),
    (VIDEOS, {"prompt": "x", "seconds": "-4"}, "seconds", "out_of_range"),
    (VIDEOS, OWN | {"seconds": "100000"}, "seconds", "out_of_range"),
    (VIDEOS, OWN | {"size": "101x100"}, "size", "not_a_multiple"),
    (VIDEOS, {"prompt": "x", "model": "mini"}, "model", "not_supported_by_model"),
    (VIDEOS, {"prompt": "x", "input_reference": {}}, "input_reference", "one_of_two"),
    (VIDEOS, {"prompt": "x", "input_reference": "nothing"}, "input_reference", "image_not_found"),
    (
        VIDEOS,
        {"prompt": "x", "input_reference": {"file_id": "job_AAAAAAAAAAAAAAAAAAAAAA"}},
        "input_reference",
        "image_not_found",
    ),
    (VIDEOS, {"prompt": "x", "fps": 500}, "fps", "out_of_range"),
    (VIDEOS, {"prompt": "x", "scenes": []}, "scenes", "unknown_field"),
]
FORM_CASES: list[tuple[str, dict[str, str], list[tuple[str, Any]], int, str | None]] = [
    (EDITS, {"prompt": "x"}, [("mask", PNG)], 422, "image"),
    (EDITS, {}, [("image", PNG)], 422, "prompt"),
    (EDITS, {"prompt": "x", "n": "many"}, [("image", PNG)], 422, "n"),
    (EDITS, {"prompt": "x", "strength": "2"}, [("image", PNG)], 422, "strength"),
    (EDITS, {"prompt": "x"}, [("image", TEXT)], 415, None),
    (EDITS, {"prompt": "x"}, [("image", PNG), ("mask", PNG), ("mask", PNG)], 422, "mask"),
    (EDITS, {"prompt": "x"}, [("image", PNG), ("markup", PNG)], 422, "markup"),
    (EDITS, {"prompt": "x"}, [("image[]", PNG)] * 17, 422, "image"),
    (EDITS, {"prompt": "x", "mask": "text"}, [("image", PNG)], 422, "mask"),
    (VARIATIONS, {"n": "1"}, [], 415, None),
    (VARIATIONS, {"quality": "low"}, [("image", PNG)], 422, "quality"),
    (VARIATIONS, {}, [("image", PNG), ("image", PNG)], 422, "image"),
    (VIDEOS, {"prompt": "x"}, [("input_reference", TEXT)], 415, None),
    (VIDEOS, {"prompt": "x"}, [("input_reference", PNG)] * 2, 422, "input_reference"),
    (
        VIDEOS,
        {"prompt": "x", "input_reference": "job_x"},
        [("input_reference", PNG)],
        422,
        "input_reference",
    ),
    (VIDEOS, {"prompt": "x", "seconds": "4x"}, [("input_reference", PNG)], 422, "seconds"),
]


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """Return one application for all of them: none of these requests changes it."""
    with run_door(tmp_path_factory.mktemp("door"), rate_limits=False) as opened:
        yield opened


def kept(door: Door) -> dict[str, int]:
    """Return how many rows there are; that a call was refused may be noted."""
    return {table: count for table, count in door.count_rows().items() if table != "api_calls"}


@pytest.fixture
def refused(door: Door) -> Check:
    """Return what checks a refusal, and that the service is as it was."""
    rows, files = kept(door), door.list_files()

    def check(answer: Answer, status: int, param: str | None) -> dict[str, Any]:
        body: dict[str, Any] = answer.json()
        assert (answer.status_code, body["error"]["param"]) == (status, param), body
        assert body["error"]["message"] == body["detail"]
        assert kept(door) == rows
        assert door.list_files() == files
        return body

    return check


@pytest.mark.parametrize("case", JSON_CASES, ids=lambda case: f"{case[0]} {case[2]} {case[3]}")
def test_a_bad_body_is_refused(
    door: Door, refused: Check, case: tuple[str, dict[str, Any], str, str]
) -> None:
    path, body, param, code = case

    answer = door.other.post(path, json=body)

    problem = refused(answer, 422, param)["errors"][0]
    assert problem["code"] == code or not code


@pytest.mark.parametrize("case", FORM_CASES, ids=lambda case: f"{case[0]} {case[4]} {case[3]}")
def test_a_bad_form_is_refused(
    door: Door,
    refused: Check,
    case: tuple[str, dict[str, str], list[tuple[str, Any]], int, str | None],
) -> None:
    path, fields, files, status, param = case

    answer = door.other.post(path, data=fields, files=files)

    refused(answer, status, param)


@pytest.mark.parametrize("path", [GENERATIONS, EDITS, VARIATIONS, VIDEOS])
def test_another_content_type_is_refused(door: Door, refused: Check, path: str) -> None:
    answer = door.client.post(path, content=b"<x/>", headers={"Content-Type": "text/xml"})

    refused(answer, 415, None)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", GENERATIONS),
        ("POST", EDITS),
        ("POST", VARIATIONS),
        ("POST", VIDEOS),
        ("GET", VIDEOS),
        ("GET", f"{VIDEOS}/job_x"),
        ("DELETE", f"{VIDEOS}/job_x"),
        ("GET", f"{VIDEOS}/job_x/content"),
        ("POST", f"{VIDEOS}/job_x/remix"),
        ("GET", "/v1/models"),
        ("GET", "/v1/models/mini"),
    ],
)
def test_every_call_needs_a_key(door: Door, refused: Check, method: str, path: str) -> None:
    answer = door.client.request(method, path, headers={"X-API-Key": "wrong"}, json={"prompt": "x"})

    assert refused(answer, 401, None)["error"]["type"] == "authentication_error"


def test_the_words_are_in_the_readers_language(door: Door) -> None:
    answer = door.client.post(
        GENERATIONS, json={"prompt": "x", "size": "wide"}, headers={"Accept-Language": "zh"}
    )

    assert "宽x高" in answer.json()["error"]["message"]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "order=up", "after=job_x"])
def test_a_bad_page_is_refused(door: Door, query: str) -> None:
    answer = door.client.get(f"{VIDEOS}?{query}")

    assert answer.status_code == (404 if query.startswith("after") else 422)
