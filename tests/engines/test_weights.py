"""Where a model's files come from, and which folders are refused unread."""

import json
from pathlib import Path

import pytest

from gen_video.engines.catalogue import ModelDefaults, ModelSpec
from gen_video.engines.errors import ModelUnavailableError
from gen_video.engines.weights import check_weights, find_folder, inspect_folder

KNOWN_MODULES = frozenset({"stable_diffusion", "kolors"})
INDEX: dict[str, object] = {
    "_class_name": "KolorsPipeline",
    "_diffusers_version": "0.42.1",
    "unet": ["diffusers", "UNet2DConditionModel"],
    "text_encoder": ["kolors", "ChatGLMModel"],
    "image_encoder": [None, None],
    "force_zeros_for_empty_prompt": True,
}


def spec_of(source: object, hub: str = "local") -> ModelSpec:
    defaults = ModelDefaults(width=512, height=512, num_inference_steps=4, guidance_scale=1.0)
    return ModelSpec.model_validate(
        {
            "id": "lake",
            "title_en": "Lake",
            "title_zh": "湖",
            "source": str(source),
            "hub": hub,
            "defaults": defaults,
            "licence": "Apache-2.0",
        }
    )


def write_index(folder: Path, index: object) -> None:
    (folder / "model_index.json").write_text(json.dumps(index), encoding="utf-8")


def inspect(folder: Path) -> str:
    return inspect_folder(spec_of(folder), folder, known_modules=KNOWN_MODULES)


def test_a_stock_model_is_told_by_its_class(tmp_path: Path) -> None:
    write_index(tmp_path, INDEX)
    for part in ("unet", "text_encoder"):
        (tmp_path / part).mkdir()

    assert inspect(tmp_path) == "KolorsPipeline"


@pytest.mark.parametrize("name", ["model.py", "unet/a.py", "a/b/c.pyc", "native.so"])
def test_a_folder_with_code_is_refused(tmp_path: Path, name: str) -> None:
    write_index(tmp_path, INDEX)
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")

    with pytest.raises(ModelUnavailableError, match=f"code of its own \\({path.name}\\)"):
        inspect(tmp_path)


@pytest.mark.parametrize(
    "value", [["mine", "Unet"], ["unet", "Unet"], ["diffusers.evil", "X"], ["", "X"], ["os", "X"]]
)
def test_a_part_of_another_library_is_refused(tmp_path: Path, value: list[str]) -> None:
    write_index(tmp_path, INDEX | {"unet": value})

    with pytest.raises(ModelUnavailableError, match="wants code from elsewhere for unet"):
        inspect(tmp_path)


@pytest.mark.parametrize(
    "class_name", [None, 3, ["pipeline", "Mine"], "", "a.b", "someone/else", "__import__('os')"]
)
def test_an_index_without_a_plain_class_name_is_refused(tmp_path: Path, class_name: object) -> None:
    write_index(tmp_path, INDEX | {"_class_name": class_name})

    with pytest.raises(ModelUnavailableError, match="names no stock pipeline class"):
        inspect(tmp_path)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"nonsense"])
def test_a_broken_index_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "model_index.json").write_bytes(text)

    with pytest.raises(ModelUnavailableError, match="cannot be read"):
        inspect(tmp_path)


@pytest.mark.parametrize("index", [[], "text", 3, None])
def test_an_index_that_is_no_object_is_refused(tmp_path: Path, index: object) -> None:
    write_index(tmp_path, index)

    with pytest.raises(ModelUnavailableError, match="not an object"):
        inspect(tmp_path)


@pytest.mark.parametrize("makes_folder", [True, False])
def test_a_missing_model_is_named_but_not_its_whole_path(
    tmp_path: Path, *, makes_folder: bool
) -> None:
    folder = tmp_path / "lake"
    if makes_folder:
        folder.mkdir()

    with pytest.raises(ModelUnavailableError, match="no model in the folder lake") as caught:
        find_folder(spec_of(folder), is_offline=True)

    assert str(tmp_path) not in str(caught.value)
    assert (caught.value.status, caught.value.is_retryable) == (503, False)


def test_a_local_model_is_found_where_it_lies(tmp_path: Path) -> None:
    write_index(tmp_path, INDEX)

    assert find_folder(spec_of(tmp_path), is_offline=True) == tmp_path


def test_a_hub_whose_package_is_missing_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "modelscope", None)

    with pytest.raises(ModelUnavailableError, match=r"pip install '\.\[modelscope\]'"):
        find_folder(spec_of("someone/lake", "modelscope"), is_offline=False)


def tensors(*, missing: int = 0, extra: int = 0) -> bytes:
    """Return a file with one tensor of 16 bytes, or with some bytes too few or too many."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    whole = len(header).to_bytes(8, "little") + header + bytes(16 + extra)
    return whole[: len(whole) - missing]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"short",
        tensors(missing=1),
        tensors(missing=20),
        tensors(extra=1),
        (2**60).to_bytes(8, "little") + b"{}",
        (4).to_bytes(8, "little") + b"nope",
        (2).to_bytes(8, "little") + b"[]",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 28138984\n",
    ],
)
def test_weights_that_are_not_whole_are_refused_unread(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "model.safetensors").write_bytes(content)

    with pytest.raises(ModelUnavailableError, match=r"unet/model\.safetensors is incomplete"):
        check_weights(spec_of(tmp_path), tmp_path)


def test_whole_weights_pass(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(tensors())

    check_weights(spec_of(tmp_path), tmp_path)
