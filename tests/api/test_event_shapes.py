"""What a stream sends is what the document says of it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from gen_video.api.document import build_document
from tests.api.conftest import ASYNC, GENERATE, SMALL, Door


def read_events(text: str) -> Iterator[dict[str, str]]:
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if not line.startswith(":")]
        if lines:
            yield dict(line.split(": ", 1) for line in lines)


@pytest.mark.parametrize("extra", [{}, {"previews": 2, "num_inference_steps": 10}])
def test_events_have_the_documented_shapes(working: Door, extra: dict[str, Any]) -> None:
    document = build_document(working.app)
    operation = document["paths"]["/api/v1/jobs/{job_id}/events"]["get"]
    stream = operation["responses"]["200"]["content"]["text/event-stream"]["schema"]
    made = working.client.post(
        GENERATE, json=SMALL | {"prompt": "a lake sleep=0.5"} | extra, headers=ASYNC
    ).json()

    events = [*read_events(working.client.get(f"{made['job_url']}/events").text)]

    assert {event["event"] for event in events} == {"progress", "succeeded"}
    for event in events:
        assert Draft202012Validator(stream | {"components": document["components"]}).is_valid(event)
        (shape,) = (
            choice["properties"]["data"]["contentSchema"]
            for choice in stream["anyOf"]
            if event["event"] in choice["properties"]["event"]["enum"]
        )
        schema = shape | {"components": document["components"]}
        data = json.loads(event["data"])
        assert [str(error) for error in Draft202012Validator(schema).iter_errors(data)] == []
    has_previews = any("preview" in json.loads(event["data"]) for event in events)
    assert has_previews == bool(extra)
