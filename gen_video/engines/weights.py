"""Where a model's files come from, and which of them are refused before anything is loaded.

A model is always loaded from a local folder: hub models are downloaded first, so that every
folder passes the same inspection. Only safetensors weights, JSON and vocabularies are fetched.
"""

import json
import re
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any

from gen_video.engines.catalogue import ModelSpec
from gen_video.engines.errors import ModelUnavailableError

FETCHED = ("*.json", "*/*.safetensors", "*.txt", "*.model", "*.jinja")
"""Weights beside `model_index.json` are single-file checkpoints of other programs: gigabytes."""
PLAIN_LIBRARIES = frozenset({"diffusers", "transformers"})
VOCABULARIES = ("tokenizer.json", "vocab.json", "vocab.txt", "*.model")
TOKENIZERS_OF_BYTES = frozenset({"ByT5Tokenizer"})
"""These need no vocabulary: their words are the 256 bytes."""
MAX_HEADER_BYTES = 100 * 1024 * 1024
"""What the safetensors library itself takes at most."""
CODE_SUFFIXES = frozenset({".py", ".pyc", ".so"})


def find_folder(spec: ModelSpec, *, is_offline: bool) -> Path:
    """Return the model's folder on this machine, downloading it if the operator allows.

    Raises:
        ModelUnavailableError: It is not there and cannot be fetched.
    """
    if spec.hub == "local":
        folder = Path(spec.source)
        if not (folder / "model_index.json").is_file():
            raise ModelUnavailableError(spec.id, f"there is no model in the folder {folder.name}")
        return folder
    try:
        if spec.hub == "modelscope":
            return _fetch_from_modelscope(spec)
        return _fetch_from_hugging_face(spec, is_offline=is_offline)
    except ModelUnavailableError:
        raise
    except Exception as error:
        raise ModelUnavailableError(
            spec.id, f"the download failed ({type(error).__name__}); is the hub reachable?"
        ) from error


def inspect_folder(spec: ModelSpec, folder: Path, *, known_modules: frozenset[str]) -> str:
    """Check that a folder names stock classes only; return the pipeline's class name.

    Args:
        spec: For the error's words.
        folder: With a `model_index.json`.
        known_modules: Names of the library's own pipeline modules, which an index may name too.

    Raises:
        ModelUnavailableError: It brings code, or names a library of its own.
    """
    code = next((path for path in folder.rglob("*") if path.suffix in CODE_SUFFIXES), None)
    if code is not None:
        raise ModelUnavailableError(spec.id, f"it brings code of its own ({code.name})")
    check_weights(spec, folder)
    index = _read_index(spec, folder)
    class_name = index.get("_class_name")
    if not isinstance(class_name, str) or not class_name.isidentifier():
        raise ModelUnavailableError(spec.id, "model_index.json names no stock pipeline class")
    for part, value in index.items():
        if isinstance(value, list) and not _is_stock(value, known_modules):
            raise ModelUnavailableError(
                spec.id, f"model_index.json wants code from elsewhere for {part}"
            )
        if isinstance(value, list) and value and value[0] is not None:
            _check_part(spec, folder / part, str(value[1]))
    return class_name


def _check_part(spec: ModelSpec, folder: Path, class_name: str) -> None:
    # Without its vocabulary a tokenizer is built all the same, empty, and the pictures are noise.
    if not folder.is_dir():
        raise ModelUnavailableError(spec.id, f"the folder {folder.name} is missing")
    is_tokenizer = "Tokenizer" in class_name and class_name not in TOKENIZERS_OF_BYTES
    if is_tokenizer and not any(next(folder.glob(name), None) for name in VOCABULARIES):
        raise ModelUnavailableError(spec.id, f"{folder.name} has no vocabulary")


def check_weights(spec: ModelSpec, folder: Path) -> None:
    """Check, without reading them, that the files of weights are as long as they say.

    Raises:
        ModelUnavailableError: One was cut off, or is a pointer of Git LFS in its place.
    """
    for path in folder.rglob("*.safetensors"):
        if not _is_whole(path):
            raise ModelUnavailableError(
                spec.id, f"{path.parent.name}/{path.name} is incomplete; fetch it again"
            )


def _is_whole(path: Path) -> bool:
    """Compare a file's length with its header (format: 8 bytes of length, JSON, the tensors)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > min(size - 8, MAX_HEADER_BYTES):
            return False
        try:
            header = json.loads(file.read(length))
            ends = [
                entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"
            ]
        except (ValueError, TypeError, KeyError, AttributeError, IndexError):
            return False
    return size == 8 + length + max(ends, default=0)


def _read_index(spec: ModelSpec, folder: Path) -> dict[str, Any]:
    try:
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelUnavailableError(spec.id, "model_index.json cannot be read") from error
    if not isinstance(index, dict):
        raise ModelUnavailableError(spec.id, "model_index.json is not an object")
    return index


def _is_stock(value: list[Any], known_modules: frozenset[str]) -> bool:
    library = value[0] if value else None
    return library is None or library in PLAIN_LIBRARIES or library in known_modules


def _fetch_from_hugging_face(spec: ModelSpec, *, is_offline: bool) -> Path:
    from huggingface_hub import list_repo_files, snapshot_download  # noqa: PLC0415 - only for hub models

    patterns = list(FETCHED)
    if not is_offline:
        patterns = choose_files(list_repo_files(spec.source, revision=spec.revision), spec.variant)
    folder = snapshot_download(
        spec.source,
        revision=spec.revision,
        allow_patterns=patterns,
        local_files_only=is_offline,
    )
    return Path(folder)


def choose_files(names: Sequence[str], variant: str | None) -> list[str]:
    """Return the files of a hub repository that a pipeline of this variant needs.

    A folder that has weights of the variant is fetched without its others, which are the same
    weights once more.
    """
    wanted = [name for name in names if any(fnmatch(name, pattern) for pattern in FETCHED)]
    weights = [name for name in wanted if name.endswith(".safetensors")]
    of_variant = {name for name in weights if variant and f".{variant}." in _without_shard(name)}
    folders = {PurePosixPath(name).parent for name in of_variant}
    return [
        name
        for name in wanted
        if name not in weights
        or name in of_variant
        or (PurePosixPath(name).parent not in folders and _is_plain(name))
    ]


def _without_shard(name: str) -> str:
    return re.sub(r"-[0-9]{5}-of-[0-9]{5}", "", PurePosixPath(name).name)


def _is_plain(name: str) -> bool:
    """Tell whether a weights file belongs to no variant: `model.safetensors`, also in shards."""
    return _without_shard(name).count(".") == 1


def _fetch_from_modelscope(spec: ModelSpec) -> Path:
    try:
        from modelscope import snapshot_download  # noqa: PLC0415 - optional package
    except ImportError as error:
        raise ModelUnavailableError(
            spec.id, "the package modelscope is not installed (pip install '.[modelscope]')"
        ) from error
    return Path(
        snapshot_download(spec.source, revision=spec.revision, allow_patterns=list(FETCHED))
    )
