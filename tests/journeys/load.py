"""Clients for races and load: accounts made to measure, many requests at the same moment."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import httpx

from gen_video.accounts.models import Plan
from gen_video.settings import Settings
from gen_video.wiring import build_services
from tests.journeys.service import RunningService

GENERATE = "/api/v1/images/generate"
AMPLE = 1_000_000


def make_keys(service: RunningService, count: int, *, images_per_day: int) -> list[str]:
    """Return keys of as many new accounts, each with so many pictures a day and no other limit."""
    services = build_services(
        Settings(
            _env_file=None,
            data_dir=service.folder / "data",
            database_url=service.environment.get("GEN_VIDEO_DATABASE_URL", ""),
        )
    )
    try:
        plan_id = f"images-{images_per_day}"
        services.accounts.save_plan(
            Plan(
                id=plan_id,
                tier="paid",
                title_en=plan_id,
                title_zh=plan_id,
                images_per_day=images_per_day,
                videos_per_day=0,
                max_in_flight=AMPLE,
                max_pictures=10,
                max_work=AMPLE**2,
                max_video_work=AMPLE**2,
            )
        )
        keys = []
        for number in range(count):
            name = f"user-{images_per_day}-{number}"
            services.accounts.create_account(name, plan_id=plan_id)
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
