"""Supply: batches made ahead by other processes, so that a fast device never waits for them.

On a CPU the training itself is the slow side: with 0 workers the batches are made in turn.
"""

import os
from collections.abc import Callable, Iterator
from typing import TypeVar

from torch.utils.data import DataLoader, IterableDataset, get_worker_info

Item = TypeVar("Item")
AHEAD = 4  # batches per worker


class _Source(IterableDataset[Item]):
    def __init__(self, make: Callable[[int], Iterator[Item]], seed: int) -> None:
        self._make, self._seed = make, seed

    def __iter__(self) -> Iterator[Item]:
        worker = get_worker_info()
        return self._make(self._seed if worker is None else self._seed + 1 + worker.id)


def supply(make: Callable[[int], Iterator[Item]], *, seed: int, workers: int) -> Iterator[Item]:
    """Return an endless supply of what `make` yields for a seed, from so many processes."""
    if workers == 0:
        return make(seed)
    loader = DataLoader(
        _Source(make, seed), batch_size=None, num_workers=workers, prefetch_factor=AHEAD
    )
    return iter(loader)


def default_workers(device_type: str) -> int:
    """Return how many processes feed a device: none for a CPU, most cores for a GPU."""
    return 0 if device_type == "cpu" else max(1, (os.cpu_count() or 2) - 2)
