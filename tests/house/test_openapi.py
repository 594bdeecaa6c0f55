"""The OpenAPI document: approved, complete, in both languages."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.house.openapi import SNAPSHOT, describe

CHINESE = re.compile(r"[\u4e00-\u9fff]")
DOCUMENT: dict[str, Any] = json.loads(describe())


def _operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


OPERATIONS = dict(_operations())


def test_the_api_is_as_approved() -> None:
    """A change on the wire is meant, or it is a bug: `make openapi` approves it."""
    assert describe() == SNAPSHOT.read_text(encoding="utf-8")


def test_every_reference_leads_somewhere() -> None:
    references = set(re.findall(r'"\$ref": "#/components/schemas/(\w+)"', describe()))

    assert references
    assert references <= set(DOCUMENT["components"]["schemas"])
    assert '"#/$defs' not in describe()


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_an_operation_is_described_in_both_languages(name: str) -> None:
    operation = OPERATIONS[name]

    for text in (operation["summary"], operation["description"]):
        assert CHINESE.search(text), text
        assert re.search(r"[A-Za-z]{3}", text), text


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for operation in OPERATIONS.values()]

    assert sorted(ids) == sorted(set(ids))


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
