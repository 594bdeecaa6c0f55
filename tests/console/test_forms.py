"""The playground's forms: what they ask for, and which field is wrong."""

import pytest

from gen_video.console.fields import FormFields
from gen_video.console.picture_form import read_picture_form
from gen_video.console.video_form import FirstFrameSource, list_sources, read_video_form
from gen_video.errors import InvalidRequestError
from gen_video.generation.requests import ImageRequest

EMPTY_PICTURE = {"prompt": ["a lake"], "seed": [""], "width": ["64"], "model": ["mini"]}


def picture(**changes: str) -> ImageRequest:
    values = EMPTY_PICTURE | {name: [text] for name, text in changes.items()}
    return read_picture_form(FormFields(values), reference_sha256=None)


def test_what_is_left_empty_is_left_to_the_model() -> None:
    found = picture()

    assert found == ImageRequest(prompt="a lake", width=64, model="mini", previews=4)


def test_a_form_carries_every_choice() -> None:
    found = picture(
        negative_prompt="fog",
        height="48",
        num_inference_steps="4",
        guidance_scale="2.5",
        seed="0",
        n="3",
        output_format="webp",
        style_lora="ink",
    )

    assert found == ImageRequest(
        prompt="a lake",
        negative_prompt="fog",
        width=64,
        height=48,
        num_inference_steps=4,
        guidance_scale=2.5,
        seed=0,
        n=3,
        model="mini",
        output_format="webp",
        style_lora="ink",
    )


def test_strength_means_nothing_without_a_picture() -> None:
    fields = FormFields(EMPTY_PICTURE | {"strength": ["0.5"]})

    assert read_picture_form(fields, reference_sha256=None).strength is None
    assert read_picture_form(fields, reference_sha256="0" * 64).strength == 0.5


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("width", "wide", "not_a_number"),
        ("width", "64.5", "not_a_number"),
        ("seed", "1e400", "not_a_number"),
        ("guidance_scale", "nan", "not_a_number"),
        ("guidance_scale", "-inf", "not_a_number"),
        ("n", "1e20", "not_a_number"),
        ("output_format", "exe", "unknown_value"),
    ],
)
def test_a_field_that_cannot_be_read_is_named(name: str, text: str, code: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        picture(**{name: text})

    assert [(problem.pointer, problem.code) for problem in caught.value.problems] == [
        (f"/{name}", code)
    ]


def board(*scenes: tuple[str, str], **changes: str) -> FormFields:
    values = {name: [text] for name, text in changes.items()}
    return FormFields(
        values
        | {
            "scene_prompt": [prompt for prompt, _ in scenes],
            "scene_duration": [duration for _, duration in scenes],
        }
    )


def test_one_scene_is_a_plain_video() -> None:
    found = read_video_form(board(("waves", "2")), sources=[None])

    assert (found.prompt, found.is_storyboard) == ("waves", False)
    assert [(scene.prompt, scene.duration) for scene in found.scenes] == [("waves", 2.0)]


def test_several_scenes_are_a_storyboard_in_their_order() -> None:
    fields = board(("dawn", "1"), ("", ""), ("night", "2.5"), transition="crossfade")

    found = read_video_form(fields, sources=[None, "5" * 64, None])

    assert (found.is_storyboard, found.transition, found.prompt) == (True, "crossfade", None)
    assert [(scene.prompt, scene.duration, scene.image_source) for scene in found.scenes] == [
        ("dawn", 1.0, None),
        (None, None, "5" * 64),
        ("night", 2.5, None),
    ]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [({"output_format": "exe"}, "/output_format"), ({"transition": "wipe"}, "/transition")],
)
def test_a_word_that_is_none_of_the_choices_is_refused(
    changes: dict[str, str], pointer: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read_video_form(board(("waves", "1"), **changes), sources=[None])

    assert [problem.pointer for problem in caught.value.problems] == [pointer]


def test_the_scene_whose_length_is_wrong_is_named() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read_video_form(board(("a", "1"), ("b", "long")), sources=[None, None])

    assert [problem.pointer for problem in caught.value.problems] == ["/scenes/1/duration"]


def test_an_uploaded_file_goes_before_a_picture_made_here() -> None:
    fields = FormFields(
        {"scene_prompt": ["a", "b", "c"], "scene_own_image": ["images/x.png", "images/y.png", ""]}
    )

    assert list_sources(fields, [b"", b"file", b""]) == (
        FirstFrameSource(own_name="images/x.png"),
        FirstFrameSource(file=b"file"),
        FirstFrameSource(),
    )
