"""The form of the playground's picture tab: its fields become a request. Pure."""

from gen_video.console.fields import FormFields
from gen_video.generation.requests import ImageRequest, OutputFormat

PREVIEWS = 4
SHORTEST_WITH_PREVIEWS = 8
"""Of fewer steps the end is there before a preview says anything."""


def read_picture_form(fields: FormFields, *, reference_sha256: str | None) -> ImageRequest:
    """Return the request that a form asks for.

    Raises:
        InvalidRequestError: A field is no number where it must be one.
    """
    steps = fields.whole("num_inference_steps")
    request = ImageRequest(
        prompt=fields.text("prompt") or "",
        negative_prompt=fields.text("negative_prompt"),
        width=fields.whole("width"),
        height=fields.whole("height"),
        num_inference_steps=steps,
        guidance_scale=fields.number("guidance_scale"),
        seed=fields.whole("seed"),
        n=fields.whole("n") or 1,
        model=fields.text("model"),
        output_format=fields.choice("output_format", list(OutputFormat)),
        strength=None if reference_sha256 is None else fields.number("strength"),
        reference_sha256=reference_sha256,
        character_lora=fields.text("character_lora"),
        style_lora=fields.text("style_lora"),
        previews=PREVIEWS if (steps or SHORTEST_WITH_PREVIEWS) >= SHORTEST_WITH_PREVIEWS else 0,
    )
    fields.check()
    return request
