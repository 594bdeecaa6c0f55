"""Snippets: code that runs as it is, whatever stands in the prompt."""

import ast
import json
import shlex
from dataclasses import replace

import pytest

from gen_video.console.snippets import list_snippets, options_of
from gen_video.generation.models import JobInput
from tests.console.jobs import BOARD, DRAWING, FILM, HOSTILE, job_of

BASE = "https://pictures.example.com"
INPUTS: dict[str, JobInput] = {
    "drawing": DRAWING,
    "hostile": replace(DRAWING, prompt=HOSTILE, negative_prompt=HOSTILE),
    "several": replace(DRAWING, n=4, output_format="jpeg"),
    "edit": replace(DRAWING, strength=0.6),
    "masked": replace(DRAWING, strength=1.0, reference_bytes=(10, 20), mask_bytes=5),
    "adapter": replace(DRAWING, loras=("mia",)),
    "film": FILM,
    "from a picture": replace(FILM, scenes=(replace(FILM.scenes[0], reference_bytes=9),)),
    "storyboard": BOARD,
    "hostile film": replace(
        FILM, prompt=HOSTILE, scenes=(replace(FILM.scenes[0], prompt=HOSTILE),)
    ),
}


def snippet(given: JobInput, name: str) -> str:
    """Return the code in one language."""
    return {found.id: found.code for found in list_snippets(job_of(given), base_url=BASE)}[name]


def arguments_of(code: str, method: str) -> dict[str, object]:
    """Return the literal arguments of the one call of a method in Python code."""
    (call,) = [
        node
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == method
    ]
    named = {
        keyword.arg or "": ast.literal_eval(keyword.value)
        for keyword in call.keywords
        if isinstance(keyword.value, ast.Constant | ast.Dict)
    }
    return named | {f"#{at}": ast.literal_eval(value) for at, value in enumerate(call.args)}


@pytest.mark.parametrize("given", INPUTS.values(), ids=INPUTS.keys())
def test_every_python_snippet_is_python(given: JobInput) -> None:
    for found in list_snippets(job_of(given), base_url=BASE):
        if found.id != "curl":
            compile(found.code, found.id, "exec")


@pytest.mark.parametrize("given", INPUTS.values(), ids=INPUTS.keys())
def test_no_snippet_carries_a_key(given: JobInput) -> None:
    for found in list_snippets(job_of(given), base_url=BASE):
        assert "GEN_VIDEO_API_KEY" in found.code


@pytest.mark.parametrize("name", ["drawing", "hostile", "several", "film", "storyboard"])
def test_what_curl_sends_is_the_request(name: str) -> None:
    given = INPUTS[name]

    words = shlex.split(snippet(given, "curl").replace("\\\n", " "))

    body = json.loads(words[words.index("-d") + 1])
    prompt = {} if name == "storyboard" else {"prompt": given.prompt}
    assert body == prompt | options_of(given)
    assert words[2].startswith(f"{BASE}/api/v1/")


def test_what_curl_sends_with_a_file_cannot_name_another_file() -> None:
    given = replace(DRAWING, prompt="@/etc/passwd", strength=0.6)

    words = shlex.split(snippet(given, "curl").replace("\\\n", " "))

    assert words[words.index("--form-string") + 1] == "prompt=@/etc/passwd"
    assert words[-2:] == ["-F", "reference_image=@reference.png"]


def test_the_python_snippet_asks_for_the_same() -> None:
    found = arguments_of(snippet(INPUTS["hostile"], "python"), "generate_image")

    assert found == {"#0": HOSTILE} | options_of(INPUTS["hostile"])


def test_an_edit_sends_its_pictures_and_its_mask() -> None:
    code = snippet(INPUTS["masked"], "python")

    found = arguments_of(code, "edit_image")
    assert found["#1"] == ["reference_1.png", "reference_2.png"]
    assert found["mask"] == "mask.png"


def test_the_openai_snippet_asks_for_the_same() -> None:
    found = arguments_of(snippet(INPUTS["hostile"], "openai"), "generate")

    assert found["prompt"] == HOSTILE
    assert found["size"] == "1024x768"
    assert found["extra_body"] == {
        "seed": 7,
        "num_inference_steps": 40,
        "guidance_scale": 4.0,
        "negative_prompt": HOSTILE,
    }


def test_the_openai_snippet_of_a_film_writes_its_length_as_text() -> None:
    found = arguments_of(snippet(FILM, "openai"), "create_and_poll")

    assert (found["seconds"], found["size"]) == ("3", "512x288")


@pytest.mark.parametrize("name", ["storyboard", "adapter"])
def test_what_the_openai_sdk_has_no_words_for_is_not_offered_there(name: str) -> None:
    ids = [found.id for found in list_snippets(job_of(INPUTS[name]), base_url=BASE)]

    assert ids == ["curl", "python"]
