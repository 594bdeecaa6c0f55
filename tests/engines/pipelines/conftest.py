"""Fixtures of tests with real pipelines: tiny models, built once per session and never fetched."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.engines.pipelines.families import BUILDERS, FAMILIES, save_pipeline
from tests.engines.pipelines.studio import SPECS, Studio, local_spec

FolderOf = Callable[[str], Path]
StudioOf = Callable[[str], Studio]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Threads that wait for each other are slow where the cores are shared."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return the addresses that a test tries to reach; none is reached."""
    addresses: list[object] = []

    def refuse(_self: socket.socket, address: object) -> None:
        addresses.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", refuse)
    return addresses


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> FolderOf:
    """Return a function from a catalogue id to the folder of its tiny pipeline."""
    folders: dict[object, Path] = {}

    def find(model_id: str) -> Path:
        key = BUILDERS[model_id], SPECS[model_id].variant
        if key not in folders:
            folders[key] = tmp_path_factory.mktemp("pipeline") / model_id
            save_pipeline(BUILDERS[model_id], folders[key], variant=SPECS[model_id].variant)
        return folders[key]

    return find


@pytest.fixture(scope="module", params=FAMILIES)
def studio(request: pytest.FixtureRequest, folder_of: FolderOf) -> Studio:
    """Return each family of the catalogue, loaded."""
    return Studio(local_spec(request.param, folder_of(request.param)))


@pytest.fixture
def studio_of(folder_of: FolderOf) -> StudioOf:
    """Return a function that loads one family."""
    return lambda model_id: Studio(local_spec(model_id, folder_of(model_id)))
