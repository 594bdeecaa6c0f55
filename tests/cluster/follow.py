"""Watchers: clients that follow a job by events, from node to node, and then fetch its files."""

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx

from tests.cluster.client import PATIENCE_SECONDS, PAUSE_SECONDS, GaveUpError, RoundRobin
from tests.cluster.journal import TERMINAL, Journal

SILENCES = 3


async def follow(client: RoundRobin, journal: Journal, job_id: str, *, avoid: int) -> None:
    """Follow a job until its last event; a stream that breaks is taken up on the next node."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    stream, silences = Stream(client, journal, job_id), 0
    node = await client.choose(avoid=avoid)
    while time.monotonic() < give_up_at:
        was_over = job_id in journal.endings
        try:
            job = await stream.read(node=node)
        except httpx.TransportError as error:
            journal.figures["streams broken and taken up again"] += 1
            client.note_trouble(error)
        else:
            if job is not None:
                journal.figures["streams followed to the end"] += 1
                await fetch_files(client, journal, job)
                return
            # A node that stops lets its watchers go. One that does not must tell the end.
            silences += was_over
            if silences >= SILENCES:
                journal.lie(f"streams of {job_id} end without its end, which was seen before")
                return
        node = await client.choose(avoid=node)
        await asyncio.sleep(PAUSE_SECONDS)
    journal.lie(f"no event told the end of {job_id} within {PATIENCE_SECONDS:g} s")


class Stream:
    """The events of one job, over any number of connections."""

    def __init__(self, client: RoundRobin, journal: Journal, job_id: str) -> None:
        self._client = client
        self._journal = journal
        self._job_id = job_id
        self._seen = 0

    async def read(self, *, node: int) -> dict[str, Any] | None:
        """Return the job as its last event told it; None when the stream ended before."""
        headers = {"Last-Event-ID": str(self._seen)} if self._seen else {}
        path = f"/api/v1/jobs/{self._job_id}/events"
        asked_at = time.monotonic()
        async with self._client.stream(path, node=node, headers=headers) as response:
            if response.status_code == 503:
                self._journal.figures["asked again after 503"] += 1
                raise httpx.ConnectError("not now")
            if response.status_code != 200:
                self._journal.lie(f"{path} from node {node}: {response.status_code}")
                return None
            async for number, name, data in _read_events(response):
                self._check_number(number, name)
                said: dict[str, Any] = json.loads(data)
                is_over = self._journal.observe(self._job_id, said["status"], asked_at=asked_at)
                if is_over and name in TERMINAL:
                    return said
        return None

    def _check_number(self, number: int, name: str) -> None:
        if number < self._seen or (number == self._seen and name == "progress"):
            self._journal.lie(f"event {number} of {self._job_id} after {self._seen}")
        self._seen = number


async def fetch_files(client: RoundRobin, journal: Journal, job: dict[str, Any]) -> None:
    """Fetch every file of a finished job from whichever node is next, and compare its hash."""
    for output in job["outputs"]:
        try:
            answer = await client.send("GET", output["url"])
        except GaveUpError:
            return
        digest = hashlib.sha256(answer.response.content).hexdigest()
        journal.figures["files fetched"] += 1
        if answer.response.status_code != 200 or digest != output["sha256"]:
            status = answer.response.status_code
            journal.lie(f"{output['url']} from node {answer.node}: {status}, {digest[:12]}")


async def _read_events(response: httpx.Response) -> AsyncIterator[tuple[int, str, str]]:
    """Yield number, name and data of each event; comments are heartbeats."""
    event = {"id": "0", "event": "", "data": ""}
    async for line in response.aiter_lines():
        if line.startswith(":"):
            continue
        if not line and event["data"]:
            yield int(event["id"]), event["event"], event["data"]
            event = {"id": "0", "event": "", "data": ""}
            continue
        name, _, text = line.partition(": ")
        if name in event:
            event[name] = text
