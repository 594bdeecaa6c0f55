"""Edits as models allow them: how many pictures, a mask, and how far from them."""

from dataclasses import replace

import pytest

from gen_video.engines.catalogue import Catalogue, ModelSpec, TaskKind
from gen_video.generation.edit_checks import choose_strength, reference_problems
from gen_video.generation.requests import ImageRequest
from tests.generation.studio import PAINT, SKETCH

MASKER = PAINT.model_copy(
    update={"id": "masker", "kinds": PAINT.kinds | {TaskKind.INPAINT}},
)
SEVERAL = PAINT.model_copy(
    update={
        "id": "several",
        "kinds": frozenset({TaskKind.IMAGE_TO_IMAGE}),
        "limits": PAINT.limits.model_copy(update={"max_references": 3}),
    }
)
CATALOGUE = Catalogue([SKETCH, PAINT, MASKER, SEVERAL], default_image_model="sketch")

NONE = ImageRequest(prompt="a lake")
ONE = replace(NONE, reference_sha256="a")
TWO = replace(ONE, more_sha256=("b",))
FOUR = replace(ONE, more_sha256=("b", "c", "d"))
MASKED, BOTH = replace(ONE, mask_sha256="m"), replace(TWO, mask_sha256="m")


@pytest.mark.parametrize(
    ("request_", "spec", "code", "named"),
    [
        (NONE, SKETCH, None, ""),
        (ONE, SKETCH, "not_supported_by_model", "paint, masker, several"),
        (ONE, PAINT, None, ""),
        (TWO, PAINT, "not_supported_by_model", "several"),
        (TWO, SEVERAL, None, ""),
        (FOUR, SEVERAL, "not_supported_by_model", "3 picture(s) at once, not 4"),
        (NONE, SEVERAL, "image_required", "sketch, paint, masker"),
        (TWO, MASKER, "not_supported_by_model", "or a mask"),
        (MASKED, MASKER, None, ""),
        (BOTH, MASKER, None, ""),
        (MASKED, PAINT, "not_supported_by_model", "masker"),
        (BOTH, SEVERAL, "not_supported_by_model", "masker"),
        (replace(NONE, mask_sha256="m"), MASKER, "needs_reference_image", "reference_image"),
        (replace(NONE, strength=0.5), PAINT, "needs_reference_image", "reference_image"),
        (replace(ONE, reference_image_type="sky"), PAINT, "unknown_value", "scene or face"),
    ],
)
def test_what_a_model_cannot_is_said_with_what_can(
    request_: ImageRequest, spec: ModelSpec, code: str | None, named: str
) -> None:
    problems = reference_problems(request_, spec, CATALOGUE)

    assert [problem.code for problem in problems] == ([] if code is None else [code])
    assert all(named in problem.en and problem.zh for problem in problems)


@pytest.mark.parametrize(
    ("request_", "strength"),
    [(ONE, 0.5), (TWO, 0.5), (MASKED, 1.0), (BOTH, 0.5), (replace(MASKED, strength=0.3), 0.3)],
)
def test_a_masked_part_is_wholly_new_unless_pictures_say_what_it_begins_with(
    request_: ImageRequest, strength: float
) -> None:
    assert choose_strength(request_, PAINT) == strength
