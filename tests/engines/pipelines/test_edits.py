"""Edits with a mask and with several pictures, by every family that offers them."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from gen_video.engines.catalogue import TaskKind
from gen_video.engines.edits import read_mask, read_png
from gen_video.engines.errors import MaskLostError
from gen_video.engines.fitting import fit
from gen_video.engines.tasks import ImageTask
from tests.engines.pipelines import parts
from tests.engines.pipelines.conftest import FolderOf, StudioOf
from tests.engines.pipelines.families import BUILDERS, save_pipeline
from tests.engines.pipelines.studio import (
    HEIGHT,
    SPECS,
    WIDTH,
    Studio,
    local_spec,
    reference_png,
)

pytestmark = pytest.mark.engine

ABLE = [model_id for model_id in BUILDERS if TaskKind.INPAINT in SPECS[model_id].kinds]
FAMILIES = list({BUILDERS[model_id]: model_id for model_id in reversed(ABLE)}.values())
BOX = (25, 30, 75, 90)
"""Of the mask, in a reference image of 100 x 120 pixels."""
SIZE = (WIDTH, HEIGHT)


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def mask_png() -> bytes:
    mask = Image.new("L", (100, 120))
    mask.paste(255, BOX)
    return png(mask)


def plain_png(colour: str) -> bytes:
    return png(Image.new("RGB", (70, 50), colour))


def masked(studio: Studio) -> ImageTask:
    return replace(studio.task, reference_image=reference_png(), mask=mask_png(), strength=1.0)


def split_by_mask(rgb: bytes) -> tuple[list[bytes], list[bytes]]:
    """Return the pixels inside the mask and those outside."""
    marks = read_mask(mask_png(), SIZE).tobytes()
    pixels = [rgb[place : place + 3] for place in range(0, len(rgb), 3)]
    inside = [pixel for pixel, mark in zip(pixels, marks, strict=True) if mark]
    return inside, [pixel for pixel, mark in zip(pixels, marks, strict=True) if not mark]


@pytest.fixture(scope="module", params=FAMILIES)
def editor(request: pytest.FixtureRequest, folder_of: FolderOf) -> Studio:
    """Return each family that edits with a mask, loaded."""
    return Studio(local_spec(request.param, folder_of(request.param)))


def test_what_is_outside_the_mask_stays_to_the_bit_and_inside_is_drawn(editor: Studio) -> None:
    original = fit(read_png(reference_png()), SIZE).tobytes()

    drawn = editor.draw_one(masked(editor))

    old_inside, old_outside = split_by_mask(original)
    inside, outside = split_by_mask(drawn)
    assert outside == old_outside
    changed = sum(new != old for new, old in zip(inside, old_inside, strict=True))
    assert changed > 0.8 * len(inside)
    assert editor.progress[-1].step == editor.progress[-1].steps


def test_a_masked_part_begins_with_the_further_pictures(editor: Studio) -> None:
    task = replace(masked(editor), strength=0.5)
    red = replace(task, more_references=(plain_png("red"),))
    both = replace(task, more_references=(plain_png("red"), plain_png("blue")))

    results = [editor.draw_one(edit) for edit in (task, red, both)]

    assert len(set(results)) == len(results)
    assert len({tuple(split_by_mask(rgb)[1]) for rgb in results}) == 1


def test_a_model_that_looks_at_several_pictures_gets_all_of_them(studio_of: StudioOf) -> None:
    studio = studio_of("flux2-klein-4b")
    one = replace(studio.task, reference_image=reference_png())
    two = replace(one, more_references=(plain_png("red"),))
    other = replace(one, more_references=(plain_png("blue"),))
    three = replace(one, more_references=(plain_png("red"), plain_png("blue")))

    assert len({studio.draw_one(task) for task in (one, two, other, three)}) == 4


def test_small_and_narrow_further_pictures_are_taken(studio_of: StudioOf) -> None:
    """FLUX.2 refuses pictures with a side below 64 pixels, and ones of more than 8 to 1."""
    studio = studio_of("flux2-klein-4b")
    thin = png(Image.new("RGB", (400, 16), "red"))
    task = replace(studio.task, reference_image=reference_png(), more_references=(thin,))

    assert len(studio.draw_one(task)) == WIDTH * HEIGHT * 3
    assert len(studio.draw_one(replace(task, mask=mask_png()))) == WIDTH * HEIGHT * 3


@pytest.mark.parametrize(
    ("model_id", "channels", "is_stock"),
    [
        ("sd-1.5", 4, True),
        ("sd-1.5", 16, False),
        ("sd-3.5-medium", 16, True),
        ("sd-3.5-medium", 4, False),
    ],
)
def test_networks_of_any_width_keep_what_is_outside(
    model_id: str,
    channels: int,
    is_stock: bool,  # noqa: FBT001 - a table
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The stock pipelines take networks of certain widths; the embedded model has another."""
    monkeypatch.setattr(parts, "CHANNELS", channels)
    folder = tmp_path / "wide"
    save_pipeline(BUILDERS[model_id], folder, variant=SPECS[model_id].variant)
    studio = Studio(local_spec(model_id, folder))
    original = fit(read_png(reference_png()), SIZE).tobytes()

    drawn = studio.draw_one(masked(studio))

    kept = type(studio.make._shelf.get(studio.spec).pipelines[TaskKind.INPAINT]).__name__
    assert ("Inpaint" in kept) is is_stock
    assert split_by_mask(drawn)[1] == split_by_mask(original)[1]
    assert split_by_mask(drawn)[0] != split_by_mask(original)[0]


def test_a_mask_of_which_nothing_is_left_is_told(studio_of: StudioOf) -> None:
    """A picture is cut to the shape asked for, and its mask with it."""
    studio = studio_of("sd-1.5")
    edge = Image.new("L", (100, 120))
    edge.paste(255, (0, 0, 100, 8))

    with pytest.raises(MaskLostError):
        studio.draw(replace(masked(studio), mask=png(edge)))
