"""The real application in this process, with or without a worker that does its jobs."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import pytest
from fastapi import FastAPI
from sqlalchemy import func, select
from starlette.testclient import TestClient

from gen_video.adapters import build_engine
from gen_video.api.app import create_app
from gen_video.db.schema import metadata
from gen_video.egress.memory import MemoryFetcher
from gen_video.settings import Settings
from gen_video.wiring import Services, build_services
from gen_video.worker.main import Worker

FREE_KEY = "test-key-123"
PAID_KEY = "demo-key-456"
GENERATE = "/api/v1/images/generate"
FILM = "/api/v1/videos/generate"
SMALL = {"prompt": "a lake", "width": 64, "height": 64, "num_inference_steps": 2}
CLIP = SMALL | {"prompt": "waves", "num_frames": 8, "fps": 8}
ASYNC = {"Prefer": "respond-async"}


class Answer(Protocol):
    """What every client of HTTP answers with."""

    @property
    def status_code(self) -> int: ...

    @property
    def text(self) -> str: ...

    def json(self) -> Any: ...  # noqa: ANN401 - JSON of any shape


@dataclass(frozen=True, kw_only=True)
class Door:
    """A running application, its services, and clients of two accounts.

    Attributes:
        internet: What the URLs that users name lead to: nothing, unless the test says so.
    """

    app: FastAPI
    services: Services
    internet: MemoryFetcher
    client: TestClient
    other: TestClient

    def count_rows(self) -> dict[str, int]:
        """Return how many rows each table has."""
        return self.services.database.read(
            lambda connection: {
                name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for name, table in metadata.tables.items()
            }
        )

    def list_files(self) -> list[str]:
        """Return every file of the object store."""
        folder = self.services.settings.output_dir
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


OpenDoor = Callable[..., Door]


@pytest.fixture
def open_door(tmp_path: Path) -> Iterator[OpenDoor]:
    """Return a function that starts an application with settings of the test's choice."""
    opened: list[Iterator[Door]] = []

    def start(**settings: object) -> Door:
        context = _run(tmp_path, settings)
        opened.append(context)
        return next(context)

    yield start
    for context in opened:
        next(context, None)


@pytest.fixture
def door(open_door: OpenDoor) -> Door:
    """Return an application on SQLite that nobody works for: jobs stay queued."""
    return open_door()


@pytest.fixture
def working(door: Door) -> Iterator[Door]:
    """Return an application with a worker and the test double's real engine child."""
    with worker_of(door.services):
        yield door


@contextmanager
def worker_of(services: Services) -> Iterator[None]:
    """Run a worker on a thread while the block runs."""
    engine = build_engine(services.settings, services.catalogue)
    worker = Worker(services, [engine])
    worker.listen()
    thread = threading.Thread(target=worker.lanes.run, name="worker")
    thread.start()
    try:
        yield
    finally:
        worker.lanes.stop()
        worker.lanes.give_back()
        worker.stop_listening()
        thread.join(timeout=20)
        engine.close()


@contextmanager
def run_door(folder: Path, **settings: object) -> Iterator[Door]:
    """Run an application while the block runs."""
    context = _run(folder, settings)
    yield next(context)
    next(context, None)


def _run(folder: Path, settings: dict[str, object]) -> Iterator[Door]:
    chosen = Settings(
        _env_file=None,
        data_dir=folder / "data",
        output_dir=folder / "outputs",
        lora_dir=folder / "loras",
        enable_test_model=True,
        default_image_model="test-double",
        default_video_model="test-double",
    ).model_copy(update=settings)
    internet = MemoryFetcher()
    services = replace(build_services(chosen), fetcher=internet)
    app = create_app(services, prepare=services.migrate)
    with TestClient(app, headers={"X-API-Key": FREE_KEY}, raise_server_exceptions=False) as client:
        other = TestClient(app, headers={"X-API-Key": PAID_KEY}, raise_server_exceptions=False)
        yield Door(app=app, services=services, internet=internet, client=client, other=other)
