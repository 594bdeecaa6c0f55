"""Nothing that clients of the last release rely on is broken; and that a break would be seen."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.house.breaking import find_breaks
from tests.house.openapi import read_document
from tests.house.project import PROJECT

RELEASED = PROJECT / "docs" / "api" / "released"
Change = Callable[[Any], object]

SMALL: dict[str, Any] = {
    "paths": {
        "/things": {
            "post": {
                "operationId": "make_thing",
                "parameters": [
                    {"$ref": "#/components/parameters/Pace"},
                    {
                        "name": "limit",
                        "in": "query",
                        "schema": {"type": "integer", "minimum": 1, "maximum": 100},
                    },
                ],
                "requestBody": {
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Wish"}},
                        "multipart/form-data": {"schema": {"$ref": "#/components/schemas/Wish"}},
                    }
                },
                "responses": {
                    "200": {
                        "headers": {"Location": {"schema": {"type": "string"}}},
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}
                        },
                    },
                    "202": {},
                    "404": {},
                },
            },
            "get": {"operationId": "list_things", "responses": {"200": {}}},
        }
    },
    "components": {
        "parameters": {"Pace": {"name": "Pace", "in": "header", "schema": {"type": "string"}}},
        "schemas": {
            "Wish": {
                "type": "object",
                "additionalProperties": False,
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "maxLength": 100},
                    "size": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
                    "form": {"type": "string", "enum": ["round", "square"]},
                    "tags": {"type": "array", "items": {"type": "string"}},
                    "notes": {"type": "object", "additionalProperties": {"type": "string"}},
                },
            },
            "Thing": {
                "type": "object",
                "required": ["id", "state", "parts"],
                "properties": {
                    "id": {"type": "string"},
                    "state": {"type": "string", "enum": ["new", "done"]},
                    "price": {"type": "number"},
                    "made_at": {"type": "string", "format": "date-time"},
                    "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Thing"}},
                },
            },
        },
    },
}


def operation(document: Any) -> Any:  # noqa: ANN401 - a part of a document
    return document["paths"]["/things"]["post"]


def wish(document: Any) -> Any:  # noqa: ANN401 - as above
    return document["components"]["schemas"]["Wish"]


def thing(document: Any) -> Any:  # noqa: ANN401 - as above
    return document["components"]["schemas"]["Thing"]


def limit(document: Any) -> Any:  # noqa: ANN401 - as above
    return operation(document)["parameters"][1]


BREAKS: dict[str, Change] = {
    "an address is gone": lambda d: d["paths"].pop("/things"),
    "an operation is gone": lambda d: d["paths"]["/things"].pop("get"),
    "an operation has another id": lambda d: operation(d).update(operationId="create_thing"),
    "an operation needs a key": lambda d: operation(d).update(security=[{"Key": []}]),
    "a parameter is gone": lambda d: operation(d)["parameters"].pop(0),
    "a parameter is required": lambda d: limit(d).update(required=True),
    "a new parameter is required": lambda d: operation(d)["parameters"].append(
        {"name": "x", "in": "query", "required": True, "schema": {"type": "string"}}
    ),
    "a parameter is narrower": lambda d: limit(d)["schema"].update(maximum=50),
    "a parameter has another type": lambda d: limit(d)["schema"].update(type="string"),
    "the body is required": lambda d: operation(d)["requestBody"].update(required=True),
    "forms are not taken": lambda d: operation(d)["requestBody"]["content"].pop(
        "multipart/form-data"
    ),
    "a field is not taken": lambda d: wish(d)["properties"].pop("size"),
    "a field is required": lambda d: wish(d)["required"].append("size"),
    "a new field is required": lambda d: (
        wish(d)["required"].append("colour"),
        wish(d)["properties"].update(colour={"type": "string"}),
    ),
    "a field may not be null": lambda d: wish(d)["properties"].update(size={"type": "integer"}),
    "a field has another type": lambda d: wish(d)["properties"].update(name={"type": "integer"}),
    "a field is shorter": lambda d: wish(d)["properties"]["name"].update(maxLength=50),
    "a field has a pattern": lambda d: wish(d)["properties"]["name"].update(pattern="^a"),
    "a field has a bound": lambda d: wish(d)["properties"]["tags"].update(maxItems=3),
    "a value is not taken": lambda d: wish(d)["properties"]["form"]["enum"].remove("round"),
    "only some values are taken": lambda d: wish(d)["properties"]["name"].update(enum=["a"]),
    "other things in a list": lambda d: wish(d)["properties"]["tags"].update(
        items={"type": "integer"}
    ),
    "other things in a map": lambda d: wish(d)["properties"]["notes"].update(
        additionalProperties={"type": "integer"}
    ),
    "an answer is gone": lambda d: operation(d)["responses"].pop("202"),
    "an answer has another kind": lambda d: operation(d)["responses"]["200"].update(
        content={"text/plain": {"schema": {"type": "string"}}}
    ),
    "a header is gone": lambda d: operation(d)["responses"]["200"].pop("headers"),
    "an answer lacks a field": lambda d: thing(d)["properties"].pop("price"),
    "an answer lacks a field at times": lambda d: thing(d)["required"].remove("id"),
    "an answer may have null": lambda d: thing(d)["properties"].update(
        id={"type": ["string", "null"]}
    ),
    "an answer has another type": lambda d: thing(d)["properties"].update(id={"type": "integer"}),
    "an answer has wider numbers": lambda d: thing(d)["properties"].update(
        price={"anyOf": [{"type": "number"}, {"type": "string"}]}
    ),
    "an answer has any value": lambda d: thing(d)["properties"]["state"].pop("enum"),
    "an answer has another format": lambda d: thing(d)["properties"]["made_at"].pop("format"),
}

HARMLESS: dict[str, Change] = {
    "nothing": lambda _: None,
    "a new address": lambda d: d["paths"].update({"/new": {}}),
    "a new parameter": lambda d: operation(d)["parameters"].append(
        {"name": "x", "in": "query", "schema": {"type": "string"}}
    ),
    "a wider parameter": lambda d: limit(d)["schema"].update(maximum=500),
    "a new field": lambda d: wish(d)["properties"].update(colour={"type": "string"}),
    "a field that may be left out": lambda d: wish(d)["required"].remove("name"),
    "a longer field": lambda d: wish(d)["properties"]["name"].update(maxLength=500),
    "a wider field": lambda d: wish(d)["properties"]["size"]["anyOf"].append({"type": "number"}),
    "a new value": lambda d: wish(d)["properties"]["form"]["enum"].append("oval"),
    "a new field of an answer": lambda d: thing(d)["properties"].update(colour={"type": "string"}),
    "a new value of an answer": lambda d: thing(d)["properties"]["state"]["enum"].append("lost"),
    "whole numbers in an answer": lambda d: thing(d)["properties"].update(
        price={"type": "integer"}
    ),
    "a new error": lambda d: operation(d)["responses"].update({"409": {}}),
    "an error less": lambda d: operation(d)["responses"].pop("404"),
    "no key any more": lambda d: operation(d).update(security=[]),
}


def changed(change: Change) -> Any:  # noqa: ANN401 - as above
    document = copy.deepcopy(SMALL)
    change(document)
    return document


@pytest.mark.parametrize("change", BREAKS.values(), ids=list(BREAKS))
def test_a_break_is_found(change: Change) -> None:
    assert [*find_breaks(SMALL, changed(change))]


@pytest.mark.parametrize("change", HARMLESS.values(), ids=list(HARMLESS))
def test_what_breaks_nobody_is_allowed(change: Change) -> None:
    assert [*find_breaks(SMALL, changed(change))] == []


def version_of(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.removeprefix("openapi-").split("."))


def test_nothing_is_broken_since_the_last_release() -> None:
    """What is new and wrong may still change; what was released stays until the next version."""
    latest = max(RELEASED.glob("openapi-*.json"), key=lambda path: version_of(path.stem))

    released = json.loads(latest.read_text(encoding="utf-8"))

    assert [*find_breaks(released, read_document())] == []
