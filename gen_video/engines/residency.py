"""Residency: which pipelines stay in memory, under a budget; the least used leaves first."""

import gc
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil
import torch

MIB = 1024 * 1024
SHARE_OF_DEVICE = 0.85


@dataclass(slots=True)
class Resident:
    """A loaded model: its pipelines by class of task, and what it needs in MiB."""

    pipelines: dict[str, Any]
    need_mib: int


class Residency:
    """Keeps models loaded while they fit.

    Args:
        budget_mib: What all models together may need; 0 for most of the device's memory.
        device: The device that holds them.
    """

    def __init__(self, *, budget_mib: int, device: str) -> None:
        self._device = device
        self._budget_mib = budget_mib or device_memory_mib(device) * SHARE_OF_DEVICE
        self._residents: OrderedDict[str, Resident] = OrderedDict()

    def get(self, model_id: str, load: Callable[[], Resident], *, need_mib: int) -> Resident:
        """Return a model, loading it (and evicting others) when it is not there.

        A model larger than the whole budget is loaded alone: the device will say if it fits.
        """
        if model_id in self._residents:
            self._residents.move_to_end(model_id)
            return self._residents[model_id]
        while self._residents and self._used_mib() + need_mib > self._budget_mib:
            self._evict()
        self._residents[model_id] = load()
        return self._residents[model_id]

    def has_room_for(self, model_id: str, *, need_mib: int) -> bool:
        """Tell whether a model is loaded, or fits beside those that are."""
        is_there = model_id in self._residents
        return is_there or self._used_mib() + need_mib <= self._budget_mib

    def names(self) -> tuple[str, ...]:
        """Return the ids of the loaded models, least recently used first."""
        return tuple(self._residents)

    def drop(self, model_id: str) -> None:
        """Let a model leave now; one that is not there is ignored."""
        if model_id in self._residents:
            self._residents.move_to_end(model_id, last=False)
            self._evict()

    def _used_mib(self) -> int:
        return sum(resident.need_mib for resident in self._residents.values())

    def _evict(self) -> None:
        _, resident = self._residents.popitem(last=False)
        resident.pipelines.clear()
        del resident
        gc.collect()
        if self._device.startswith("cuda"):
            torch.cuda.empty_cache()


def device_memory_mib(device: str) -> int:
    """Return the memory of a device in MiB; for the CPU that of the machine."""
    if device.startswith("cuda"):
        properties = torch.cuda.get_device_properties(torch.device(device))
        return int(properties.total_memory // MIB)

    return int(psutil.virtual_memory().total // MIB)
