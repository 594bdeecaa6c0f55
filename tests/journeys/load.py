"""Clients for races and load: accounts made to measure, many requests at the same moment."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import httpx

from benchmarks.plans import ample_plan
from gen_video.accounts.models import Plan
from gen_video.settings import Settings
from gen_video.wiring import build_services
from tests.journeys.service import RunningService

GENERATE = "/api/v1/images/generate"


def make_keys(service: RunningService, count: int, *, images_per_day: int) -> list[str]:
    """Return keys of as many new accounts, each with so many pictures a day and no other limit."""
    settings = Settings(
        _env_file=None,
        data_dir=service.folder / "data",
        database_url=service.environment.get("GEN_VIDEO_DATABASE_URL", ""),
    )
    figures = {"images_per_day": images_per_day, "videos_per_day": 0}
    plan = ample_plan(f"images-{images_per_day}", **figures)
    return make_accounts(settings, plan, count)


def make_accounts(settings: Settings, plan: Plan, count: int) -> list[str]:
    """Return keys of as many new accounts on a plan."""
    services = build_services(settings)
    try:
        services.accounts.save_plan(plan)
        keys = []
        for number in range(count):
            name = f"user-{plan.id}-{number}"
            services.accounts.create_account(name, plan_id=plan.id)
            keys.append(services.accounts.create_key(name).plaintext)
        return keys
    finally:
        services.close()


async def post_at_once(url: str, keys: Sequence[str], *, prompt: str) -> list[httpx.Response]:
    """Send one request per key, all at the same moment, each on a connection of its own."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(
        base_url=url, limits=limits, timeout=60, trust_env=False
    ) as client:
        calls = (
            client.post(
                GENERATE,
                json={"prompt": prompt, "width": 64, "height": 64, "num_inference_steps": 1},
                headers={"X-API-Key": key, "Prefer": "respond-async"},
            )
            for key in keys
        )
        return list(await asyncio.gather(*calls))


def count_statuses(responses: Sequence[httpx.Response]) -> Counter[int]:
    """Return how often each status came."""
    return Counter(response.status_code for response in responses)
