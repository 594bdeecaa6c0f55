"""Two drivers of the same steps: one blocks, one awaits."""

import asyncio
import inspect
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import aclosing, closing
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from gen_video.client.exchange import Close, Effect, Emit, Notify, Pause, Read, Send, Steps

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of a step: a value, or an error that the steps may know what to do with."""

    value: Any = None
    error: Exception | None = None

    def hand_to(self, steps: Generator[Effect | Emit[T], Any, None]) -> Effect | Emit[T]:
        if self.error is not None:
            return steps.throw(self.error)
        return steps.send(self.value)


class Driver:
    """Does the steps of operations, one after another."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def run(self, steps: Steps[T]) -> T:
        """Do an operation that has one result."""
        with closing(self.iterate(steps)) as results:
            return next(results)

    def iterate(self, steps: Steps[T]) -> Generator[T, None, None]:
        """Do an operation, and yield its results as they come."""
        hands = _Hands(self._http)
        outcome = _Outcome()
        with closing(hands), closing(steps):
            while True:
                try:
                    step = outcome.hand_to(steps)
                except StopIteration:
                    return
                if isinstance(step, Emit):
                    yield step.value
                    outcome = _Outcome()
                else:
                    outcome = hands.do(step)


class _Hands:
    """Does single steps; holds the one response that is being read."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._response: httpx.Response | None = None
        self._chunks: Iterator[bytes] = iter(())

    def do(self, step: Effect) -> _Outcome:
        try:
            return _Outcome(self._do(step))
        except httpx.RequestError as error:
            return _Outcome(error=_as_transport_error(error))

    def close(self) -> None:
        if self._response is not None:
            self._response.close()
            self._response = None

    def _do(self, step: Effect) -> Any:  # noqa: ANN401 - every step has its own outcome
        match step:
            case Send(request=request, is_streamed=False):
                return self._http.send(request)
            case Send(request=request):
                self.close()
                self._response = self._http.send(request, stream=True, follow_redirects=True)
                self._chunks = self._response.iter_raw()
                return self._response
            case Read():
                return next(self._chunks, None)
            case Close():
                return self.close()
            case Pause(seconds=seconds):
                return time.sleep(seconds)
            case Notify(function=function, value=value):
                return None if function is None else function(value)


class AsyncDriver:
    """Does the steps of operations without blocking."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def run(self, steps: Steps[T]) -> T:
        """Do an operation that has one result."""
        async with aclosing(self.iterate(steps)) as results:
            return await anext(results)

    async def iterate(self, steps: Steps[T]) -> AsyncGenerator[T, None]:
        """Do an operation, and yield its results as they come."""
        hands = _AsyncHands(self._http)
        outcome = _Outcome()
        async with aclosing(hands):
            with closing(steps):
                while True:
                    try:
                        step = outcome.hand_to(steps)
                    except StopIteration:
                        return
                    if isinstance(step, Emit):
                        yield step.value
                        outcome = _Outcome()
                    else:
                        outcome = await hands.do(step)


class _AsyncHands:
    """Does single steps; holds the one response that is being read."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._response: httpx.Response | None = None
        self._chunks: AsyncIterator[bytes] | None = None

    async def do(self, step: Effect) -> _Outcome:
        try:
            return _Outcome(await self._do(step))
        except httpx.RequestError as error:
            return _Outcome(error=_as_transport_error(error))

    async def aclose(self) -> None:
        if self._response is not None:
            await self._response.aclose()
            self._response = None

    async def _do(self, step: Effect) -> Any:  # noqa: ANN401 - every step has its own outcome
        match step:
            case Send(request=request, is_streamed=False):
                return await self._http.send(request)
            case Send(request=request):
                await self.aclose()
                self._response = await self._http.send(request, stream=True, follow_redirects=True)
                self._chunks = self._response.aiter_raw()
                return self._response
            case Read():
                return None if self._chunks is None else await anext(self._chunks, None)
            case Close():
                return await self.aclose()
            case Pause(seconds=seconds):
                return await asyncio.sleep(seconds)
            case Notify(function=function, value=value):
                return None if function is None else await _call(function, value)


async def _call(function: Callable[[Any], object], value: object) -> None:
    result = function(value)
    if inspect.isawaitable(result):
        await result


def _as_transport_error(error: httpx.RequestError) -> httpx.TransportError:
    """Return what went wrong on the way; a body that cannot be unpacked was damaged there."""
    if isinstance(error, httpx.TransportError):
        return error
    return httpx.RemoteProtocolError(str(error))
