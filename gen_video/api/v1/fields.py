"""What requests of the seed's face may carry: the fields, their types, and examples.

Ranges depend on the model and the plan, so they are checked by the generation slice; here only
what no model could mean is refused.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gen_video.generation.requests import ImageRequest, OutputFormat
from gen_video.generation.shares import Priority

HUGE = 2**53
BOUNDS = frozenset({"minimum", "maximum"})
NULL = {"type": "null"}
Whole = Annotated[int, Field(ge=-HUGE, le=HUGE)]
Number = Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)]
Name = Annotated[str, Field(max_length=200)]


def says(en: str, zh: str) -> str:
    """Return a description in both languages."""
    return f"{en} / {zh}"


NegativePrompt = Annotated[
    str | None,
    Field(description=says("What to keep out", "不希望出现的内容")),
]
Steps = Annotated[
    Whole | None,
    Field(description=says("More is finer and slower", "越多越精细，也越慢")),
]
Guidance = Annotated[
    Number | None,
    Field(description=says("How closely the prompt is followed", "贴合提示词的程度")),
]
ModelId = Annotated[
    Name | None,
    Field(description=says("An id of GET /api/v1/models", "GET /api/v1/models 中的 id")),
]
Notes = Annotated[
    dict[str, str] | None,
    Field(description=says("Your own notes, up to 16 short texts", "自定义备注，最多 16 项短文本")),
]
Hurry = Annotated[
    Literal["interactive", "batch"] | None,
    Field(
        description=says(
            "batch waits until nobody's interactive job does; interactive if left out",
            "batch 在没有交互任务等待时才处理；默认 interactive",
        )
    ),
]
Webhook = Annotated[
    Annotated[str, Field(max_length=2048)] | None,
    Field(
        description=says(
            "An https address that is told when this job ends, in place of your webhooks",
            "任务结束时通知的 https 地址，代替账户的 webhook",
        )
    ),
]
Previews = Annotated[
    Whole | None,
    Field(
        description=says(
            "How many small pictures of the unfinished work the job's events carry, 0 to 10; "
            "0 if left out",
            "任务事件中附带的未完成画面预览图数量，0 至 10；默认 0",
        )
    ),
]
Ignored = Annotated[
    Any,
    Field(description=says("Taken and ignored", "为兼容旧客户端而接受，不起作用"), deprecated=True),
]
"""What every request for a generation may carry."""


class ImageFields(BaseModel):
    """Fields of `POST /images/generate`, as JSON or as a form."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "prompt": "一个美丽的风景",
                    "width": 1024,
                    "height": 1024,
                    "num_inference_steps": 40,
                },
                {"prompt": "a warm sunset over the sea, a small boat", "seed": 7, "n": 2},
            ]
        },
    )

    prompt: str = Field(description=says("What to draw", "要画的内容"))
    negative_prompt: NegativePrompt = None
    width: Whole | None = Field(
        None,
        description=says(
            "Pixels; the model's default, mostly 1024", "像素；默认取模型的值，多为 1024"
        ),
    )
    height: Whole | None = Field(None, description=says("Pixels, as above", "像素，同上"))
    num_inference_steps: Steps = None
    guidance_scale: Guidance = None
    seed: Whole | None = Field(
        None,
        description=says(
            "0 to 4294967295; the same seed and fields give the same picture",
            "0 至 4294967295；相同的种子和参数得到相同的图像",
        ),
    )
    model: ModelId = None
    n: Whole | None = Field(
        None, description=says("How many pictures; 1 if left out", "图像数量，默认 1")
    )
    output_format: Literal["png", "jpeg", "webp"] | None = Field(
        None, description=says("png if left out", "默认 png")
    )
    output_compression: Whole | None = Field(
        None,
        description=says(
            "Quality of a jpeg or webp file, 0 to 100", "jpeg 或 webp 文件的质量，0 至 100"
        ),
    )
    strength: Number | None = Field(
        None,
        description=says(
            "Distance from the reference image, 0.01 to 1; if left out, 1 for a masked part "
            "without further pictures, else the model's",
            "与参考图的差异程度，0.01 至 1；默认：仅有 mask 而无其余图片时为 1，否则取模型的值",
        ),
    )
    reference_image_type: Name | None = Field(None, description="scene | face")
    character_lora: Name | None = Field(
        None, description=says("A name of GET /api/v1/loras", "GET /api/v1/loras 中的名称")
    )
    style_lora: Name | None = Field(None, description=says("As above", "同上"))
    metadata: Notes = None
    priority: Hurry = None
    previews: Previews = None
    webhook: Webhook = None
    use_model_manager: Ignored = None
    task: Ignored = None

    def to_request(self) -> ImageRequest:
        """Return the request in the words of the generation slice; files are named in it later."""
        return ImageRequest(
            prompt=self.prompt,
            negative_prompt=self.negative_prompt,
            width=self.width,
            height=self.height,
            num_inference_steps=self.num_inference_steps,
            guidance_scale=self.guidance_scale,
            seed=self.seed,
            n=1 if self.n is None else self.n,
            model=self.model,
            output_format=self.output_format or OutputFormat.PNG.value,
            strength=self.strength,
            reference_image_type=self.reference_image_type,
            character_lora=self.character_lora,
            style_lora=self.style_lora,
            metadata=self.metadata or {},
            priority=self.priority or Priority.INTERACTIVE.value,
            output_compression=self.output_compression,
            previews=0 if self.previews is None else self.previews,
            webhook_url=self.webhook,
        )


