"""Every family of the catalogue draws, through the very code that serves requests."""

from dataclasses import replace

import pytest

from gen_video.engines.catalogue import TaskKind
from gen_video.engines.diffusers_image import call_arguments
from gen_video.engines.errors import EngineCancelledError, ModelUnavailableError
from tests.engines.pipelines.families import BUILDERS, Builder
from tests.engines.pipelines.studio import (
    HEIGHT,
    SPECS,
    STEPS,
    WIDTH,
    Studio,
    reference_png,
)

pytestmark = pytest.mark.engine

UNGUIDED = {"flux-schnell", "flux2-klein-4b"}
WITHOUT_NEGATIVE_PROMPT = UNGUIDED | {"flux-dev"}


def test_every_picture_model_of_a_hub_is_tried_here() -> None:
    hub_models = {spec.id for spec in SPECS.values() if spec.hub != "local" and spec.makes_pictures}

    assert set(BUILDERS) == hub_models


@pytest.mark.parametrize(
    "build", list(dict.fromkeys(BUILDERS.values())), ids=lambda build: str(build.__name__)
)
def test_models_of_one_family_make_the_same(build: Builder) -> None:
    relatives = [SPECS[model_id] for model_id in BUILDERS if BUILDERS[model_id] is build]

    assert len({(spec.kinds, spec.lora_family) for spec in relatives}) == 1


def test_a_picture_has_the_size_and_seed_that_were_asked_for(studio: Studio) -> None:
    (picture,) = studio.draw()

    assert (picture.width, picture.height) == (WIDTH, HEIGHT)
    assert (picture.index, picture.seed) == (0, studio.task.seed)
    assert len(picture.rgb) == WIDTH * HEIGHT * 3
    assert len(set(picture.rgb)) > 16, "the picture is flat"


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(studio: Studio) -> None:
    first, again = studio.plain, studio.draw_one()
    other = studio.draw_one(replace(studio.task, seed=21))

    assert first == again
    assert first != other


def test_the_second_of_two_pictures_is_the_one_of_the_next_seed(studio: Studio) -> None:
    pair = studio.draw(replace(studio.task, n=2))

    assert [picture.seed for picture in pair] == [20, 21]
    assert pair[0].rgb == studio.plain
    assert pair[1].rgb == studio.draw_one(replace(studio.task, seed=21))


def test_progress_counts_every_step_of_every_picture(studio: Studio) -> None:
    studio.draw(replace(studio.task, n=2))

    counted = [(report.stage, report.step, report.steps) for report in studio.progress]
    assert counted == [("denoising", step, 2 * STEPS) for step in range(1, 2 * STEPS + 1)]


def test_a_cancel_ends_the_run_within_a_step_and_the_next_is_unharmed(studio: Studio) -> None:
    before = studio.plain

    with pytest.raises(EngineCancelledError):
        studio.cancel_after(1, replace(studio.task, num_inference_steps=4))

    assert len(studio.progress) == 1
    assert studio.draw_one() == before


def test_the_prompt_is_heard(studio: Studio) -> None:
    assert studio.draw_one(replace(studio.task, prompt="sea")) != studio.plain


def test_guidance_is_passed_where_the_family_has_it(studio: Studio) -> None:
    stronger = replace(studio.task, guidance_scale=9.0)

    is_heard = studio.draw_one(stronger) != studio.plain

    assert is_heard == (studio.spec.id not in UNGUIDED)


def test_a_negative_prompt_is_passed_where_the_family_has_it(studio: Studio) -> None:
    another = replace(studio.task, negative_prompt="night, lake")
    nothing = replace(studio.task, negative_prompt="")

    drawn = {studio.plain, studio.draw_one(another), studio.draw_one(nothing)}

    assert len(drawn) == (1 if studio.spec.id in WITHOUT_NEGATIVE_PROMPT else 3)


def test_a_reference_image_is_used_exactly_where_the_catalogue_says_so(studio: Studio) -> None:
    before = studio.plain
    halfway = replace(studio.task, num_inference_steps=4, strength=0.5)
    bright = replace(halfway, reference_image=reference_png())
    dark = replace(halfway, reference_image=reference_png(is_dark=True))

    if TaskKind.IMAGE_TO_IMAGE not in studio.spec.kinds:
        with pytest.raises(ModelUnavailableError, match="no image-to-image pipeline"):
            studio.draw(bright)
        return
    drawn = [studio.draw(task)[0] for task in (bright, dark, bright)]

    assert {(picture.width, picture.height) for picture in drawn} == {(WIDTH, HEIGHT)}
    assert drawn[0].rgb == drawn[2].rgb
    assert len({before, drawn[0].rgb, drawn[1].rgb}) == 3
    assert studio.draw_one() == before


def test_loading_and_drawing_asks_no_network(studio: Studio, dialled: list[object]) -> None:
    fresh = Studio(studio.spec)

    picture = fresh.draw_one()

    assert dialled == []
    assert picture == studio.plain, "a second load draws something else"


def test_drawing_changes_nothing_of_ours(studio: Studio) -> None:
    """Some pipelines rewrite the prompts that they are given, in place."""
    texts = (studio.task.prompt, studio.task.negative_prompt)
    pipeline = studio.make._shelf.get(studio.spec).pipelines[TaskKind.TEXT_TO_IMAGE]
    arguments = call_arguments(pipeline, studio.task, size=(WIDTH, HEIGHT), index=0)

    studio.draw(replace(studio.task, n=2))

    assert isinstance(arguments["prompt"], str)
    assert (studio.task.prompt, studio.task.negative_prompt) == texts
    assert studio.make.resident_models() == (studio.spec.id,)
