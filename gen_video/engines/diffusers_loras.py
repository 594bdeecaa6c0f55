"""LoRA adapters for one request: loaded before, gone after, so that the next is unaffected."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from safetensors import SafetensorError

from gen_video.engines.errors import EngineFailedError
from gen_video.engines.loras import find_adapter
from gen_video.engines.tasks import LoraChoice

Pipeline: TypeAlias = Any


@contextmanager
def use_adapters(
    pipeline: Pipeline, choices: Sequence[LoraChoice], *, folder: Path
) -> Iterator[None]:
    """Apply adapters from the operator's folder while the block runs.

    Raises:
        EngineFailedError: An adapter is missing or does not fit the model.
    """
    if not choices:
        yield
        return
    try:
        _load(pipeline, choices, folder)
        yield
    finally:
        pipeline.unload_lora_weights()


def _load(pipeline: Pipeline, choices: Sequence[LoraChoice], folder: Path) -> None:
    names: list[str] = []
    for number, choice in enumerate(choices):
        adapter = find_adapter(folder, choice.name)
        if adapter is None:
            raise EngineFailedError(f"there is no adapter {choice.name}")
        names.append(f"adapter_{number}")
        try:
            pipeline.load_lora_weights(
                str(adapter.path.parent),
                weight_name=adapter.path.name,
                adapter_name=names[-1],
                use_safetensors=True,
                local_files_only=True,
            )
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise _misfit(choice.name) from error
        # Weights whose names match nothing are passed over in silence.
        if not any(names[-1] in adapters for adapters in pipeline.get_list_adapters().values()):
            raise _misfit(choice.name)
    pipeline.set_adapters(names, adapter_weights=[choice.scale for choice in choices])


def _misfit(name: str) -> EngineFailedError:
    return EngineFailedError(f"the adapter {name} does not fit this model")