FILES: dict[str, Any] = {
    "reference_image": {
        "anyOf": [
            {"type": "string", "format": "binary"},
            {
                "type": "array",
                "minItems": 1,
                "maxItems": 16,
                "items": {"type": "string", "format": "binary"},
            },
        ],
        "description": says(
            "PNG, JPEG or WebP; the first one is edited. Repeat the field for further pictures: a "
            "model whose max_references allows it looks at all of them; else, with a mask, they "
            "are laid side by side into the masked part, which is then drawn with strength",
            "PNG、JPEG 或 WebP；第一张为被编辑的图片。可重复该字段上传多张：max_references 允许时"
            "模型同时参考全部图片；否则需配合 mask，其余图片并排放入重绘区域，再按 strength 绘制",
        ),
    },
    "mask": {
        "type": "string",
        "format": "binary",
        "description": says(
            "A picture of the first one's size: white is drawn anew, or what is transparent where "
            "anything is; the rest stays as it was",
            "与第一张图片同尺寸：白色区域重绘；若含透明像素则透明区域重绘；其余保持不变",
        ),
    },
}
"""What a form may carry beside text."""


def image_body() -> dict[str, Any]:
    """Return the OpenAPI request body: JSON, or a form with a reference image."""
    first, second = _fields_schema()["examples"]
    examples = {"中文": {"value": first}, "English": {"value": second}}
    reference = "#/components/schemas/"
    content = {
        "application/json": {"schema": {"$ref": f"{reference}ImageFields"}, "examples": examples},
        "multipart/form-data": {"schema": {"$ref": f"{reference}ImageForm"}},
    }
    return {"requestBody": {"required": True, "content": content}}


def body_schemas() -> dict[str, Any]:
    """Return the schemas that request bodies refer to, by name."""
    fields = _fields_schema()
    form = dict(fields, title="ImageForm", properties=form_properties(fields["properties"]))
    del form["examples"], form["properties"]["metadata"]
    form["properties"] |= FILES
    return {"ImageFields": fields, "ImageForm": form}


def _fields_schema() -> dict[str, Any]:
    schema = ImageFields.model_json_schema()
    # Limits are the model's: the ones that keep numbers sane here would only mislead.
    properties = {name: without_bounds(entry) for name, entry in schema["properties"].items()}
    return schema | {"properties": properties}


def without_bounds(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a property of a JSON schema without the bounds of its numbers.

    What may be left out may be null too, which says the same.
    """
    choices = [without_bounds(choice) for choice in entry.get("anyOf", ())]
    plain = {key: value for key, value in entry.items() if key not in BOUNDS}
    return plain | {"anyOf": choices} if choices else plain


def form_properties(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a JSON body as the ones of a form: there is no null, just nothing."""
    return {
        name: {key: value for key, value in entry.items() if key not in {"anyOf", "default"}}
        | next((choice for choice in entry.get("anyOf", ()) if choice != NULL), {})
        for name, entry in properties.items()
    }
