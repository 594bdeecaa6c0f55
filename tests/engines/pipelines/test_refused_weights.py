"""What is never loaded: code of others, pickles, damaged files; each with a clear error."""

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typing_extensions import override

from gen_video.engines.catalogue import ModelSpec
from gen_video.engines.errors import ModelUnavailableError
from tests.engines.pipelines.conftest import FolderOf
from tests.engines.pipelines.studio import SPECS, Studio, local_spec

pytestmark = pytest.mark.engine

MODEL = "flux-schnell"


class Canary:
    """Leaves a folder behind when it is unpickled."""

    def __init__(self, cage: Path) -> None:
        self._cage = cage

    @override
    def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
        return os.mkdir, (str(self._cage),)


@pytest.fixture
def folder(folder_of: FolderOf, tmp_path: Path) -> Path:
    """Return a copy of a sound model's folder, to be damaged."""
    return shutil.copytree(folder_of(MODEL), tmp_path / "model")


def refusal(spec: ModelSpec) -> str:
    """Return the words of the error that loading a model ends in."""
    with pytest.raises(ModelUnavailableError) as caught:
        Studio(spec).make.load(spec)
    return str(caught.value)


def weights_of(folder: Path, part: str) -> Path:
    """Return a part's only file of weights."""
    (path,) = (folder / part).glob("*.safetensors")
    return path


def test_a_canary_really_sings(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Canary(tmp_path / "cage")))  # noqa: S301 - our own

    assert (tmp_path / "cage").is_dir()


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("transformer", "diffusion_pytorch_model.bin"),
        ("vae", "diffusion_pytorch_model.bin"),
        ("text_encoder", "pytorch_model.bin"),
        ("text_encoder_2", "pytorch_model.bin"),
    ],
)
def test_pickled_weights_are_refused_and_never_unpickled(
    folder: Path, tmp_path: Path, part: str, name: str
) -> None:
    weights_of(folder, part).unlink()
    (folder / part / name).write_bytes(pickle.dumps(Canary(tmp_path / "cage")))

    words = refusal(local_spec(MODEL, folder))

    assert words.startswith(f"Model {MODEL} cannot be loaded: ")
    assert not (tmp_path / "cage").exists()


def test_a_pickle_beside_sound_weights_is_ignored(folder: Path, tmp_path: Path) -> None:
    for name in ("diffusion_pytorch_model.bin", "pytorch_model.bin"):
        for part in ("transformer", "text_encoder"):
            (folder / part / name).write_bytes(pickle.dumps(Canary(tmp_path / "cage")))

    Studio(local_spec(MODEL, folder)).draw()

    assert not (tmp_path / "cage").exists()


@pytest.mark.parametrize("part", ["transformer", "vae", "text_encoder", "text_encoder_2"])
@pytest.mark.parametrize("damage", ["missing", "cut", "garbage"])
def test_damaged_weights_are_refused(folder: Path, part: str, damage: str) -> None:
    weights = weights_of(folder, part)
    match damage:
        case "missing":
            weights.unlink()
        case "cut":
            weights.write_bytes(weights.read_bytes()[:-100])
        case _:
            weights.write_bytes(b"\x10" + bytes(7) + b"no safetensors at all")

    assert refusal(local_spec(MODEL, folder))


@pytest.mark.parametrize("part", ["transformer", "vae", "text_encoder", "scheduler"])
def test_a_broken_configuration_is_refused(folder: Path, part: str) -> None:
    name = "scheduler_config.json" if part == "scheduler" else "config.json"
    (folder / part / name).write_text("{", encoding="utf-8")

    assert refusal(local_spec(MODEL, folder))


@pytest.mark.parametrize("part", ["tokenizer", "scheduler", "transformer", "text_encoder_2"])
def test_a_missing_part_is_refused(folder: Path, part: str) -> None:
    """A download that broke off must not draw nonsense."""
    shutil.rmtree(folder / part)

    assert refusal(local_spec(MODEL, folder))


@pytest.mark.parametrize("part", ["tokenizer", "tokenizer_2"])
def test_a_tokenizer_without_its_vocabulary_is_refused(folder: Path, part: str) -> None:
    for path in (folder / part).iterdir():
        if path.name != "tokenizer_config.json":
            path.unlink()

    assert refusal(local_spec(MODEL, folder))


def test_a_configuration_that_points_to_code_on_a_hub_is_refused(
    folder: Path, dialled: list[object]
) -> None:
    index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    index["text_encoder"] = ["transformers", "AutoModel"]
    (folder / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
    hidden = {"model_type": "mine", "auto_map": {"AutoModel": "someone/else--code.Model"}}
    (folder / "text_encoder" / "config.json").write_text(json.dumps(hidden), encoding="utf-8")

    assert refusal(local_spec(MODEL, folder))
    assert dialled == []


def test_code_beside_the_weights_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "transformer" / "model.py").write_text(f"import os; os.mkdir({str(tmp_path)!r})")

    assert "it brings code of its own (model.py)" in refusal(local_spec(MODEL, folder))


@pytest.mark.parametrize(
    "change",
    [
        {"transformer": ["my_model", "MyTransformer"]},
        {"transformer": ["os", "system"]},
        {"scheduler": ["scheduling_mine", "MyScheduler"]},
        {"_class_name": "StableDiffusionMinePipeline"},
        {"_class_name": ["pipeline", "MyPipeline"]},
    ],
)
def test_an_index_that_wants_other_classes_is_refused(
    folder: Path, change: dict[str, object]
) -> None:
    path = folder / "model_index.json"
    index = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(index | change), encoding="utf-8")

    assert refusal(local_spec(MODEL, folder))


@pytest.mark.parametrize("class_name", ["logging", "DDPMScheduler", "AutoencoderKL", "__name__"])
def test_a_class_that_is_no_pipeline_is_refused(folder: Path, class_name: str) -> None:
    path = folder / "model_index.json"
    index = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(index | {"_class_name": class_name}), encoding="utf-8")

    assert refusal(local_spec(MODEL, folder))


def test_an_unknown_scheduler_of_the_catalogue_is_refused(folder: Path) -> None:
    spec = local_spec(MODEL, folder).model_copy(update={"scheduler": "NoSuchScheduler"})

    assert "there is no scheduler NoSuchScheduler" in refusal(spec)


def test_a_scheduler_of_the_catalogue_is_used(folder_of: FolderOf) -> None:
    plain = Studio(local_spec("sd-1.5", folder_of("sd-1.5")))
    chosen = plain.spec.model_copy(
        update={"scheduler": "DDIMScheduler", "scheduler_config": {"timestep_spacing": "trailing"}}
    )

    assert Studio(chosen).draw_one() != plain.draw_one()


def test_a_variant_that_is_not_there_is_refused(folder: Path) -> None:
    spec = local_spec(MODEL, folder).model_copy(update={"variant": "fp16"})

    assert "fp16" in refusal(spec)


@pytest.mark.parametrize("model_id", ["sdxl", "z-image-turbo"])
def test_an_offline_hub_model_is_refused_without_a_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, dialled: list[object], model_id: str
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    words = refusal(SPECS[model_id])

    assert "the download failed" in words
    assert dialled == []
