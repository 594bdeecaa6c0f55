"""The request bodies of the OpenAI face, for the OpenAPI document."""

from typing import Any

from pydantic import BaseModel

from gen_video.api.openai.image_fields import EditFields, GenerationFields, VariationFields
from gen_video.api.openai.video_fields import CreateFields, RemixFields
from gen_video.api.v1.fields import form_properties, says, without_bounds

SCHEMAS = "#/components/schemas/"
JSON, FORM = "application/json", "multipart/form-data"
LANGUAGES = ("中文", "English")
BINARY = {"type": "string", "format": "binary"}
PICTURE = BINARY | {"description": says("PNG, JPEG or WebP", "PNG、JPEG 或 WebP")}
MASK = BINARY | {
    "description": says(
        "A picture of the first one's size: what is transparent is drawn anew",
        "与第一张图片同尺寸，透明处将被重画",
    )
}
PICTURES = {
    "type": "array",
    "minItems": 1,
    "maxItems": 16,
    "items": BINARY,
    "description": says(
        "The first is edited; SDKs call several image[]", "编辑第一张；多张时字段名可为 image[]"
    ),
}
WITHOUT_FORM = ("metadata",)
"""Objects: a form writes them as `name[key]`, which no schema can say."""


def generation_body() -> dict[str, Any]:
    """Return the body of a generation."""
    return _body({JSON: "OpenAiGeneration", FORM: "OpenAiGenerationForm"}, GenerationFields)


def edit_body() -> dict[str, Any]:
    """Return the body of an edit."""
    return _body({FORM: "OpenAiEditForm"})


def variation_body() -> dict[str, Any]:
    """Return the body of a variation."""
    return _body({FORM: "OpenAiVariationForm"})


def create_body() -> dict[str, Any]:
    """Return the body of a new video."""
    return _body({JSON: "OpenAiVideo", FORM: "OpenAiVideoForm"}, CreateFields)


def remix_body() -> dict[str, Any]:
    """Return the body of a remix."""
    return _body({JSON: "OpenAiRemix", FORM: "OpenAiRemixForm"}, RemixFields)


def openai_schemas() -> dict[str, Any]:
    """Return the schemas that the bodies refer to, by name."""
    generation, video, remix = (
        _schema(model) for model in (GenerationFields, CreateFields, RemixFields)
    )
    nested: dict[str, Any] = video.pop("$defs", {})
    return nested | {
        "OpenAiGeneration": generation,
        "OpenAiGenerationForm": _form(generation, {}),
        "OpenAiEditForm": _form(_schema(EditFields), {"image": PICTURES, "mask": MASK}),
        "OpenAiVariationForm": _form(
            _schema(VariationFields), {"image": PICTURES | {"maxItems": 1}}
        ),
        "OpenAiVideo": video,
        "OpenAiVideoForm": _form(video, {"input_reference": PICTURE}),
        "OpenAiRemix": remix,
        "OpenAiRemixForm": _form(remix, {}),
    }


def _body(names: dict[str, str], model: type[BaseModel] | None = None) -> dict[str, Any]:
    content: dict[str, Any] = {
        kind: {"schema": {"$ref": f"{SCHEMAS}{name}"}} for kind, name in names.items()
    }
    if model is not None:
        examples = model.model_json_schema()["examples"]
        content[JSON]["examples"] = {
            title: {"value": example} for title, example in zip(LANGUAGES, examples, strict=True)
        }
    return {"requestBody": {"required": True, "content": content}}


def _form(schema: dict[str, Any], files: dict[str, Any]) -> dict[str, Any]:
    properties = {
        name: entry for name, entry in schema["properties"].items() if name not in WITHOUT_FORM
    }
    needed = [name for name in files if name == "image"]
    return {key: value for key, value in schema.items() if key != "examples"} | {
        "properties": form_properties(properties) | files,
        "required": [*needed, *schema.get("required", ())],
    }


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(ref_template=f"{SCHEMAS}{{model}}")
    properties = {name: without_bounds(entry) for name, entry in schema["properties"].items()}
    return schema | {"properties": properties}
