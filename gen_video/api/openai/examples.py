"""Examples and events of the OpenAI face, for the OpenAPI document."""

from typing import Any

from pydantic import BaseModel

from gen_video.api.openai.shapes import (
    CompletedImageView,
    DatumView,
    ImagesView,
    MadeVideoView,
    MadeView,
    OfferedView,
    OpenAiModelListView,
    OpenAiModelView,
    PartialImageView,
    StreamErrorView,
    VideoDeletedView,
    VideoListView,
    VideoView,
)
from gen_video.api.v1.event_shapes import SCHEMAS, event_schema
from gen_video.api.v1.events import EVENT_STREAM
from gen_video.api.v1.shapes import CostView
from gen_video.engines.catalogue import TaskKind

JOB_ID = "job_4bDk2Qv9sTnW1xYz8aLm3P"
JOB_URL = f"/api/v1/jobs/{JOB_ID}"
CREATED = 1_796_113_800
COST = CostView(units=1, credits=0, state="captured")
MADE = MadeView(
    job_id=JOB_ID,
    job_url=JOB_URL,
    model="mini",
    cost=COST,
    seed=7,
    num_inference_steps=40,
    guidance_scale=4.0,
)
EVENT_EXAMPLE = """\
event: image_generation.partial_image
data: {"type":"image_generation.partial_image","b64_json":"/9j/4AAQ…","partial_image_index":0}

: still here

event: image_generation.completed
data: {"type":"image_generation.completed","b64_json":"iVBORw0KGgo…","size":"1024x1024"}

"""
DESCRIPTION = (
    "Pictures; with `stream` server-sent events, in this example shortened / "
    "图像；`stream` 为 true 时为服务器推送事件（示例数据有省略）"
)


def openai_examples() -> dict[str, dict[str, Any]]:
    """Return an example of the main answers, by operation id and status."""
    views: dict[str, BaseModel] = {
        **dict.fromkeys(
            ("openai_generate_images", "openai_edit_images", "openai_vary_image"), _pictures()
        ),
        **dict.fromkeys(
            ("openai_create_video", "openai_get_video", "openai_remix_video"), _video()
        ),
        "openai_list_videos": VideoListView(
            data=[_video()], first_id=JOB_ID, last_id=JOB_ID, has_more=False
        ),
        "openai_delete_video": VideoDeletedView(id=JOB_ID),
        "openai_list_models": OpenAiModelListView(data=[_model()]),
        "openai_get_model": _model(),
    }
    return {name: {"200": view.model_dump(mode="json")} for name, view in views.items()}


def pictures_or_events(family: str) -> dict[str, Any]:
    """Return the answer of a request for pictures, which may be a stream.

    Args:
        family: What its events are called.
    """
    schema = {
        "anyOf": [
            event_schema("PartialImageView", f"{family}.partial_image"),
            event_schema("CompletedImageView", f"{family}.completed"),
            event_schema("StreamErrorView", "error"),
        ]
    }
    stream = {"schema": schema, "examples": {"stream": {"value": EVENT_EXAMPLE}}}
    return {"description": DESCRIPTION, "content": {EVENT_STREAM: stream}}


def openai_event_schemas() -> dict[str, Any]:
    """Return the schemas that the events refer to, by name."""
    schemas: dict[str, Any] = {}
    for view in (PartialImageView, CompletedImageView, StreamErrorView):
        schema = view.model_json_schema(mode="serialization", ref_template=f"{SCHEMAS}{{model}}")
        schemas |= schema.pop("$defs", {})
        schemas[view.__name__] = schema
    return schemas


def _pictures() -> ImagesView:
    return ImagesView(
        created=CREATED,
        data=[
            DatumView(
                b64_json="iVBORw0KGgo…",
                url=f"http://localhost:8000/api/v1/files/images/{JOB_ID}.png",
            )
        ],
        output_format="png",
        quality="medium",
        size="1024x1024",
        model="mini",
        gen_video=MADE,
    )


def _video() -> VideoView:
    return VideoView(
        id=JOB_ID,
        model="mini-video",
        status="completed",
        progress=100,
        created_at=CREATED,
        completed_at=CREATED + 90,
        expires_at=CREATED + 30 * 86_400,
        prompt="海上日出，帆船缓缓驶过",
        seconds="4",
        size="1024x576",
        remixed_from_video_id=None,
        error=None,
        gen_video=MadeVideoView(
            **(MADE.model_dump() | {"model": "mini-video"}),
            fps=12,
            num_frames=48,
            duration_seconds=4.0,
        ),
    )


def _model() -> OpenAiModelView:
    return OpenAiModelView(
        id="mini",
        created=0,
        owned_by="gen_video",
        gen_video=OfferedView(
            title="Mini landscapes (embedded)",
            kinds=[TaskKind.IMAGE_TO_IMAGE, TaskKind.TEXT_TO_IMAGE],
            is_default=True,
            model="mini",
        ),
    )
