"""Adds entries to `models.toml`; what would not be read back is never written."""

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from gen_video.engines.catalogue import read_specs


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """What an operator says about a new model; sizes in pixels.

    Attributes:
        frames: Of a video that asks for no number; 0 for a model of pictures.
        max_frames: Of a video at most.
        frames_step: The model makes `frames_step * k + 1` frames.
    """

    id: str
    title_en: str
    title_zh: str
    kinds: tuple[str, ...]
    source: str
    hub: str
    dtype: str
    offload: str
    width: int
    height: int
    steps: int
    guidance: float
    memory_mib: int
    licence: str
    is_enabled: bool
    frames: int = 0
    max_frames: int = 0
    frames_step: int = 1
    fps: int = 16

    def as_toml(self) -> str:
        """Return the entry as it stands in the file; a JSON string is a TOML string too."""
        source = str(Path(self.source).expanduser().resolve()) if self._is_outside else self.source
        texts = {
            "id": self.id,
            "title_en": self.title_en,
            "title_zh": self.title_zh,
            "source": source,
            "hub": self.hub,
            "dtype": self.dtype,
            "offload": self.offload,
            "licence": self.licence,
        }
        defaults = (
            f"width = {self.width}, height = {self.height}, "
            f"num_inference_steps = {self.steps}, guidance_scale = {float(self.guidance)}"
        )
        if self.frames:
            defaults += f", num_frames = {self.frames}, fps = {self.fps}"
        lines = [f"{name} = {_quote(text)}" for name, text in texts.items()]
        lines += [
            f"enabled = {str(self.is_enabled).lower()}",
            f"kinds = [{', '.join(_quote(kind) for kind in self.kinds)}]",
            f"defaults = {{ {defaults} }}",
            f"memory_mib = {self.memory_mib}",
        ]
        if self.frames:
            limits = (
                f"multiple_of = 16, max_frames = {max(self.frames, self.max_frames)}, "
                f"frames_step = {self.frames_step}"
            )
            lines.append(f"limits = {{ {limits} }}")
        return "\n[[model]]\n" + "\n".join(lines) + "\n"

    @property
    def _is_outside(self) -> bool:
        return self.hub == "local" and self.source.startswith((".", "~"))


def append_entry(path: Path, entry: NewEntry) -> None:
    """Add an entry at the end of a catalogue file, atomically; comments stay as they are.

    Raises:
        CatalogueError: The entry is wrong or its id is taken; the file is unchanged.
    """
    text = path.read_text(encoding="utf-8").rstrip("\n") + "\n" + entry.as_toml()
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".models-") as folder:
        candidate = Path(folder) / path.name
        candidate.write_text(text, encoding="utf-8")
        read_specs(candidate)
        candidate.chmod(path.stat().st_mode & 0o777)
        with candidate.open("rb") as file:
            os.fsync(file.fileno())
        candidate.replace(path)


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
