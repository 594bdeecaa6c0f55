"""Load that knows what it was promised: every request is repeated until it was answered."""

import asyncio
import random
import time
import uuid
from dataclasses import dataclass, field

import httpx

from tests.journeys.load import GENERATE

PAUSE_SECONDS = 0.2
ACCEPTED = (200, 202)
TERMINAL = ("succeeded", "failed", "canceled", "expired")
ENDED_ANSWERS = {409, 500, 503, 504}
PATIENCE_SECONDS = 180.0


@dataclass
class Promises:
    """What the service has said: one job per request, and what was canceled."""

    jobs: dict[str, str] = field(default_factory=dict)
    doubled: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    lost_answers: int = 0

    def note(self, request_key: str, job_id: str) -> None:
        """Remember the job of a request; a second one is a broken promise."""
        known = self.jobs.setdefault(request_key, job_id)
        if known != job_id:
            self.doubled.append(f"{request_key}: {known} and {job_id}")


async def make_load(
    client: httpx.AsyncClient, *, seconds: float, clients: int, seed: int
) -> Promises:
    """Let some clients work for a while; return what they were promised."""
    promises = Promises()
    give_up_at = time.monotonic() + seconds
    await asyncio.gather(
        *(
            _work(client, promises, give_up_at, random.Random(seed * 1000 + number))  # noqa: S311 - a repeatable load
            for number in range(clients)
        )
    )
    return promises


async def _work(
    client: httpx.AsyncClient, promises: Promises, give_up_at: float, dice: random.Random
) -> None:
    while time.monotonic() < give_up_at:
        key = str(uuid.UUID(int=dice.getrandbits(128)))
        job_id = await _submit(client, promises, key, dice)
        if job_id is not None and dice.random() < 0.1:
            await asyncio.sleep(dice.uniform(0, 0.5))
            await _cancel(client, promises, job_id)


async def _submit(
    client: httpx.AsyncClient, promises: Promises, key: str, dice: random.Random
) -> str | None:
    body = {
        "prompt": f"sleep={dice.uniform(0.01, 0.4):.2f} bytes={dice.choice((1000, 200_000))}",
        "width": 64,
        "height": 64,
        "num_inference_steps": dice.randint(1, 10),
        "n": dice.choice((1, 1, 1, 2, 3)),
        "output_format": dice.choice(("png", "jpeg", "webp")),
    }
    prefer = dice.choice(("respond-async", "wait=1", "wait=10"))
    headers = {"Idempotency-Key": key, "Prefer": prefer}
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up_at:
        try:
            answer = await client.post(GENERATE, json=body, headers=headers)
        except httpx.TransportError:
            promises.lost_answers += 1
            await asyncio.sleep(PAUSE_SECONDS)
            continue
        job_id = _read_job_id(answer)
        if job_id is not None:
            promises.note(key, job_id)
            return job_id
        if answer.status_code not in {429, 503}:
            promises.strange.append(f"{answer.status_code}: {answer.text[:300]}")
            await asyncio.sleep(PAUSE_SECONDS)
            return None
        await asyncio.sleep(PAUSE_SECONDS)
    promises.strange.append(f"no answer to {key}")
    return None


def _read_job_id(answer: httpx.Response) -> str | None:
    if answer.status_code in ACCEPTED or answer.status_code in ENDED_ANSWERS:
        found = answer.json().get("task_id")
        return None if found is None else str(found)
    return None


async def _cancel(client: httpx.AsyncClient, promises: Promises, job_id: str) -> None:
    try:
        answer = await client.post(f"/api/v1/jobs/{job_id}/cancel")
    except httpx.TransportError:
        promises.lost_answers += 1
        return
    if answer.status_code not in {200, 409, 503}:
        promises.strange.append(f"cancel {answer.status_code}: {answer.text[:300]}")
