"""One run: load, kills at random moments, then the reckoning."""

import asyncio
import hashlib
import random
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.plans import AMPLE
from tests.chaos.load import PATIENCE_SECONDS, TERMINAL, Promises, make_load
from tests.journeys.load import make_keys
from tests.journeys.service import RunningService

VICTIMS = ("web", "worker", "engine")
CLIENTS = 6
PAGE = 100
MAX_SHOWN = 5


@dataclass(kw_only=True)
class Reckoning:
    """What a run did and what was wrong afterwards."""

    kills: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    lost_answers: int = 0
    files: int = 0
    seconds: float = 0.0
    findings: list[str] = field(default_factory=list)

    def expect(self, finding: str, *, holds: bool) -> None:
        """Note a finding unless something holds that must."""
        if not holds:
            self.findings.append(finding)


def run_chaos(
    folder: Path, *, seconds: float, seed: int, settings: Mapping[str, str] | None = None
) -> Reckoning:
    """Run load and kills for a while on a service of its own, then check every promise."""
    reckoning = Reckoning()
    started = time.monotonic()
    # A job may be unlucky often: here nobody's patience with crashes is tested.
    chosen = {"JOB_ATTEMPTS": "20", "WEB_PROCESSES": "2"} | dict(settings or {})
    with RunningService(folder, settings=chosen) as service:
        [key] = make_keys(service, 1, images_per_day=AMPLE)
        client = httpx.AsyncClient(
            base_url=service.url, headers={"X-API-Key": key}, timeout=30, trust_env=False
        )
        promises = asyncio.run(_storm(service, client, reckoning, seconds=seconds, seed=seed))
        reader = httpx.Client(
            base_url=service.url, headers={"X-API-Key": key}, timeout=30, trust_env=False
        )
        _reckon(service, reader, promises, reckoning)
        reader.close()
        code = service.stop()
        reckoning.expect(f"the service ended with {code}", holds=code == 0)
        reckoning.expect("a process was left behind", holds=service.living() == [])
    reckoning.seconds = round(time.monotonic() - started, 1)
    return reckoning


async def _storm(
    service: RunningService,
    client: httpx.AsyncClient,
    reckoning: Reckoning,
    *,
    seconds: float,
    seed: int,
) -> Promises:
    over = asyncio.Event()
    killer = asyncio.create_task(_kill(service, reckoning, over, random.Random(seed)))  # noqa: S311 - repeatable
    async with client:
        promises = await make_load(client, seconds=seconds, clients=CLIENTS, seed=seed)
    over.set()
    await killer
    return promises


async def _kill(
    service: RunningService, reckoning: Reckoning, over: asyncio.Event, dice: random.Random
) -> None:
    while not over.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), timeout=dice.uniform(0.3, 3.0))
            return
        name = dice.choice(VICTIMS)
        living = await asyncio.to_thread(service.children, name)
        if living:
            with suppress(psutil.NoSuchProcess):
                dice.choice(living).kill()
                reckoning.kills[name] += 1


def _reckon(
    service: RunningService, client: httpx.Client, promises: Promises, reckoning: Reckoning
) -> None:
    service.wait_until(service.is_answering, seconds=60)
    service.wait_until(lambda: _open_jobs(client) == 0, seconds=PATIENCE_SECONDS)
    jobs = _read_jobs(client)
    promised = set(promises.jobs.values())
    reckoning.lost_answers = promises.lost_answers
    reckoning.ends = Counter(job["status"] for job in jobs.values())
    reckoning.findings += [f"two jobs for one request: {item}" for item in promises.doubled]
    reckoning.findings += [f"a strange answer: {item}" for item in promises.strange[:MAX_SHOWN]]
    reckoning.expect("a promised job is missing", holds=promised <= set(jobs))
    reckoning.expect("a job that nobody was promised", holds=set(jobs) <= promised)
    open_ends = [job["id"] for job in jobs.values() if job["status"] not in TERMINAL]
    reckoning.expect(f"never ended: {open_ends}", holds=not open_ends)
    _check_files(client, jobs, reckoning)
    _check_books(service, client, jobs, reckoning)


def _check_files(
    client: httpx.Client, jobs: Mapping[str, Mapping[str, Any]], reckoning: Reckoning
) -> None:
    for job in jobs.values():
        if job["status"] != "succeeded":
            continue
        reckoning.expect(
            f"{job['id']} has {len(job['outputs'])} files",
            holds=len(job["outputs"]) == job["cost"]["units"] == job["input"]["n"],
        )
        for output in job["outputs"]:
            content = client.get(output["url"]).content
            digest = hashlib.sha256(content).hexdigest()
            reckoning.expect(f"{output['url']} is damaged", holds=digest == output["sha256"])
            reckoning.files += 1


def _check_books(
    service: RunningService,
    client: httpx.Client,
    jobs: Mapping[str, Mapping[str, Any]],
    reckoning: Reckoning,
) -> None:
    charged = sum(job["cost"]["units"] for job in jobs.values())
    quota = client.get("/api/v1/quota").json()["quota"]["images"]
    reckoning.expect(
        f"used {quota['used']}, delivered {charged}, reserved {quota['reserved']}",
        holds=quota["used"] == charged and quota["reserved"] == 0,
    )
    audit = service.run_command("audit")
    reckoning.expect(f"audit: {audit.stdout}{audit.stderr}", holds=audit.returncode == 0)


def _open_jobs(client: httpx.Client) -> int:
    count = 0
    for status in ("queued", "running"):
        try:
            page = client.get("/api/v1/jobs", params={"status": status, "limit": 1})
        except httpx.TransportError:
            return 1
        count += len(page.json()["data"]) if page.is_success else 1
    return count


def _read_jobs(client: httpx.Client) -> dict[str, dict[str, Any]]:
    jobs: dict[str, dict[str, Any]] = {}
    after: dict[str, str] = {}
    while True:
        page = client.get("/api/v1/jobs", params={"limit": str(PAGE)} | after).json()
        jobs |= {job["id"]: job for job in page["data"]}
        if not page["has_more"]:
            return jobs
        after = {"after": page["last_id"]}
