"""The events of streams, for the OpenAPI document.

Before OpenAPI 3.2 the schema of a stream describes one event; its data is JSON in a text.
"""

from typing import Any

from pydantic import Field

from gen_video.api.previews import PreviewView
from gen_video.api.v1.shapes import ProgressView
from gen_video.generation.states import TERMINAL, JobState

SCHEMAS = "#/components/schemas/"
EXAMPLE = """\
id: 10000000
event: progress
data: {"task_id":"job_4bDk2Qv9sTnW1xYz8aLm3P","status":"running","step":10,"steps":40}

: still here

id: 19000000
event: succeeded
data: {"id":"job_4bDk2Qv9sTnW1xYz8aLm3P","object":"job","status":"succeeded"}

"""
DESCRIPTION = (
    "Server-sent events: `progress`, then one named by the end state with the whole job; `id` "
    "grows. The data of this example are shortened / "
    "服务器推送事件：`progress`，最后是以最终状态命名、含完整任务的事件；示例数据有省略"
)


class ProgressEventView(ProgressView):
    """The data of a `progress` event / 进度事件的数据."""

    task_id: str
    status: JobState
    preview: PreviewView | None = Field(
        None, description="Only if previews were asked for / 仅在请求了预览图时"
    )


def event_stream() -> dict[str, Any]:
    """Return the answer of a job's stream."""
    schema = {
        "anyOf": [
            event_schema("ProgressEventView", "progress"),
            event_schema("JobView", *sorted(state.value for state in TERMINAL)),
        ]
    }
    content = {"text/event-stream": {"schema": schema, "examples": {"stream": {"value": EXAMPLE}}}}
    return {"description": DESCRIPTION, "content": content}


def event_schema(data: str, *names: str) -> dict[str, Any]:
    """Return the schema of an event.

    Args:
        data: The name of the schema that its data follow.
        names: What it may be named.
    """
    return {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "event": {"type": "string", "enum": list(names)},
            "data": {
                "type": "string",
                "contentMediaType": "application/json",
                "contentSchema": {"$ref": f"{SCHEMAS}{data}"},
            },
        },
        "required": ["event", "data"],
    }


def event_schemas() -> dict[str, Any]:
    """Return the schemas that the events refer to and no other answer does, by name."""
    schema = ProgressEventView.model_json_schema(
        mode="serialization", ref_template=f"{SCHEMAS}{{model}}"
    )
    schema["required"].remove("preview")
    inner: dict[str, Any] = schema.pop("$defs")
    return inner | {"ProgressEventView": schema}
