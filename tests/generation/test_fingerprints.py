"""Fingerprints: equal for equal requests, and different for any other."""

from dataclasses import fields

from gen_video.generation.requests import ImageRequest
from tests.generation.studio import LAKE
from tests.generation.test_requests import SHA, change

CHANGES: dict[str, object] = {
    "prompt": "a sea",
    "negative_prompt": "",
    "width": 64,
    "height": 48,
    "num_inference_steps": 4,
    "guidance_scale": 5.0,
    "seed": 8,
    "n": 2,
    "model": "sketch",
    "output_format": "jpeg",
    "strength": 0.5,
    "reference_sha256": SHA,
    "reference_image_type": "scene",
    "character_lora": "mia",
    "style_lora": "mia",
    "metadata": {"order": "1"},
}


def test_equal_requests_have_equal_fingerprints() -> None:
    one = ImageRequest(prompt="湖", metadata={"a": "1", "b": "2"})
    same = ImageRequest(prompt="湖", metadata={"b": "2", "a": "1"})

    assert one.fingerprint() == same.fingerprint()


def test_a_change_of_any_field_changes_the_fingerprint() -> None:
    assert set(CHANGES) == {field.name for field in fields(ImageRequest)}

    prints = [change(LAKE, name, value).fingerprint() for name, value in CHANGES.items()]

    assert len({LAKE.fingerprint(), *prints}) == len(CHANGES) + 1
