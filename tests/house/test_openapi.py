"""The OpenAPI document: approved, valid, complete, in both languages, worth generating from."""

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from gen_video.api.deprecations import DEPRECATIONS
from gen_video.api.document_headers import READ_BY
from tests.house.openapi import SNAPSHOT, describe, follow, list_operations, read_document

CHINESE = re.compile(r"[\u4e00-\u9fff]")
LATIN = re.compile(r"[A-Za-z]{3}")
DOCUMENT = read_document()
OPERATIONS = dict(list_operations(DOCUMENT))
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
OPEN = {"get_health", "get_liveness", "get_readiness"}
"""Operations without a key."""
OPTIONAL = {"get_file"}
"""Whether they want one is the operator's choice."""
EITHER_KEY: list[dict[str, list[str]]] = [{"ApiKey": []}, {"Bearer": []}]
JSON, PROBLEM, STREAM = "application/json", "application/problem+json", "text/event-stream"

resolve = partial(follow, DOCUMENT)
each_operation = pytest.mark.parametrize("name", sorted(OPERATIONS))
each_schema = pytest.mark.parametrize("name", sorted(SCHEMAS))


def list_answers(name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for status, answer in OPERATIONS[name]["responses"].items():
        yield int(status), resolve(answer)


def list_examples(content: dict[str, Any]) -> list[Any]:
    """Return the examples of a body, or else the ones of its schema."""
    named = [resolve(example)["value"] for example in content.get("examples", {}).values()]
    single = [content["example"]] if "example" in content else []
    return named + single or resolve(content["schema"]).get("examples", [])


def check(value: object, schema: dict[str, Any]) -> list[str]:
    """Return what a schema finds wrong with a value."""
    whole = schema | {"components": DOCUMENT["components"]}
    return [error.message for error in Draft202012Validator(whole).iter_errors(value)]


def test_the_api_is_as_approved() -> None:
    """A change on the wire is meant, or it is a bug: `make openapi` approves it."""
    assert describe() == SNAPSHOT.read_text(encoding="utf-8")


def test_the_document_is_valid() -> None:
    errors = [error.message for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()]

    assert errors == []


def test_the_document_says_whose_it_is_and_where() -> None:
    info = DOCUMENT["info"]

    assert DOCUMENT["openapi"].startswith("3.1")
    assert info["license"]["identifier"] == "Apache-2.0"
    assert info["contact"]["name"]
    assert DOCUMENT["servers"]
    for text in (info["summary"], info["description"]):
        assert CHINESE.search(text)
        assert LATIN.search(text)


def test_every_tag_is_described_in_both_languages_and_used() -> None:
    described = {tag["name"]: tag["description"] for tag in DOCUMENT["tags"]}
    used = {tag for operation in OPERATIONS.values() for tag in operation["tags"]}

    assert used == set(described)
    for text in described.values():
        assert CHINESE.search(text)
        assert LATIN.search(text)


def test_operation_ids_are_unique_names() -> None:
    ids = [operation["operationId"] for operation in OPERATIONS.values()]

    assert sorted(ids) == sorted(set(ids))
    assert [name for name in ids if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)+", name)] == []


def test_the_headers_that_operations_read_belong_to_some() -> None:
    ids = {operation["operationId"] for operation in OPERATIONS.values()}

    assert set(READ_BY) <= ids


@each_operation
def test_an_operation_is_described_in_both_languages(name: str) -> None:
    operation = OPERATIONS[name]

    for text in (operation["summary"], operation["description"]):
        assert CHINESE.search(text), text
        assert LATIN.search(text), text


@each_operation
def test_an_operation_says_whether_it_wants_a_key(name: str) -> None:
    operation = OPERATIONS[name]
    statuses = {int(status) for status in operation["responses"]}

    if operation["operationId"] in OPEN:
        assert "security" not in operation
        assert 401 not in statuses
    elif operation["operationId"] in OPTIONAL:
        assert operation["security"] == [{}, *EITHER_KEY]
    else:
        assert operation["security"] == EITHER_KEY
        assert {401, 429, 500, 503} <= statuses


@each_operation
def test_a_body_has_an_example_in_each_language_that_is_valid(name: str) -> None:
    body = resolve(OPERATIONS[name].get("requestBody", {}))
    if JSON not in body.get("content", {}):
        return
    content = body["content"][JSON]

    examples = list_examples(content)

    assert any(CHINESE.search(str(example)) for example in examples)
    assert any(not CHINESE.search(str(example)) for example in examples)
    for example in examples:
        assert check(example, content["schema"]) == []


@each_operation
def test_a_form_says_what_its_files_may_be(name: str) -> None:
    body = resolve(OPERATIONS[name].get("requestBody", {}))
    form = body.get("content", {}).get("multipart/form-data")
    if form is None:
        return
    properties = resolve(form["schema"])["properties"]

    files = {key for key, entry in properties.items() if "'binary'" in str(entry)}

    assert files <= set(form.get("encoding", {}))


@each_operation
def test_a_good_answer_has_a_shape_and_a_valid_example(name: str) -> None:
    good = [answer for status, answer in list_answers(name) if 200 <= status < 300]

    assert good
    for answer in good:
        for kind, content in answer.get("content", {}).items():
            schema = content["schema"]
            if kind == STREAM:
                events = [resolve(event) for event in schema.get("anyOf", [schema])]
                assert all("contentSchema" in event["properties"]["data"] for event in events)
                continue
            if kind != JSON:
                assert resolve(schema)["type"] == "string"
                continue
            assert list_examples(content), "no example"
            for example in list_examples(content):
                assert check(example, schema) == []


@each_operation
def test_an_error_is_described_with_an_example_in_each_language(name: str) -> None:
    for status, answer in list_answers(name):
        assert CHINESE.search(answer["description"]), (status, answer["description"])
        if status < 400 or PROBLEM not in answer.get("content", {}):
            assert status < 400 or answer["content"], status
            continue
        content = answer["content"][PROBLEM]
        assert content["schema"] == {"$ref": "#/components/schemas/ProblemView"}
        examples = list_examples(content)
        assert {bool(CHINESE.search(example["detail"])) for example in examples} == {True, False}
        for example in examples:
            assert check(example, content["schema"]) == []
            assert example["status"] == status


@each_operation
def test_an_answer_names_its_headers(name: str) -> None:
    for status, answer in list_answers(name):
        headers = set(answer["headers"])
        assert "X-Request-Id" in headers, status
        assert (
            status not in {429, 503}
            or PROBLEM not in answer["content"]
            or ("Retry-After" in headers)
        )
        assert status >= 400 or not OPERATIONS[name].get("deprecated") or "Deprecation" in headers


@each_operation
def test_every_parameter_is_typed(name: str) -> None:
    for parameter in map(resolve, OPERATIONS[name].get("parameters", [])):
        assert list(find_untyped(parameter["schema"], parameter["name"])) == []


def test_what_is_deprecated_is_marked() -> None:
    marked = {
        name.partition(" ")[2] for name, entry in OPERATIONS.items() if entry.get("deprecated")
    }

    assert marked == set(DEPRECATIONS)


@each_schema
def test_every_field_is_typed(name: str) -> None:
    assert list(find_untyped(SCHEMAS[name], name)) == []


def find_untyped(schema: dict[str, Any], where: str) -> Iterator[str]:
    """Yield the places where a schema says nothing of what is there."""
    if "nullable" in schema or schema.get("default", ...) is None:
        yield f"{where}: null by the rules of 3.0, or by default"
    if schema.get("deprecated") or "$ref" in schema or "const" in schema:
        return
    choices = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())]
    if not choices and "type" not in schema:
        yield f"{where}: no type"
    for choice in choices:
        yield from find_untyped(choice, where)
    for name, entry in schema.get("properties", {}).items():
        yield from find_untyped(entry, f"{where}/{name}")
    if schema.get("type") == "array":
        yield from find_untyped(schema.get("items", {}), f"{where}[]")
    if schema.get("type") == "object" and not schema.get("properties"):
        others = schema.get("additionalProperties", {})
        yield from find_untyped(others, f"{where}/*") if isinstance(others, dict) else ()


@pytest.mark.parametrize(
    ("schema", "places"),
    [
        ({"type": "string"}, []),
        ({}, ["x: no type"]),
        ({"type": "array"}, ["x[]: no type"]),
        ({"type": "object"}, ["x/*: no type"]),
        ({"anyOf": [{"type": "string"}, {}]}, ["x: no type"]),
        ({"type": "object", "properties": {"a": {}}}, ["x/a: no type"]),
        ({"type": "string", "nullable": True}, ["x: null by the rules of 3.0, or by default"]),
        ({"type": "string", "default": None}, ["x: null by the rules of 3.0, or by default"]),
    ],
)
def test_untyped_places_are_found(schema: dict[str, Any], places: list[str]) -> None:
    assert list(find_untyped(schema, "x")) == places


@pytest.mark.parametrize(
    "name",
    [
        "GET /api/v1/health",
        "GET /api/v1/quota",
        "POST /api/v1/images/generate",
        "POST /api/v1/videos/generate",
        "GET /api/v1/files/{folder}/{name}",
        "GET /api/v1/models",
        "GET /api/v1/tasks/{task_id}",
        "GET /api/v1/loras",
    ],
)
def test_the_promised_addresses_are_there(name: str) -> None:
    assert name in OPERATIONS
