"""The real application with its console in this process, and browsers of several people."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from fastapi import FastAPI
from httpx2 import Response
from starlette.testclient import TestClient

from gen_video.asgi import compose
from gen_video.egress.memory import MemoryFetcher
from gen_video.settings import Settings
from gen_video.wiring import Services, build_services

ORIGIN = "http://127.0.0.1:8000"
HTML = {"Accept": "text/html,application/xhtml+xml"}
PASSWORD = "correct horse battery"
_TOKEN = re.compile(r'<meta name="csrf-token" content="([^"]*)">')


@dataclass(frozen=True, kw_only=True)
class Console:
    """A running console, and three browsers.

    Attributes:
        client: Signed in as `test_user`, who is no admin.
        owner: Signed in as the owner of the service.
        visitor: Signed in as nobody.
    """

    app: FastAPI
    services: Services
    client: TestClient
    owner: TestClient
    visitor: TestClient

    def new_browser(self) -> TestClient:
        """Return one more browser, signed in as nobody."""
        return _browser(self.app)

    def post(self, client: TestClient, path: str, data: dict[str, str] | None = None) -> Response:
        """Submit a form as a page of the console does: from our origin, with the page's token."""
        token = find_token(client)
        return client.post(
            path,
            data={"csrf_token": token} | (data or {}),
            headers={"Origin": ORIGIN},
            follow_redirects=False,
        )


def find_token(client: TestClient) -> str:
    """Return a token of a browser's session, empty for a visitor."""
    found = _TOKEN.search(client.get("/").text)
    assert found is not None
    return found[1]


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    """Return a console that nobody works for: jobs stay queued."""
    yield from run_console(tmp_path)


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Return a console for tests that only look: one for all of a file."""
    yield from run_console(tmp_path_factory.mktemp("standing"))


def run_console(folder: Path, **settings: object) -> Iterator[Console]:
    """Yield a running console with settings of the test's choice."""
    chosen = Settings(
        _env_file=None,
        data_dir=folder / "data",
        output_dir=folder / "outputs",
        lora_dir=folder / "loras",
        enable_test_model=True,
        default_image_model="test-double",
        default_video_model="test-double",
    ).model_copy(update=settings)
    services = replace(build_services(chosen), fetcher=MemoryFetcher())
    app = compose(services, prepare=services.migrate)
    with _browser(app) as visitor:
        client, owner = _browser(app), _browser(app)
        if not chosen.is_production:
            enter(client, "test_user")
            enter(owner, "owner")
        yield Console(app=app, services=services, client=client, owner=owner, visitor=visitor)


def enter(client: TestClient, name: str) -> None:
    """Sign a browser in by the development's way."""
    answer = client.post(
        "/sign-in/development",
        data={"name": name},
        headers={"Origin": ORIGIN},
        follow_redirects=False,
    )
    assert answer.status_code == 303, answer.text


def _browser(app: FastAPI) -> TestClient:
    return TestClient(app, base_url=ORIGIN, headers=HTML, raise_server_exceptions=False)
