"""What runs inside the engine child: one make of engine per kind of model, loaded by name.

Naming the module instead of importing it keeps torch out of every other process.
"""

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gen_video.engines.catalogue import ModelSpec
from gen_video.engines.tasks import Frames, ImageTask, Picture, StepProgress, VideoTask

MAKES = {
    "diffusers": "gen_video.engines.diffusers_make:DiffusersMake",
    "test-double": "gen_video.engines.test_double:TestDouble",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildConfig:
    """What the child needs to know about this machine.

    Attributes:
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.
        threads: CPU threads for tensors; 0 for torch's own choice.
        memory_mib: Budget for resident models; 0 for most of what the device has.
        lora_folder: Where the operator's adapters lie.
        is_hub_offline: Never ask a model hub.
        video_share: The part of the device's time that a running video keeps while pictures
            wait, 0 to 1; at 1 they wait for its end.
    """

    device: str = "auto"
    threads: int = 0
    memory_mib: int = 0
    lora_folder: str = ""
    is_hub_offline: bool = False
    video_share: float = 0.5

    @property
    def lora_path(self) -> Path:
        """Return the folder of adapters."""
        return Path(self.lora_folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervision:
    """The child's side of a running task: report, and stop when asked.

    `check` raises `EngineCancelledError` when the task was cancelled.
    """

    report: Callable[[StepProgress], None]
    check: Callable[[], None]


class Make(Protocol):
    """A make of engine inside the child; used by one thread."""

    def load(self, spec: ModelSpec) -> None:
        """Bring a model into memory.

        Raises:
            ModelUnavailableError: Its weights are missing or refused.
        """
        ...

    def unload(self, model_id: str) -> None:
        """Let go of a model's memory; one that is not there is ignored."""
        ...

    def run(self, spec: ModelSpec, task: ImageTask, watch: Supervision) -> Iterator[Picture]:
        """Yield the task's pictures in order."""
        ...

    def film(self, spec: ModelSpec, task: VideoTask, watch: Supervision) -> Iterator[Frames]:
        """Yield the task's frames in order; `watch.check` is called between steps."""
        ...

    def has_room_for(self, spec: ModelSpec) -> bool:
        """Tell whether a model can run now without another one leaving the memory."""
        ...

    def resident_models(self) -> tuple[str, ...]:
        """Return the ids of the models in memory."""
        ...


def build_make(name: str, config: ChildConfig) -> Make:
    """Import a make and build it."""
    module_name, _, class_name = MAKES[name].partition(":")
    factory: Callable[[ChildConfig], Make] = getattr(
        importlib.import_module(module_name), class_name
    )
    return factory(config)
