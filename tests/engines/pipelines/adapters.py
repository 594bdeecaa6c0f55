"""Tiny LoRA adapters for the tiny pipelines, saved the way that training tools save them."""

from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model_state_dict
from safetensors.torch import save_file

from tests.engines.pipelines.families import BUILDERS

ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]


def save_adapter(model_id: str, path: Path, *, seed: int = 1) -> None:
    """Save a strong random adapter for the network of a family."""
    torch.manual_seed(seed)
    pipeline = BUILDERS[model_id](path.parent)
    part = "unet" if hasattr(pipeline, "unet") else "transformer"
    network = getattr(pipeline, part)
    network.add_adapter(
        LoraConfig(r=2, lora_alpha=16, target_modules=ATTENTION, init_lora_weights=False)
    )
    type(pipeline).save_lora_weights(
        path.parent,
        **{f"{part}_lora_layers": get_peft_model_state_dict(network)},
        weight_name=path.name,
        safe_serialization=True,
    )


def save_foreign_tensors(path: Path) -> None:
    """Save a file of tensors that is no adapter at all."""
    save_file({"something.weight": torch.zeros(2, 2)}, path)
