"""LoRA adapters in the operator's folder: `character/*.safetensors` and `style/*.safetensors`.

A description may lie beside a file as `name.txt`. An adapter's name is the file's stem.
"""

import re
from dataclasses import dataclass
from pathlib import Path

KINDS = ("character", "style")
MAX_DESCRIPTION = 500
_NAME = re.compile(r"[\w][\w .+-]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """One adapter on offer."""

    name: str
    kind: str
    description: str
    path: Path


def list_adapters(folder: Path) -> tuple[Adapter, ...]:
    """Return the adapters in a folder; links that lead out of it are left out."""
    return tuple(
        adapter
        for kind in KINDS
        for path in sorted((folder / kind).glob("*.safetensors"))
        if (adapter := _adapter(folder, kind, path)) is not None
    )


def find_adapter(folder: Path, name: str) -> Adapter | None:
    """Return an adapter by its name."""
    return next((adapter for adapter in list_adapters(folder) if adapter.name == name), None)


def _adapter(folder: Path, kind: str, path: Path) -> Adapter | None:
    is_inside = path.resolve().is_relative_to(folder.resolve())
    if not (is_inside and path.is_file() and _NAME.fullmatch(path.stem)):
        return None
    note = path.with_suffix(".txt")
    description = ""
    if note.is_file() and note.resolve().is_relative_to(folder.resolve()):
        description = note.read_text(encoding="utf-8", errors="replace")[:MAX_DESCRIPTION].strip()
    return Adapter(name=path.stem, kind=kind, description=description, path=path)
