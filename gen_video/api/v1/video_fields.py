"""What a request for a video may carry: the fields, their types, and examples.

Ranges depend on the model and the plan, so the generation slice checks them.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gen_video.api.v1.fields import (
    Guidance,
    Hurry,
    Ignored,
    ModelId,
    NegativePrompt,
    Notes,
    Number,
    Previews,
    Steps,
    Webhook,
    Whole,
    form_properties,
    says,
    without_bounds,
)
from gen_video.api.v1.first_frames import FirstFrame
from gen_video.generation.shares import Priority
from gen_video.generation.video_requests import (
    SceneRequest,
    Transition,
    VideoFileFormat,
    VideoRequest,
)

MAX_IMAGE_CHARACTERS = 25 * 2**20
"""A data URI that fits into the largest body; URLs and ids are far shorter."""
MOST_SCENES = 100
"""More cannot be meant; how many are allowed is said by the generation slice."""

Image = Annotated[
    str,
    Field(
        max_length=MAX_IMAGE_CHARACTERS,
        description=says(
            "First frame: the address or id of a picture made here, a data URI, or an http(s) URL",
            "首帧图像：本服务生成的图像地址或任务 id、data URI，或 http(s) 链接",
        ),
    ),
]
Duration = Annotated[
    Number, Field(description=says("Seconds, instead of num_frames", "时长（秒），代替 num_frames"))
]
FrameCount = Annotated[
    Whole, Field(description=says("Frames, instead of duration", "帧数，代替 duration"))
]


class SceneFields(BaseModel):
    """One scene of a storyboard: a prompt, a first frame, or both / 一个分镜."""

    model_config = ConfigDict(extra="forbid")

    prompt: str | None = Field(None, description=says("What to show", "要展现的内容"))
    duration: Duration | None = None
    num_frames: FrameCount | None = None
    image: Image | None = None


class VideoFields(BaseModel):
    """Fields of `POST /videos/generate`, as JSON or as a form."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"prompt": "海上日出，帆船缓缓驶过", "duration": 3},
                {
                    "scenes": [
                        {"prompt": "snow mountains at dawn", "duration": 2},
                        {"prompt": "the same mountains at night, stars", "duration": 2},
                    ],
                    "transition": "crossfade",
                },
            ]
        },
    )

    prompt: str | None = Field(
        None,
        description=says(
            "What to show; in a storyboard for scenes without their own",
            "要展现的内容；分镜模式下用于没有自己 prompt 的分镜",
        ),
    )
    negative_prompt: NegativePrompt = None
    width: Whole | None = Field(
        None, description=says("Pixels; the model's default", "像素；默认取模型的值")
    )
    height: Whole | None = Field(None, description=says("Pixels, as above", "像素，同上"))
    num_frames: FrameCount | None = None
    duration: Duration | None = None
    fps: Whole | None = Field(
        None, description=says("Frames per second; the model's default", "帧率；默认取模型的值")
    )
    num_inference_steps: Steps = None
    guidance_scale: Guidance = None
    seed: Whole | None = Field(
        None,
        description=says(
            "0 to 4294967295; scene i uses seed + i", "0 至 4294967295；第 i 个分镜使用 seed + i"
        ),
    )
    model: ModelId = None
    image: Image | None = None
    scenes: list[SceneFields] | None = Field(
        None,
        max_length=MOST_SCENES,
        description=says(
            "A storyboard of 1 to 10 scenes, joined into one clip",
            "分镜列表，1 至 10 个，合成为一段视频",
        ),
    )
    transition: Literal["cut", "crossfade"] | None = Field(
        None,
        description=says(
            "Between scenes; cut if left out. A cross-fade lets neighbours share half a second",
            "分镜之间的转场，默认 cut；crossfade 使相邻分镜重叠半秒",
        ),
    )
    output_format: Literal["mp4", "webm", "gif", "webp"] | None = Field(
        None, description=says("mp4 if left out", "默认 mp4")
    )
    metadata: Notes = None
    priority: Hurry = None
    previews: Previews = None
    webhook: Webhook = None
    use_model_manager: Ignored = None
    task: Ignored = None

    def list_first_frames(self, file: bytes | None) -> list[FirstFrame | None]:
        """Return what is named as the first frame of every scene, None where nothing is.

        Args:
            file: Of the form, in place of `image`.
        """
        if self.scenes is not None:
            return [
                None
                if scene.image is None
                else FirstFrame(
                    pointer=f"/scenes/{index}/image", text=scene.image, is_of_scene=True
                )
                for index, scene in enumerate(self.scenes)
            ]
        if file is None and self.image is None:
            return [None]
        return [FirstFrame(pointer="/image", text=self.image or "", file=file)]

    def to_request(self, sources: Sequence[str | None]) -> VideoRequest:
        """Return the request in the words of the generation slice.

        Args:
            sources: A hash of what is named as the first frame of every scene, in order.
        """
        own = SceneFields(prompt=self.prompt, duration=self.duration, num_frames=self.num_frames)
        scenes = [own] if self.scenes is None else self.scenes
        return VideoRequest(
            scenes=tuple(
                SceneRequest(
                    prompt=scene.prompt,
                    duration=scene.duration,
                    num_frames=scene.num_frames,
                    image_source=source,
                )
                for scene, source in zip(scenes, sources, strict=True)
            ),
            is_storyboard=self.scenes is not None,
            prompt=self.prompt,
            negative_prompt=self.negative_prompt,
            width=self.width,
            height=self.height,
            fps=self.fps,
            num_inference_steps=self.num_inference_steps,
            guidance_scale=self.guidance_scale,
            seed=self.seed,
            model=self.model,
            output_format=self.output_format or VideoFileFormat.MP4.value,
            transition=self.transition or Transition.CUT.value,
            metadata=self.metadata or {},
            priority=self.priority or Priority.INTERACTIVE.value,
            previews=0 if self.previews is None else self.previews,
            webhook_url=self.webhook,
        )


def video_body() -> dict[str, Any]:
    """Return the OpenAPI request body: JSON, or a form with a first frame."""
    first, second = VideoFields.model_json_schema()["examples"]
    examples = {"中文": {"value": first}, "Storyboard": {"value": second}}
    reference = "#/components/schemas/"
    content = {
        "application/json": {"schema": {"$ref": f"{reference}VideoFields"}, "examples": examples},
        "multipart/form-data": {"schema": {"$ref": f"{reference}VideoForm"}},
    }
    return {"requestBody": {"required": True, "content": content}}


def video_schemas() -> dict[str, Any]:
    """Return the schemas that the request body refers to, by name."""
    fields = VideoFields.model_json_schema(ref_template="#/components/schemas/{model}")
    scene = fields.pop("$defs")["SceneFields"]
    for schema in (fields, scene):
        schema["properties"] = {
            name: without_bounds(entry) for name, entry in schema["properties"].items()
        }
    form = dict(fields, title="VideoForm", properties=form_properties(fields["properties"]))
    del form["examples"]
    for name in ("metadata", "scenes"):
        del form["properties"][name]
    form["properties"]["image"] = {
        "type": "string",
        "format": "binary",
        "description": says("First frame: PNG, JPEG or WebP", "首帧图像：PNG、JPEG 或 WebP"),
    }
    return {"SceneFields": scene, "VideoFields": fields, "VideoForm": form}
