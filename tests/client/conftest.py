"""Both clients behind one face, and a service that answers by script."""

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, cast

import httpx
import pytest
from typing_extensions import override

from gen_video.client import AsyncClient, Client, exchange
from tests.journeys.service import RunningService

BASE_URL = "http://service.test"
KEY = "test-key-123"
Handler = Callable[[httpx.Request], httpx.Response]
Make = Callable[..., Client]


class Awaited:
    """An asynchronous object whose methods are called as if they blocked."""

    def __init__(self, inner: object, runner: asyncio.Runner) -> None:
        self._inner = inner
        self._runner = runner

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the client has
        found = getattr(self._inner, name)
        if not callable(found):
            return Awaited(found, self._runner) if hasattr(found, "_driver") else found

        def call(*arguments: object, **options: object) -> object:
            return self._settle(found(*arguments, **options))

        return call

    def _settle(self, result: object) -> object:
        if inspect.isawaitable(result):
            return self._runner.run(_await(result))
        if inspect.isasyncgen(result):
            return self._iterate(result)
        return result

    def _iterate(self, items: AsyncIterator[object]) -> Iterator[object]:
        while True:
            item = self._runner.run(_next(items))
            if item is _END:
                return
            yield item


_END = object()


async def _await(result: Awaitable[object]) -> object:
    return await result


async def _next(items: AsyncIterator[object]) -> object:
    return await anext(items, _END)


@pytest.fixture(params=["blocking", "asyncio"])
def make(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Return what makes a client, once blocking and once for asyncio, that never pauses long."""
    monkeypatch.setattr(exchange, "FIRST_PAUSE_SECONDS", 0.0)
    runner = asyncio.Runner()
    opened: list[Client] = []

    def make_client(
        handler: Handler | None = None,
        *,
        base_url: str = BASE_URL,
        **options: Any,  # noqa: ANN401 - of the client
    ) -> Client:
        transport = None if handler is None else httpx.MockTransport(handler)
        chosen = {"transport": transport, "trust_env": False} | options
        if request.param == "blocking":
            client = Client(base_url, KEY, **chosen)
        else:
            client = cast("Client", Awaited(AsyncClient(base_url, KEY, **chosen), runner))
        opened.append(client)
        return client

    yield make_client
    for client in opened:
        client.close()
    runner.close()


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with RunningService(tmp_path_factory.mktemp("service")) as running:
        made = running.run_command(
            "plans", "set", "free", "--images-per-day", "500", "--videos-per-day", "4"
        )
        assert made.returncode == 0, made.stderr
        yield running


class Script:
    """Answers requests one after another, and remembers them."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        # A response serves one client only; the tables of tests share theirs.
        body = answer.stream if isinstance(answer.stream, Pieces) else Pieces(answer.content)
        return httpx.Response(answer.status_code, headers=answer.headers, stream=body)

    def headers(self, name: str) -> list[str | None]:
        """Return a header of every request."""
        return [request.headers.get(name) for request in self.requests]


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that comes in pieces, and may be cut."""

    def __init__(self, *pieces: bytes, is_cut: bool = False) -> None:
        self._pieces = pieces
        self._is_cut = is_cut

    @override
    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces
        if self._is_cut:
            raise httpx.RemoteProtocolError("peer closed connection")

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece


def problem(
    status: int, code: str, *, headers: dict[str, str] | None = None, **more: object
) -> httpx.Response:
    """Return an error as the service writes it."""
    body = {"status": status, "code": code, "detail": f"about {code}", "request_id": "req_1"}
    return httpx.Response(status, json=body | more, headers=headers)


def job(status: str = "succeeded", **more: object) -> dict[str, object]:
    """Return a job as the service writes it."""
    return {"id": "job_1", "object": "job", "kind": "image", "status": status} | more


def accepted() -> httpx.Response:
    """Return the answer to a submit."""
    return httpx.Response(202, json={"task_id": "job_1", "status": "queued"})


def events(*pieces: bytes, is_cut: bool = False) -> httpx.Response:
    """Return a stream of events."""
    headers = {"content-type": "text/event-stream; charset=utf-8"}
    return httpx.Response(200, headers=headers, stream=Pieces(*pieces, is_cut=is_cut))


def event(name: str, event_id: int, **data: object) -> bytes:
    """Return one event in the wire format."""
    return f"id: {event_id}\nevent: {name}\ndata: {json.dumps(data)}\n\n".encode()
