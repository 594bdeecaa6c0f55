"""A client of several web nodes: round robin, and on to the next node when one does not answer.

What a load balancer and a patient SDK do together: a broken connection, 502 and 503 are tried again
elsewhere, with the same Idempotency-Key.
"""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.cluster.journal import Journal

PAUSE_SECONDS = 0.2
PATIENCE_SECONDS = 180.0
CALL_SECONDS = 30.0
AGAIN = frozenset({502, 503})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A final answer, the node that gave it, and when the question was sent."""

    response: httpx.Response
    node: int
    asked_at: float

    @property
    def body(self) -> dict[str, Any]:
        """Return the JSON object."""
        found: dict[str, Any] = self.response.json()
        return found


class GaveUpError(Exception):
    """No node has answered for longer than the client is patient."""


class RoundRobin:
    """Sends requests of one account to the nodes in turn.

    Args:
        is_usable: Says which nodes are behind the balancer right now; all of them by default.
        on_trouble: Hears of every broken call that had to be repeated.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        key: str,
        journal: Journal,
        first: int = 0,
        is_usable: Callable[[int], bool] = lambda _node: True,
        on_trouble: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self._urls = list(urls)
        self._journal = journal
        self._turn = itertools.count(first)
        self._is_usable = is_usable
        self._on_trouble = on_trouble
        # Connections are not kept: a balancer that reuses one races with the node's goodbye.
        self._http = httpx.AsyncClient(
            headers={"X-API-Key": key},
            timeout=httpx.Timeout(CALL_SECONDS, connect=5),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
            trust_env=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        avoid: int | None = None,
    ) -> Answer:
        """Return the first answer that is not a request to come again.

        Raises:
            GaveUpError: There was none in time.
        """
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while (asked_at := time.monotonic()) < give_up_at:
            node = await self.choose(avoid=avoid)
            try:
                response = await self._http.request(
                    method, self._urls[node] + path, json=json, headers=headers
                )
            except httpx.TransportError as error:
                self._journal.figures["answers lost and asked for again"] += 1
                self.note_trouble(error)
            else:
                self._note_time(asked_at, headers)
                if response.status_code not in AGAIN or "task_id" in response.text:
                    return Answer(response=response, node=node, asked_at=asked_at)
                self._journal.figures[f"asked again after {response.status_code}"] += 1
                self._on_trouble(f"{method} {path}: {response.status_code} {response.text[:200]}")
            avoid = node
            await asyncio.sleep(PAUSE_SECONDS)
        raise GaveUpError

    @asynccontextmanager
    async def stream(
        self, path: str, *, node: int, headers: Mapping[str, str]
    ) -> AsyncIterator[httpx.Response]:
        """Open a stream on a node."""
        async with self._http.stream(
            "GET", self._urls[node] + path, headers=dict(headers)
        ) as response:
            yield response

    async def choose(self, *, avoid: int | None = None) -> int:
        """Return the next node, another than `avoid` when there is one; wait while there is none.

        Raises:
            GaveUpError: No node came back in time.
        """
        count = len(self._urls)
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < give_up_at:
            first = next(self._turn)
            nodes = [(first + step) % count for step in range(count)]
            usable = [node for node in nodes if self._is_usable(node)]
            if usable:
                return next((node for node in usable if node != avoid), usable[0])
            await asyncio.sleep(PAUSE_SECONDS)
        raise GaveUpError

    def note_trouble(self, error: httpx.TransportError) -> None:
        """Note a call that broke."""
        # Nothing was sent on a connection that was refused: a balancer goes on silently.
        if not isinstance(error, httpx.ConnectError):
            self._on_trouble(repr(error))

    def _note_time(self, asked_at: float, headers: Mapping[str, str] | None) -> None:
        if headers is None or "respond-async" in headers.get("Prefer", ""):
            seconds = time.monotonic() - asked_at
            slowest = max(self._journal.slowest_answer_seconds, seconds)
            self._journal.slowest_answer_seconds = slowest
