"""The machine that a process runs on: memory, cores, and the room on its disks. Looks only."""

import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

LOW_SPACE_BYTES = 1_000_000_000
LOW_MEMORY_BYTES = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderFacts:
    """A folder and the disk that it is on."""

    path: Path
    free_bytes: int
    total_bytes: int
    is_writable: bool

    @property
    def is_well(self) -> bool:
        """Tell whether it can be written and has room."""
        return self.is_writable and self.free_bytes >= LOW_SPACE_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineFacts:
    """What a machine has, and what of it is free."""

    host: str
    system: str
    python: str
    cores: int
    load: float
    memory_bytes: int
    free_memory_bytes: int
    process_bytes: int
    folders: Mapping[str, FolderFacts]

    @property
    def has_memory(self) -> bool:
        """Tell whether there is memory left."""
        return self.free_memory_bytes >= LOW_MEMORY_BYTES


def read_machine(folders: Mapping[str, Path]) -> MachineFacts:
    """Look at this machine and at some folders by name."""
    memory = psutil.virtual_memory()
    return MachineFacts(
        host=platform.node(),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        cores=os.cpu_count() or 1,
        load=psutil.getloadavg()[0],
        memory_bytes=memory.total,
        free_memory_bytes=memory.available,
        process_bytes=psutil.Process().memory_info().rss,
        folders={name: _read_folder(path) for name, path in folders.items()},
    )


def _read_folder(path: Path) -> FolderFacts:
    existing = next(folder for folder in (path, *path.parents) if folder.exists())
    usage = shutil.disk_usage(existing)
    return FolderFacts(
        path=path,
        free_bytes=usage.free,
        total_bytes=usage.total,
        is_writable=os.access(existing, os.W_OK),
    )
