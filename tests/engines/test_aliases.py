"""Aliases: which model answers to a name of another service."""

from pathlib import Path

import pytest

from gen_video.engines.aliases import ChosenModel, ModelAliases
from gen_video.engines.catalogue import (
    Catalogue,
    CatalogueError,
    ModelSpec,
    TaskKind,
    UnknownModelError,
    read_specs,
)
from gen_video.settings import PROJECT_FOLDER

PICTURE, VIDEO = TaskKind.TEXT_TO_IMAGE, TaskKind.TEXT_TO_VIDEO
SPECS = {spec.id: spec for spec in read_specs(Path(PROJECT_FOLDER) / "models.toml")}


def catalogue_of(*names: str, video: str = "") -> Catalogue:
    """Return a catalogue whose first model is the default for pictures."""
    specs: list[ModelSpec] = [SPECS[name] for name in names]
    return Catalogue(specs, default_image_model=names[0], default_video_model=video)


@pytest.mark.parametrize(
    ("name", "kind", "expected", "is_alias"),
    [
        (None, PICTURE, "mini", True),
        ("gpt-image-1", PICTURE, "mini", True),
        ("gpt-image-1.5", PICTURE, "mini", True),
        ("gpt-image-2.6-flare", PICTURE, "mini", True),
        ("chatgpt-image-latest", PICTURE, "mini", True),
        ("dall-e-2", PICTURE, "mini", True),
        ("dall-e-3", PICTURE, "mini", True),
        ("mini-turbo", PICTURE, "mini-turbo", False),
        (None, VIDEO, "mini-video", True),
        ("sora-2", VIDEO, "mini-video", True),
        ("sora-2-pro-2025-10-06", VIDEO, "mini-video", True),
        # What the model can make is checked later, with words about that.
        ("mini", VIDEO, "mini", False),
    ],
)
def test_a_name_leads_to_a_model(
    name: str | None, kind: TaskKind, expected: str, *, is_alias: bool
) -> None:
    aliases = ModelAliases(catalogue_of("mini", "mini-turbo", "mini-video", video="mini-video"))

    assert aliases.choose(name, kind) == ChosenModel(model_id=expected, is_alias=is_alias)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("sora-2", PICTURE), ("gpt-image-1", VIDEO), ("midjourney", PICTURE), ("", PICTURE)],
)
def test_a_name_that_nothing_answers_to_is_unknown(name: str, kind: TaskKind) -> None:
    aliases = ModelAliases(catalogue_of("mini", "mini-video", video="mini-video"))

    with pytest.raises(UnknownModelError):
        aliases.choose(name, kind)


def test_the_operators_names_go_before_the_built_in_ones() -> None:
    catalogue = catalogue_of("mini", "mini-turbo", "sdxl")
    aliases = ModelAliases(catalogue, ["dall-e-2=mini-turbo", "dall-e-*=sdxl", "sdxl=mini"])

    chosen = {name: aliases.choose(name, PICTURE) for name in ("dall-e-2", "dall-e-3", "sdxl")}

    assert {name: item.model_id for name, item in chosen.items()} == {
        "dall-e-2": "mini-turbo",
        "dall-e-3": "sdxl",
        "sdxl": "sdxl",  # our own ids always mean themselves
    }


def test_a_name_that_leads_nowhere_stops_the_start() -> None:
    with pytest.raises(CatalogueError, match="GEN_VIDEO_MODEL_ALIASES: dall-e-3: 'nowhere'"):
        ModelAliases(catalogue_of("mini"), ["dall-e-3=nowhere"])


def test_a_first_frame_chooses_a_model_that_takes_one() -> None:
    names = ("mini", "mini-video", "wan-2.1-i2v-14b-480p")
    aliases = ModelAliases(catalogue_of(*names, video="mini-video"))

    assert aliases.choose("sora-2", TaskKind.IMAGE_TO_VIDEO).model_id == "wan-2.1-i2v-14b-480p"
    assert aliases.choose("sora-2", VIDEO).model_id == "mini-video"


def test_without_any_video_model_there_is_none_to_name() -> None:
    aliases = ModelAliases(catalogue_of("mini"))

    assert aliases.choose("sora-2", VIDEO).model_id == ""
    assert aliases.find("sora-2") is None
    assert aliases.find("dall-e-3") == "mini"
    assert aliases.find("midjourney") is None
