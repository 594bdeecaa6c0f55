"""The catalogue: what is shipped is valid, and what is wrong is said with entry and field."""

from pathlib import Path

import pytest

from gen_video.engines.catalogue import (
    TEST_DOUBLE,
    Catalogue,
    CatalogueError,
    ModelSpec,
    TaskKind,
    UnknownModelError,
    load_catalogue,
    read_specs,
)
from tests.house.project import PROJECT

SHIPPED = PROJECT / "models.toml"
SPECS = read_specs(SHIPPED)

ENTRY = """
[[model]]
id = "lake"
title_en = "Lake"
title_zh = "湖"
source = "models/lake"
hub = "local"
enabled = true
defaults = { width = 512, height = 512, num_inference_steps = 20, guidance_scale = 5.0 }
licence = "Apache-2.0"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "models.toml"
    path.write_text(text, encoding="utf-8")
    return path


def load(path: Path, *, default: str = "mini", include_test_models: bool = False) -> Catalogue:
    return load_catalogue(
        path,
        default_image_model=default,
        include_test_models=include_test_models,
        base_folder=PROJECT,
    )


@pytest.mark.parametrize("entry", SPECS, ids=lambda spec: spec.id)
def test_a_shipped_entry_is_complete(entry: ModelSpec) -> None:
    assert all((entry.title_en, entry.title_zh, entry.description_en, entry.description_zh))
    assert entry.licence
    assert TaskKind.TEXT_TO_IMAGE in entry.kinds or entry.makes_videos
    assert bool(entry.knows_en) == bool(entry.knows_zh)
    assert entry.defaults.width * entry.defaults.height <= entry.limits.max_pixels
    assert entry.defaults.guidance_scale <= entry.limits.max_guidance_scale
    assert 0 < entry.defaults.strength <= 1


def test_a_video_model_without_limits_of_its_frames_is_refused(tmp_path: Path) -> None:
    """It would make clips of one frame, and nobody would be told."""
    path = tmp_path / "models.toml"
    path.write_text(f'{ENTRY}kinds = ["text-to-video"]\n')

    with pytest.raises(CatalogueError, match="max_frames"):
        read_specs(path)


EMBEDDED = ["mini", "mini-turbo", "mini-video"]


@pytest.mark.parametrize("entry", SPECS, ids=lambda spec: spec.id)
def test_native_sizes_lie_within_the_limits(entry: ModelSpec) -> None:
    for width, height in entry.native_sizes:
        assert entry.limits.min_width <= width <= entry.limits.max_width
        assert entry.limits.min_height <= height <= entry.limits.max_height
        assert width % entry.limits.multiple_of == 0
        assert height % entry.limits.multiple_of == 0


def test_only_the_embedded_models_are_on_offer_at_first() -> None:
    catalogue = load(SHIPPED)

    assert [spec.id for spec in catalogue.list_models()] == EMBEDDED
    assert catalogue.default_image_model == "mini"


def test_the_embedded_model_is_found_wherever_the_service_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)

    source = Path(load(SHIPPED).get("mini").source)

    assert (source / "model_index.json").is_file()


def test_operators_enable_more_models_by_their_ids() -> None:
    catalogue = load_catalogue(
        SHIPPED,
        default_image_model="sdxl",
        include_test_models=False,
        base_folder=PROJECT,
        enabled_models=["sdxl", "kolors"],
    )

    assert {spec.id for spec in catalogue.list_models()} == {*EMBEDDED, "sdxl", "kolors"}
    assert catalogue.get("sdxl").source == "stabilityai/stable-diffusion-xl-base-1.0"


def test_the_test_double_comes_only_on_request() -> None:
    enabled = load_catalogue(
        SHIPPED,
        default_image_model="mini",
        include_test_models=False,
        base_folder=PROJECT,
        enabled_models=[TEST_DOUBLE],
    )

    assert enabled.find(TEST_DOUBLE) is None
    assert load(SHIPPED, include_test_models=True).get(TEST_DOUBLE).is_test_only


def test_models_are_listed_by_what_they_make(tmp_path: Path) -> None:
    catalogue = load(write(tmp_path, ENTRY), default="lake")

    assert [spec.id for spec in catalogue.list_models(TaskKind.TEXT_TO_IMAGE)] == ["lake"]
    assert catalogue.list_models(TaskKind.IMAGE_TO_IMAGE) == []


def test_a_model_that_is_not_on_offer_is_unknown() -> None:
    with pytest.raises(UnknownModelError, match="no model sdxl") as caught:
        load(SHIPPED).get("sdxl")

    assert caught.value.status == 422


def test_a_default_model_that_is_not_enabled_is_refused() -> None:
    with pytest.raises(CatalogueError, match=r"models\.toml: sdxl: .*not enabled"):
        load(SHIPPED, default="sdxl")


@pytest.mark.parametrize(
    ("old", "new", "where", "reason"),
    [
        ("licence =", "license =", "model.0.licence", "required"),
        ('hub = "local"', 'hub = "local"\ncolour = "red"', "model.0.colour", "not permitted"),
        ('hub = "local"', 'hub = "floppy"', "model.0.hub", "local"),
        ('id = "lake"', 'id = "../lake"', "model.0.id", "pattern"),
        ("width = 512", 'width = "wide"', "model.0.defaults.width", "integer"),
        ("width = 512", "width = 100", "model.0", "within the limits"),
        ("width = 512", "width = 513", "model.0", "within the limits"),
        ("height = 512", "height = 4096", "model.0", "within the limits"),
        ("num_inference_steps = 20", "num_inference_steps = 999", "model.0", "within the limits"),
        ("enabled = true", 'kinds = ["text-to-smell"]', "model.0.kinds.0", "text-to-image"),
        ("enabled = true", "price_micros = -1", "model.0.price_micros", "greater than or equal"),
        ("enabled = true", "limits = { max_cats = 3 }", "model.0.limits.max_cats", "not permitted"),
    ],
)
def test_what_is_wrong_is_said_with_entry_and_field(
    tmp_path: Path, old: str, new: str, where: str, reason: str
) -> None:
    assert old in ENTRY
    path = write(tmp_path, ENTRY.replace(old, new, 1))

    with pytest.raises(CatalogueError) as caught:
        read_specs(path)

    assert caught.value.facts["file"] == "models.toml"
    assert caught.value.facts["where"] == where
    assert reason in str(caught.value.facts["reason"])


def test_the_second_of_two_entries_is_named_by_its_number(tmp_path: Path) -> None:
    broken = ENTRY.replace('id = "lake"', 'id = "sea"').replace('hub = "local"', "hub = 3")

    with pytest.raises(CatalogueError, match=r"model\.1\.hub"):
        read_specs(write(tmp_path, ENTRY + broken))


def test_an_id_that_appears_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="lake: this id appears twice"):
        read_specs(write(tmp_path, ENTRY + ENTRY))


@pytest.mark.parametrize("text", ["[[model]\n", "model = 3", "", "[[model]]\nid = 'x\n"])
def test_a_file_that_is_no_catalogue_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(CatalogueError):
        read_specs(write(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"models\.toml: -: file not found"):
        read_specs(tmp_path / "models.toml")


def test_a_file_of_other_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "models.toml"
    path.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(CatalogueError):
        read_specs(path)
