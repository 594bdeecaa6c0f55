"""Load that remembers every promise: mixed pictures and videos, from several accounts.

Every request is repeated with its key until it is answered. Most clients then follow their job, by
events or by asking, on another node than the one that accepted it, and fetch the files from any.
"""

import asyncio
import random
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.cluster.client import PATIENCE_SECONDS, Answer, GaveUpError, RoundRobin
from tests.cluster.follow import fetch_files, follow
from tests.cluster.journal import Journal, Request

POLL_SECONDS = 0.3
ACCEPTED = frozenset({200, 202})
REFUSED = frozenset({400, 422, 429})
CLIENTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """What the load asks for.

    Attributes:
        longest_seconds: A job's longest time in the engine.
        video_share, poison_share, wrong_share, cancel_share: Parts of all requests, 0 to 1.
    """

    longest_seconds: float = 0.4
    video_share: float = 0.25
    poison_share: float = 0.01
    wrong_share: float = 0.03
    cancel_share: float = 0.1


async def make_load(
    urls: Sequence[str],
    keys: Sequence[str],
    journal: Journal,
    *,
    is_over: Callable[[], bool],
    seed: int,
    mix: Mix,
    is_usable: Callable[[int], bool] = lambda _node: True,
    on_trouble: Callable[[str], None] = lambda _text: None,
) -> None:
    """Let the clients work until it is over; their last jobs are followed to the end."""

    async def work(number: int) -> None:
        account = number % len(keys)
        client = RoundRobin(
            urls,
            key=keys[account],
            journal=journal,
            first=number,
            is_usable=is_usable,
            on_trouble=on_trouble,
        )
        dice = random.Random(seed * 1000 + number)  # noqa: S311 - a repeatable load
        try:
            while not is_over():
                await _visit(Visitor(client, journal, dice, account=account, mix=mix), journal)
        finally:
            await client.close()

    await asyncio.gather(*(work(number) for number in range(CLIENTS)))


async def _visit(visitor: "Visitor", journal: Journal) -> None:
    try:
        await visitor.visit()
    except (ValueError, KeyError, TypeError, GaveUpError) as error:
        journal.lie(f"no answer that can be read: {error!r}")
        await asyncio.sleep(POLL_SECONDS)


class Visitor:
    """One visit: a request, what becomes of it, its files."""

    def __init__(
        self, client: RoundRobin, journal: Journal, dice: random.Random, *, account: int, mix: Mix
    ) -> None:
        self._client = client
        self._journal = journal
        self._dice = dice
        self._account = account
        self._mix = mix

    async def visit(self) -> None:
        """Ask for something, and hold the service to its answer."""
        request = draw_request(self._dice, account=self._account, mix=self._mix)
        answer = await self._submit(request)
        if answer is None:
            return
        job_id = self._journal.accepted[request.key]
        way = self._dice.choices(("events", "polls", "leave"), (5, 3, 2))[0]
        if self._dice.random() < self._mix.cancel_share:
            await asyncio.sleep(self._dice.uniform(0, 0.5))
            await self._cancel(job_id)
        match way:
            case "events":
                await follow(self._client, self._journal, job_id, avoid=answer.node)
            case "polls":
                await self._poll(job_id, avoid=answer.node)
            case _:
                await asyncio.sleep(POLL_SECONDS)

    async def _submit(self, request: Request) -> Answer | None:
        prefer = self._dice.choice(("respond-async", "respond-async", "wait=1", "wait=10"))
        headers = {"Idempotency-Key": request.key, "Prefer": prefer}
        try:
            answer = await self._client.send(
                "POST", request.path, json=request.body, headers=headers
            )
        except GaveUpError:
            self._journal.give_up(request)
            return None
        status = answer.response.status_code
        job_id = None if status in REFUSED else answer.body.get("task_id")
        if job_id is not None:
            self._journal.accept(request, str(job_id))
            if status in ACCEPTED:
                self._journal.observe(job_id, answer.body["status"], asked_at=answer.asked_at)
            return answer
        if status not in REFUSED:
            self._journal.lie(f"{request.path} {status}: {answer.response.text[:300]}")
        self._journal.refuse(request, status)
        await asyncio.sleep(POLL_SECONDS)
        return None

    async def _cancel(self, job_id: str) -> None:
        try:
            answer = await self._client.send("POST", f"/api/v1/jobs/{job_id}/cancel")
        except GaveUpError:
            return
        match answer.response.status_code:
            case 200:
                self._journal.cancel(job_id)
                self._journal.observe(job_id, answer.body["status"], asked_at=answer.asked_at)
            case 409:
                self._journal.figures["canceled too late"] += 1
            case status:
                self._journal.lie(f"cancel {job_id} {status}: {answer.response.text[:300]}")

    async def _poll(self, job_id: str, *, avoid: int) -> None:
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        node: int | None = avoid
        while time.monotonic() < give_up_at:
            try:
                answer = await self._client.send("GET", f"/api/v1/jobs/{job_id}", avoid=node)
            except GaveUpError:
                return
            if answer.response.status_code != 200:
                status = answer.response.status_code
                self._journal.lie(f"job {job_id} {status}: {answer.response.text[:300]}")
                return
            job = answer.body
            if self._journal.observe(job_id, job["status"], asked_at=answer.asked_at):
                await fetch_files(self._client, self._journal, job)
                return
            node = answer.node
            await asyncio.sleep(POLL_SECONDS)
        self._journal.lie(f"{job_id} did not end within {PATIENCE_SECONDS:g} s")


def draw_request(dice: random.Random, *, account: int, mix: Mix) -> Request:
    """Return the next request of a load."""
    key = str(uuid.UUID(int=dice.getrandbits(128)))
    words = [f"sleep={dice.uniform(0.01, mix.longest_seconds):.2f}"]
    words.append(f"bytes={dice.choice((1000, 60_000))}")
    if dice.random() < mix.poison_share:
        words.append(dice.choice(("crash=segv", "crash=exit")))
    elif dice.random() < 3 * mix.poison_share:
        words.append("fail=1")
    body: dict[str, Any] = {
        "prompt": " ".join(words),
        "width": 64,
        "height": 64,
        "num_inference_steps": dice.randint(1, 10),
        "seed": dice.getrandbits(31),
        "metadata": {"request": key},
    }
    is_video = dice.random() < mix.video_share
    if is_video:
        body |= {"num_frames": dice.choice((8, 16)), "output_format": dice.choice(("mp4", "gif"))}
    else:
        body |= {
            "n": dice.choice((1, 1, 1, 2, 3)),
            "output_format": dice.choice(("png", "jpeg", "webp")),
        }
    if dice.random() < mix.wrong_share:
        body["width"] = 63  # no multiple of 8: refused, and nothing may be left of it
    kind = "video" if is_video else "image"
    return Request(key=key, account=account, kind=kind, body=body)
