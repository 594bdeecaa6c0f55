"""The steps of every operation, without doing any of them.

An operation is a generator: it yields what it wants done (`Send`, `Read`, `Pause`, …), is given
what came of it, and yields its results as `Emit`. A driver does the steps, blocking or not; so
retries, resuming and reading are written once.
"""

import json
import random
from collections.abc import Callable, Container, Generator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Generic, TypeVar

import httpx

from gen_video.client.connection import Call, Connection
from gen_video.client.errors import (
    ApiError,
    ClientError,
    RequestTimeoutError,
    UnexpectedAnswerError,
    UnreachableError,
)
from gen_video.client.refusals import REFUSED_FROM, SERVER_FROM, read_refusal

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 8.0
LONGEST_ASKED_SECONDS = 60.0
"""Who is asked to come back later than this is told so instead."""
MOST_REFUSAL_BYTES = 2**20
TURNED_AWAY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True, slots=True)
class Send:
    """Send a request; the outcome is the response, read unless it is streamed."""

    request: httpx.Request
    is_streamed: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """Read on in the streamed response; the outcome is the next bytes, None at the end."""


@dataclass(frozen=True, slots=True)
class Close:
    """Leave the streamed response."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Notify:
    """Call the user's function; it may be a coroutine where the driver is asynchronous."""

    function: Callable[[Any], object] | None
    value: object


@dataclass(frozen=True, slots=True)
class Emit(Generic[T_co]):
    """Hand out a result."""

    value: T_co


Effect = Send | Read | Close | Pause | Notify
Part = Generator[Effect, Any, T]
"""A part of an operation: it ends with a value."""
Steps = Generator[Effect | Emit[T], Any, None]
"""A whole operation: it hands out values."""


def perform(connection: Connection, call: Call[T]) -> Steps[T]:
    """Make one call and hand out what it answers."""
    answer = yield from make_call(connection, call)
    yield Emit(answer)


def make_call(connection: Connection, call: Call[T]) -> Part[T]:
    """Make one call, as often as it takes, and read the answer.

    Raises:
        ApiError: The service refused.
        UnreachableError: It did not answer.
        UnexpectedAnswerError: What answered was not the service.
    """
    attempt = 0
    while True:
        attempt += 1
        try:
            response = yield Send(connection.request(call))
        except httpx.TransportError as error:
            if attempt > connection.max_retries or not _may_repeat(call, error):
                raise unreachable(connection, error) from error
            yield Pause(backoff_seconds(attempt))
            continue
        if response.status_code < REFUSED_FROM:
            return _read_answer(call, response)
        refusal = read_refusal(response, response.content)
        seconds = pause_seconds(refusal, response.headers, attempt=attempt, call=call)
        if attempt > connection.max_retries or seconds is None:
            raise refusal
        yield Pause(seconds)


def pause_seconds(
    refusal: ApiError, headers: Mapping[str, str], *, attempt: int, call: Call[Any] | None = None
) -> float | None:
    """Return how long to wait before asking again; None: asking again is of no use."""
    said = headers.get("x-should-retry", "").lower()
    if said == "false" or (said != "true" and not _is_passing(refusal, call)):
        return None
    asked = refusal.retry_after_seconds
    if asked is None:
        return backoff_seconds(attempt)
    return asked + backoff_seconds(1) / 2 if asked <= LONGEST_ASKED_SECONDS else None


def backoff_seconds(attempt: int) -> float:
    """Return a pause that doubles with every attempt (from 1), spread so that clients part."""
    longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** (attempt - 1))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - nothing secret


def open_stream(
    connection: Connection,
    make_request: Callable[[], httpx.Request],
    *,
    also: Container[int] = (),
) -> Part[httpx.Response]:
    """Open an answer that is read piece by piece, as often as it takes.

    Args:
        connection: Where the service is.
        make_request: Makes the request, anew for every attempt.
        also: Refusals that the caller can deal with.

    Raises:
        ApiError: The service refused.
    """
    attempt = 0
    while True:
        attempt += 1
        response: httpx.Response = yield Send(make_request(), is_streamed=True)
        if response.status_code < REFUSED_FROM or response.status_code in also:
            return response
        refusal = yield from _read_refused(response)
        seconds = pause_seconds(refusal, response.headers, attempt=attempt)
        if seconds is None or attempt > connection.max_retries:
            raise refusal
        yield Pause(seconds)


def recover(connection: Connection, failures: int, error: ClientError) -> Part[None]:
    """Leave a stream that was cut and pause, or give up with the error.

    Args:
        connection: Says how often to try.
        failures: How many there were in a row, this one included.
        error: What to give up with.
    """
    yield Close()
    if failures > connection.max_retries:
        raise error
    yield Pause(backoff_seconds(failures))


def _read_refused(response: httpx.Response) -> Part[ApiError]:
    body = b""
    while len(body) < MOST_REFUSAL_BYTES:
        chunk = yield Read()
        if chunk is None:
            break
        body += chunk
    yield Close()
    return read_refusal(response, body)


def unreachable(connection: Connection, error: httpx.TransportError) -> ClientError:
    """Return what to tell somebody whose service does not answer."""
    reason = str(error) or type(error).__name__
    if isinstance(error, httpx.TimeoutException):
        return RequestTimeoutError(f"{connection.base_url} did not answer in time: {reason}")
    return UnreachableError(f"{connection.base_url} cannot be reached: {reason}")


def _may_repeat(call: Call[Any], error: httpx.TransportError) -> bool:
    if isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return False
    return call.is_repeatable or isinstance(error, NEVER_SENT)


def _is_passing(refusal: ApiError, call: Call[Any] | None) -> bool:
    if refusal.status in TURNED_AWAY:
        return True
    is_server = refusal.status >= SERVER_FROM or refusal.status == HTTPStatus.REQUEST_TIMEOUT
    is_full = refusal.status == HTTPStatus.INSUFFICIENT_STORAGE
    return is_server and not is_full and (call is None or call.is_repeatable)


def _read_answer(call: Call[T], response: httpx.Response) -> T:
    if response.has_redirect_location:
        raise UnexpectedAnswerError(
            f"{response.request.url} leads on to {response.headers['location']}; "
            "give that address to the client instead"
        )
    if not response.content:
        return call.read({})
    try:
        content = json.loads(response.content)
    except ValueError as error:
        raise UnexpectedAnswerError(
            f"{response.request.url} does not answer with JSON; is this the service's address?"
        ) from error
    return call.read(content)
