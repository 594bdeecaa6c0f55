"""Precision and place: the device to train on, and the number format that it multiplies fastest.

bfloat16 halves the time of a step on hardware that has it (GPUs, AMX, AVX-512 BF16) and costs
twenty times as much where it is emulated.
"""

from contextlib import AbstractContextManager

import torch

NATIVE_BFLOAT16 = ("amx_bf16", "avx512_bf16", "avx10_2", "bf16")


def choose_device(wanted: str = "auto") -> torch.device:
    """Return the device of that name; `auto` takes a GPU where there is one."""
    if wanted != "auto":
        return torch.device(wanted)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def fast_dtype(device: torch.device) -> torch.dtype:
    """Return bfloat16 on a device that computes with it, else float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    able = torch.cpu.get_capabilities()
    is_native = any(able.get(name, False) for name in NATIVE_BFLOAT16)
    return torch.bfloat16 if is_native else torch.float32


def autocast(device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which matrix products use the fast format."""
    is_fast = fast_dtype(device) == torch.bfloat16
    return torch.autocast(device.type, torch.bfloat16, enabled=is_fast)
