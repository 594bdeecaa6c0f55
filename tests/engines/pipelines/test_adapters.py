"""LoRA adapters work for the one request that names them, and never beyond it."""

from dataclasses import replace
from pathlib import Path

import pytest

from gen_video.engines.errors import EngineCancelledError, EngineFailedError
from gen_video.engines.tasks import ImageTask, LoraChoice
from tests.engines.pipelines.adapters import save_adapter, save_foreign_tensors
from tests.engines.pipelines.conftest import FolderOf
from tests.engines.pipelines.families import FAMILIES
from tests.engines.pipelines.studio import SPECS, Studio, local_spec, reference_png

pytestmark = pytest.mark.engine

WITH_ADAPTERS = [spec.id for spec in SPECS.values() if spec.lora_family and spec.id in FAMILIES]


@pytest.fixture(scope="module")
def lora_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of adapters: two for each family, and some that fit nothing."""
    folder = tmp_path_factory.mktemp("loras")
    (folder / "character").mkdir()
    style = folder / "style"
    style.mkdir()
    for model_id in ("sd-1.5", "sdxl"):
        save_adapter(model_id, style / f"{model_id}.safetensors")
        save_adapter(model_id, folder / "character" / f"{model_id} hero.safetensors", seed=2)
    save_adapter("flux-dev", style / "flux.safetensors")
    save_foreign_tensors(style / "foreign.safetensors")
    (style / "garbage.safetensors").write_bytes(b"\x10" + bytes(7) + b"no safetensors at all")
    return folder


@pytest.fixture(scope="module", params=["sd-1.5", "sdxl"])
def studio(request: pytest.FixtureRequest, folder_of: FolderOf, lora_folder: Path) -> Studio:
    """Return a family that takes adapters, loaded."""
    return Studio(local_spec(request.param, folder_of(request.param)), lora_folder=lora_folder)


def with_adapters(studio: Studio, *choices: LoraChoice) -> ImageTask:
    """Return the plain task with these adapters."""
    return replace(studio.task, loras=choices)


def style_of(studio: Studio, scale: float = 1.0) -> LoraChoice:
    """Return the style that fits a studio's model."""
    return LoraChoice(name=studio.spec.id, scale=scale)


def hero_of(studio: Studio) -> LoraChoice:
    """Return the character that fits a studio's model."""
    return LoraChoice(name=f"{studio.spec.id} hero")


def test_an_adapter_changes_the_picture_and_leaves_no_trace(studio: Studio) -> None:
    before = studio.draw_one()

    styled = [studio.draw_one(with_adapters(studio, style_of(studio))) for _ in range(2)]

    assert styled[0] != before
    assert styled[0] == styled[1]
    assert studio.draw_one() == before


def test_adapters_add_up_and_their_strength_counts(studio: Studio) -> None:
    plain = studio.draw_one()
    tasks = [
        with_adapters(studio, style_of(studio)),
        with_adapters(studio, style_of(studio, scale=0.5)),
        with_adapters(studio, hero_of(studio)),
        with_adapters(studio, style_of(studio), hero_of(studio)),
    ]

    drawn = {studio.draw_one(task) for task in tasks}

    assert len(drawn | {plain}) == len(tasks) + 1


def test_an_adapter_of_no_strength_changes_nothing(studio: Studio) -> None:
    task = with_adapters(studio, style_of(studio, scale=0.0))

    assert studio.draw_one(task) == studio.draw_one()


def test_an_adapter_works_on_a_reference_image_too(studio: Studio) -> None:
    task = replace(studio.task, reference_image=reference_png(), num_inference_steps=4)
    before = studio.draw_one(task)

    styled = studio.draw_one(replace(task, loras=(style_of(studio),)))

    assert styled != before
    assert studio.draw_one(task) == before


def test_an_adapter_is_gone_after_a_cancel(studio: Studio) -> None:
    before = studio.draw_one()

    with pytest.raises(EngineCancelledError):
        studio.cancel_after(1, with_adapters(studio, style_of(studio)))

    assert studio.draw_one() == before


def test_a_missing_adapter_is_named(studio: Studio) -> None:
    before = studio.draw_one()

    with pytest.raises(EngineFailedError, match="there is no adapter nobody"):
        studio.draw(with_adapters(studio, style_of(studio), LoraChoice(name="nobody")))

    assert studio.draw_one() == before


@pytest.mark.parametrize("name", ["other", "flux", "foreign", "garbage"])
def test_an_adapter_that_does_not_fit_is_named_and_leaves_no_trace(
    studio: Studio, name: str
) -> None:
    other = {"sd-1.5": "sdxl", "sdxl": "sd-1.5"}[studio.spec.id] if name == "other" else name
    before = studio.draw_one()

    with pytest.raises(EngineFailedError, match=f"{other} does not fit this model"):
        studio.draw(with_adapters(studio, style_of(studio), LoraChoice(name=other)))

    assert studio.draw_one() == before
    assert studio.draw_one(with_adapters(studio, style_of(studio))) != before


@pytest.mark.parametrize("model_id", WITH_ADAPTERS)
def test_every_family_that_names_adapters_takes_them(
    folder_of: FolderOf, tmp_path: Path, model_id: str
) -> None:
    (tmp_path / "style").mkdir()
    save_adapter(model_id, tmp_path / "style" / "mine.safetensors")
    studio = Studio(local_spec(model_id, folder_of(model_id)), lora_folder=tmp_path)
    before = studio.draw_one()

    styled = studio.draw_one(with_adapters(studio, LoraChoice(name="mine")))

    assert styled != before
    assert studio.draw_one() == before
