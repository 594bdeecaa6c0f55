"""Fingerprints: equal for equal requests, and different for any other."""

from dataclasses import fields

from gen_video.generation.requests import ImageRequest
from tests.generation.cinema import WAVES
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
    "priority": "batch",
    "more_sha256": (SHA,),
    "mask_sha256": SHA,
    "output_compression": 80,
    "previews": 2,
    "webhook_url": "https://example.org/hook",
}
LENGTHS = {"reference_bytes", "mask_bytes"}
"""They follow from the files, whose hashes count."""


def test_equal_requests_have_equal_fingerprints() -> None:
    one = ImageRequest(prompt="湖", metadata={"a": "1", "b": "2"})
    same = ImageRequest(prompt="湖", metadata={"b": "2", "a": "1"})

    assert one.fingerprint() == same.fingerprint()


def test_a_change_of_any_field_changes_the_fingerprint() -> None:
    assert set(CHANGES) == {field.name for field in fields(ImageRequest)} - LENGTHS

    prints = [change(LAKE, name, value).fingerprint() for name, value in CHANGES.items()]

    assert len({LAKE.fingerprint(), *prints}) == len(CHANGES) + 1


def test_a_request_keeps_its_fingerprint_across_an_upgrade() -> None:
    """A client that repeats it under its key must find its job, not a conflict."""
    picture, video = LAKE.fingerprint(), WAVES.fingerprint()

    assert picture == "ce61cb5efb86b3a41e906512b1da587f63652f1331292953bb125c389bd61d60"
    assert video == "fe7179fcf0c09a072de2e0c3d66b940fa1382862ea0c3372e3b9d4af13b38399"
