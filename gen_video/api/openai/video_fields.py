"""What requests for videos may carry in OpenAI's words, and how they become ours.

Ranges depend on the model and the plan, so the generation slice checks them.
"""

import math
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from gen_video.api.openai.image_fields import HostedModel, SizeText
from gen_video.api.openai.measures import parse_size, possible_frames, possible_size
from gen_video.api.v1.fields import (
    Guidance,
    Hurry,
    Ignored,
    NegativePrompt,
    Notes,
    Number,
    Steps,
    Webhook,
    Whole,
    says,
)
from gen_video.api.v1.first_frames import FirstFrame
from gen_video.api.v1.video_fields import MAX_IMAGE_CHARACTERS
from gen_video.engines.aliases import ChosenModel
from gen_video.engines.catalogue import ModelSpec
from gen_video.errors import FieldProblem, InvalidRequestError
from gen_video.generation.models import VideoInput
from gen_video.generation.shares import Priority
from gen_video.generation.video_requests import SceneRequest, Transition, VideoRequest

POINTER = "/input_reference"
Reference = Annotated[str, Field(max_length=MAX_IMAGE_CHARACTERS)]


class InputReference(BaseModel):
    """A first frame that is named, not sent / 首帧图像的引用."""

    model_config = ConfigDict(extra="forbid")

    image_url: Reference | None = Field(
        None, description=says("A data URI or an http(s) URL", "data URI 或 http(s) 链接")
    )
    file_id: Reference | None = Field(
        None, description=says("Id of a job that made a picture here", "本服务图像任务的 id")
    )


class CreateFields(BaseModel):
    """Fields of `POST /v1/videos`, as JSON or as a form."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"prompt": "海上日出，帆船缓缓驶过", "seconds": "4"},
                {"model": "sora-2", "prompt": "snow mountains at dawn", "size": "1280x720"},
            ]
        },
    )

    prompt: str = Field(description=says("What to show", "要展现的内容"))
    model: HostedModel = None
    seconds: str | Number | None = Field(
        None,
        description=says("Length, as a number or as text", "时长，数字或文本"),
        examples=["4"],
    )
    size: SizeText = None
    input_reference: InputReference | Reference | None = Field(
        None,
        description=says(
            "First frame: the file of a form, a data URI, a URL, or what names one",
            "首帧图像：表单文件、data URI、链接或其引用",
        ),
    )
    seed: Whole | None = Field(None, description="0 to 4294967295")
    negative_prompt: NegativePrompt = None
    num_inference_steps: Steps = None
    guidance_scale: Guidance = None
    fps: Whole | None = Field(
        None, description=says("Frames per second; the model's default", "帧率；默认取模型的值")
    )
    metadata: Notes = None
    priority: Hurry = None
    webhook: Webhook = None
    quality: Ignored = None
    user: Ignored = None

    def find_first_frame(self, file: bytes | None) -> FirstFrame | None:
        """Return what is named as the first frame, None where nothing is.

        Raises:
            InvalidRequestError: It is named twice, or an object names none.
        """
        named = self.input_reference
        if file is not None:
            return FirstFrame(pointer=POINTER, file=file)
        if named is None:
            return None
        if isinstance(named, str):
            return FirstFrame(pointer=POINTER, text=named)
        texts = [text for text in (named.image_url, named.file_id) if text]
        if len(texts) != 1:
            raise InvalidRequestError(
                FieldProblem(
                    pointer=POINTER,
                    code="one_of_two",
                    en="input_reference has either image_url or file_id",
                    zh="input_reference 应包含 image_url 或 file_id 之一",
                )
            )
        return FirstFrame(pointer=POINTER, text=texts[0])

    def to_request(
        self, *, chosen: ChosenModel, spec: ModelSpec | None, source: str | None
    ) -> VideoRequest:
        """Return the request in the words of the generation slice.

        Args:
            chosen: The model that answers.
            spec: Of that model; None when there is none, and nothing will be made.
            source: A hash of what is named as the first frame.

        Raises:
            InvalidRequestError: Something that no model makes.
        """
        size = parse_size(self.size)
        seconds = parse_seconds(self.seconds)
        scene = SceneRequest(duration=seconds, image_source=source)
        if chosen.is_alias and spec is not None:
            size = None if size is None else possible_size(size, spec.limits)
            scene = _possible_scene(seconds, spec, fps=self.fps, source=source)
        return VideoRequest(
            scenes=(scene,),
            prompt=self.prompt,
            negative_prompt=self.negative_prompt,
            width=None if size is None else size[0],
            height=None if size is None else size[1],
            fps=self.fps,
            num_inference_steps=self.num_inference_steps,
            guidance_scale=self.guidance_scale,
            seed=self.seed,
            model=chosen.model_id or None,
            metadata=self.metadata or {},
            priority=self.priority or Priority.INTERACTIVE.value,
            webhook_url=self.webhook,
        )


class RemixFields(BaseModel):
    """Fields of `POST /v1/videos/{id}/remix`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"prompt": "同样的画面，改为夜晚"}, {"prompt": "the same by night"}]
        },
    )

    prompt: str = Field(description=says("What to show instead", "新的画面内容"))
    metadata: Notes = None
    priority: Hurry = None
    webhook: Webhook = None

    def to_request(self, source: VideoInput, *, job_id: str) -> VideoRequest:
        """Return a request for the same video after another prompt."""
        return VideoRequest(
            scenes=tuple(
                SceneRequest(prompt=self.prompt, num_frames=scene.num_frames)
                for scene in source.scenes
            ),
            is_storyboard=len(source.scenes) > 1,
            prompt=self.prompt,
            negative_prompt=source.negative_prompt,
            width=source.width,
            height=source.height,
            fps=source.fps,
            num_inference_steps=source.num_inference_steps,
            guidance_scale=source.guidance_scale,
            seed=source.seed,
            model=source.model,
            output_format=source.output_format,
            transition=(Transition.CROSSFADE if source.overlap else Transition.CUT).value,
            metadata=self.metadata or {},
            priority=self.priority or Priority.INTERACTIVE.value,
            webhook_url=self.webhook,
            remixed_from=job_id,
        )


def parse_seconds(given: str | float | None) -> float | None:
    """Read a length, which OpenAI writes as text.

    Raises:
        InvalidRequestError: It is no number.
    """
    if given is None:
        return None
    try:
        seconds = float(given)
    except ValueError:
        seconds = math.nan
    if math.isfinite(seconds):
        return seconds
    raise InvalidRequestError(
        FieldProblem(
            pointer="/seconds",
            code="invalid_seconds",
            en="seconds must be a number, such as 4",
            zh="seconds 应为数字，例如 4",
        )
    )


def _possible_scene(
    seconds: float | None, spec: ModelSpec, *, fps: int | None, source: str | None
) -> SceneRequest:
    if seconds is None or seconds <= 0:
        return SceneRequest(duration=seconds, image_source=source)
    limits = spec.limits
    rate = min(max(fps or spec.defaults.fps, limits.min_fps), limits.max_fps)
    frames = possible_frames(seconds, fps=rate, limits=limits)
    return SceneRequest(num_frames=frames, image_source=source)
