"""Drawing from a reference image: how many steps, how it is cut, what stays quiet."""

import io
from dataclasses import replace

import pytest
from PIL import Image

from gen_video.engines.diffusers_image import enough_steps, fit_reference
from tests.engines.pipelines.conftest import StudioOf
from tests.engines.pipelines.studio import reference_png

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("strength", [1.0, 0.99, 0.5, 1 / 3, 0.3, 1 / 49, 1 / 161, 0.01])
def test_a_pipeline_always_has_a_step_to_run(strength: float) -> None:
    least = enough_steps(1, strength=strength)

    assert int(least * strength) >= 1
    assert least == 1 or int((least - 1) * strength) < 1
    assert enough_steps(least + 40, strength=strength) == least + 40


def png(size: tuple[int, int], box: tuple[int, int, int, int], mode: str = "RGB") -> bytes:
    """Return a blue picture with a red box."""
    image = Image.new("RGB", size, "blue")
    image.paste("red", box)
    buffer = io.BytesIO()
    image.convert(mode).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_reference_is_cut_to_the_shape_asked_for_and_not_squeezed() -> None:
    wide = png((120, 40), (40, 0, 80, 40))

    fitted = fit_reference(wide, (64, 64))

    assert fitted.size == (64, 64)
    assert {fitted.getpixel((x, 32)) for x in (8, 32, 55)} == {(255, 0, 0)}


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1"])
def test_references_of_other_modes_are_read_too(mode: str) -> None:
    assert fit_reference(png((32, 32), (0, 0, 8, 8), mode), (16, 16)).mode == "RGB"


@pytest.mark.parametrize("strength", [0.01, 0.3, 0.6, 1.0])
def test_any_strength_draws(studio_of: StudioOf, strength: float) -> None:
    studio = studio_of("sd-1.5")

    (picture,) = studio.draw(
        replace(studio.task, reference_image=reference_png(), strength=strength)
    )

    assert len(picture.rgb) == picture.width * picture.height * 3
    assert studio.progress[-1].step == studio.progress[-1].steps


def test_strength_moves_the_picture_away_from_its_reference(studio_of: StudioOf) -> None:
    studio = studio_of("sdxl")
    task = replace(studio.task, reference_image=reference_png(), num_inference_steps=4)

    little = studio.draw_one(replace(task, strength=0.25))
    much = studio.draw_one(replace(task, strength=1.0))

    assert little != much


def test_one_step_at_full_strength_stays_one_step(studio_of: StudioOf) -> None:
    studio = studio_of("sdxl-turbo")
    task = replace(studio.task, reference_image=reference_png(), num_inference_steps=1)

    studio.draw(replace(task, strength=1.0))

    assert [(report.step, report.steps) for report in studio.progress] == [(1, 1)]


def test_a_family_without_strength_runs_the_steps_that_were_asked_for(
    studio_of: StudioOf,
) -> None:
    """It edits from pure noise: a low strength must not make it slower."""
    studio = studio_of("flux2-klein-4b")
    task = replace(studio.task, reference_image=reference_png(), strength=0.1)

    studio.draw(task)

    steps = task.num_inference_steps
    assert [(report.step, report.steps) for report in studio.progress] == [
        (step, steps) for step in range(1, steps + 1)
    ]


def test_no_progress_bar_reaches_the_log(
    studio_of: StudioOf, capsys: pytest.CaptureFixture[str]
) -> None:
    studio = studio_of("sd-1.5")
    studio.draw()
    capsys.readouterr()

    studio.draw()
    studio.draw(replace(studio.task, reference_image=reference_png()))

    assert capsys.readouterr() == ("", "")
