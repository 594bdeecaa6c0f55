"""What requests for pictures may carry in OpenAI's words, and how they become ours.

Ranges depend on the model and the plan, so the generation slice checks them.
"""

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from gen_video.api.openai.measures import parse_size, possible_size, steps_of
from gen_video.api.v1.fields import (
    Guidance,
    Hurry,
    Ignored,
    Name,
    NegativePrompt,
    Notes,
    Number,
    Steps,
    Webhook,
    Whole,
    says,
)
from gen_video.engines.aliases import ChosenModel
from gen_video.engines.catalogue import ModelSpec
from gen_video.engines.sizes import Size
from gen_video.errors import FieldProblem, InvalidRequestError
from gen_video.generation.checks import given_or
from gen_video.generation.requests import ImageRequest, OutputFormat
from gen_video.generation.shares import Priority

MAX_PARTIAL_IMAGES = 3
VARIATION_PROMPT = "the same scene, finely detailed"
"""Of a variation: what it shows comes from the picture."""
VARIATION_STRENGTH = 0.6

HostedModel = Annotated[
    Name | None,
    Field(
        description=says(
            "An id of GET /v1/models, or a hosted name such as gpt-image-1: the default model",
            "GET /v1/models 中的 id，或 gpt-image-1 等托管服务的名称（对应默认模型）",
        )
    ),
]
SizeText = Annotated[
    Name | None,
    Field(description=says("WIDTHxHEIGHT, or auto", "「宽x高」或 auto"), examples=["1024x1024"]),
]
Compression = Annotated[
    Whole | None, Field(description=says("Quality of JPEG and WebP", "JPEG 与 WebP 的质量"))
]
PartialImages = Annotated[
    int | None,
    Field(
        ge=0,
        le=MAX_PARTIAL_IMAGES,
        description=says("Pictures on the way, with stream", "流式返回的中间图像数量"),
    ),
]


class PictureFields(BaseModel):
    """What every request for pictures may carry."""

    model_config = ConfigDict(extra="forbid")

    model: HostedModel = None
    n: Whole | None = Field(None, description=says("1 to 10; 1 if left out", "1 至 10，默认 1"))
    size: SizeText = None
    response_format: Literal["url", "b64_json"] | None = Field(
        None, description=says("Both if left out", "省略时两者都返回")
    )
    user: Ignored = None
    seed: Whole | None = Field(None, description="0 to 4294967295")
    negative_prompt: NegativePrompt = None
    num_inference_steps: Steps = None
    guidance_scale: Guidance = None
    metadata: Notes = None
    priority: Hurry = None
    webhook: Webhook = None


class DrawnFields(PictureFields):
    """What requests with a prompt may carry besides."""

    prompt: str = Field(description=says("What to draw", "要画的内容"))
    quality: Literal["low", "medium", "high", "xhigh", "max", "auto", "standard", "hd"] | None = (
        Field(
            None,
            description=says(
                "Times the model's steps: low 0.5, high and hd 1.5, xhigh 2, max 3",
                "步数倍率：low 0.5，high 与 hd 1.5，xhigh 2，max 3",
            ),
        )
    )
    output_format: Literal["png", "jpeg", "webp"] | None = Field(
        None, description=says("png if left out", "默认 png")
    )
    output_compression: Compression = None
    background: Literal["opaque", "auto", "transparent"] | None = Field(
        None, description=says("Pictures are opaque", "图像均不透明")
    )
    stream: bool | None = Field(
        None, description=says("Answer with server-sent events", "以服务器推送事件返回")
    )
    partial_images: PartialImages = None
    moderation: Ignored = None
    safety_identifier: Ignored = None
    complexity: Ignored = None


class GenerationFields(DrawnFields):
    """Fields of `POST /v1/images/generations`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"prompt": "日落时的海面与小船", "size": "1024x1024"},
                {"model": "gpt-image-1", "prompt": "snow mountains at dawn", "quality": "low"},
            ]
        }
    )

    style: Ignored = None


class EditFields(DrawnFields):
    """Fields of `POST /v1/images/edits` beside its files."""

    strength: Number | None = Field(
        None, description=says("Distance from the picture, 0.01 to 1", "与原图的差异程度")
    )
    input_fidelity: Ignored = None


class VariationFields(PictureFields):
    """Fields of `POST /v1/images/variations` beside its file."""

    prompt: str | None = Field(None, description=says("Not needed", "可省略"))
    strength: Number | None = Field(
        None, description=says("Distance from the picture, 0.01 to 1", "与原图的差异程度")
    )


def image_request(
    fields: PictureFields, *, chosen: ChosenModel, spec: ModelSpec, picture: Size | None = None
) -> ImageRequest:
    """Return a request for pictures in the words of the generation slice.

    Args:
        fields: As the client wrote them.
        chosen: The model that answers.
        spec: Of that model.
        picture: Size of the picture that is edited: what comes out has its shape.

    Raises:
        InvalidRequestError: Something that no model here makes.
    """
    wanted = _wanted_size(fields, spec, picture=picture, is_lenient=chosen.is_alias)
    request = ImageRequest(
        prompt=VARIATION_PROMPT,
        model=chosen.model_id,
        width=None if wanted is None else wanted[0],
        height=None if wanted is None else wanted[1],
        n=1 if fields.n is None else fields.n,
        seed=fields.seed,
        negative_prompt=fields.negative_prompt,
        num_inference_steps=fields.num_inference_steps,
        guidance_scale=fields.guidance_scale,
        metadata=fields.metadata or {},
        priority=fields.priority or Priority.INTERACTIVE.value,
        webhook_url=fields.webhook,
    )
    if isinstance(fields, DrawnFields):
        return _with_drawing(request, fields, spec)
    if isinstance(fields, VariationFields):
        strength = VARIATION_STRENGTH if fields.strength is None else fields.strength
        prompt = VARIATION_PROMPT if fields.prompt is None else fields.prompt
        return replace(request, strength=strength, prompt=prompt)
    return request


def _wanted_size(
    fields: PictureFields, spec: ModelSpec, *, picture: Size | None, is_lenient: bool
) -> Size | None:
    given = parse_size(fields.size)
    if given is not None:
        return possible_size(given, spec.limits) if is_lenient else given
    return None if picture is None else possible_size(picture, spec.limits)


def _with_drawing(request: ImageRequest, fields: DrawnFields, spec: ModelSpec) -> ImageRequest:
    if fields.background == "transparent":
        raise InvalidRequestError(
            FieldProblem(
                pointer="/background",
                code="not_supported_by_model",
                en="pictures here have no transparent background; leave it out or say opaque",
                zh="不支持透明背景，请省略 background 或使用 opaque",
            )
        )
    steps = steps_of(fields.quality, spec)
    return replace(
        request,
        prompt=fields.prompt,
        num_inference_steps=given_or(request.num_inference_steps, steps),
        output_format=fields.output_format or OutputFormat.PNG.value,
        output_compression=fields.output_compression,
        previews=(fields.partial_images or 0) if fields.stream else 0,
        strength=fields.strength if isinstance(fields, EditFields) else None,
    )
