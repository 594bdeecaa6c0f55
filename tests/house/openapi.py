"""The approved OpenAPI document. `python -m tests.house.openapi` approves today's."""

import json
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from gen_video.api.app import create_app
from gen_video.api.document import build_document
from gen_video.settings import Settings
from gen_video.wiring import build_services
from tests.house.project import PROJECT

SNAPSHOT = PROJECT / "docs" / "api" / "openapi.json"


@cache
def describe() -> str:
    """Return the document of the code as it is, as the snapshot keeps it."""
    with tempfile.TemporaryDirectory() as folder:
        services = build_services(Settings(_env_file=None, data_dir=Path(folder)))
        try:
            document = build_document(create_app(services))
        finally:
            services.close()
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def read_document() -> dict[str, Any]:
    """Return the document of the code as it is."""
    document: dict[str, Any] = json.loads(describe())
    return document


def list_operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the operations, each with its method and path."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def follow(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """Return a part of the document, or what it refers to."""
    while "$ref" in part:
        found: dict[str, Any] = document
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name.replace("~1", "/").replace("~0", "~")]
        part = found
    return part


def main() -> None:
    """Approve the document of the code as it is."""
    SNAPSHOT.parent.mkdir(parents=True, exist_ok=True)
    SNAPSHOT.write_text(describe(), encoding="utf-8")


if __name__ == "__main__":
    main()
