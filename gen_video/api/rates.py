"""Rates at the door: each account by its plan, each address without a valid key by a fixed one.

Followed jobs (server-sent events) and files count nothing: one request of them lasts for minutes,
and a player asks for a film in many small ranges.

Source: draft-ietf-httpapi-ratelimit-headers.
"""

import math
import time
from collections.abc import MutableMapping
from typing import Any

from fastapi import Request
from starlette.datastructures import MutableHeaders

from gen_video.accounts.models import Caller
from gen_video.errors import ServiceError, ServiceUnavailableError
from gen_video.throttles.policy import (
    STRANGER_RATE,
    account_bucket,
    account_rate,
    stranger_bucket,
)
from gen_video.throttles.throttle import Rate, Verdict
from gen_video.wiring import Services

UNCOUNTED_ROUTES = (
    "/jobs/{job_id}/events",
    "/files/{folder}/{name}",
    "/videos/{video_id}/content",
)
POLICY_NAME = '"requests"'


class RateLimitedError(ServiceError):
    """The account asked more often than its plan allows; waiting helps."""

    code = "rate_limited"
    status = 429
    is_retryable = True
    message_en = (
        "Too many requests: your plan allows {limit} in {window_seconds} s. Wait {seconds} s and "
        "send it again. To follow a job, use its /events instead of asking again and again."
    )
    message_zh = (
        "请求过于频繁：您的套餐每 {window_seconds} 秒允许 {limit} 次。请等待 {seconds} 秒后重试；"
        "跟踪任务请使用其 /events，无需反复查询。"
    )

    def __init__(self, verdict: Verdict, rate: Rate) -> None:
        seconds = _whole_seconds(verdict.reset_after_seconds)
        super().__init__(
            retry_after_seconds=seconds,
            limit=verdict.limit,
            window_seconds=rate.window_seconds,
            seconds=seconds,
        )


class StrangerLimitedError(RateLimitedError):
    """Too many requests without a valid key came from one address."""

    message_en = (
        "Too many requests without a valid API key from your address. Check the key in the "
        "X-API-Key header, wait {seconds} s and send it again."
    )
    message_zh = (
        "来自您地址的无有效 API Key 的请求过多。请检查 X-API-Key 请求头中的密钥，"
        "并在 {seconds} 秒后重试。"
    )


async def take_for_caller(request: Request, services: Services, caller: Caller) -> None:
    """Count a request of an account.

    Raises:
        RateLimitedError: It is one too many.
    """
    rate = account_rate(caller.plan.requests_per_minute)
    if services.throttle is None or rate is None or _is_uncounted(request):
        return
    verdict = await services.throttle.take(account_bucket(caller.account_id), rate)
    _note(request, verdict, rate)
    if not verdict.is_allowed:
        raise RateLimitedError(verdict, rate)


async def take_for_stranger(request: Request, services: Services) -> None:
    """Count a request without a valid key, by the address that it comes from.

    The address is the connection's, or what a proxy that the server trusts says it is; headers
    are not read here.

    Raises:
        StrangerLimitedError: It is one too many.
        ServiceUnavailableError: How many there were cannot be told now.
    """
    if services.throttle is None:
        return
    host = None if request.client is None else request.client.host
    verdict = await services.throttle.take(stranger_bucket(host), STRANGER_RATE)
    if verdict.is_blind:
        seconds = _whole_seconds(verdict.reset_after_seconds)
        raise ServiceUnavailableError("request counter is away", retry_after_seconds=seconds)
    _note(request, verdict, STRANGER_RATE)
    if not verdict.is_allowed:
        raise StrangerLimitedError(verdict, STRANGER_RATE)


def add_headers(headers: MutableHeaders, state: MutableMapping[str, Any]) -> None:
    """Add what is left of a request's rate to its answer, behind a daily quota if there is one.

    Args:
        headers: The answer's.
        state: The request's.
    """
    noted: tuple[Verdict, Rate, float] | None = state.get("rate")
    if noted is None:
        return
    verdict, rate, taken_at = noted
    # A waiting request may be answered minutes later.
    left = _whole_seconds(verdict.reset_after_seconds - (time.monotonic() - taken_at))
    _append(headers, "RateLimit-Policy", f"{POLICY_NAME};q={verdict.limit};w={rate.window_seconds}")
    _append(headers, "RateLimit", f"{POLICY_NAME};r={verdict.remaining};t={left}")


def _append(headers: MutableHeaders, name: str, item: str) -> None:
    present = headers.get(name)
    headers[name] = item if present is None else f"{present}, {item}"


def _note(request: Request, verdict: Verdict, rate: Rate) -> None:
    request.state.rate = (verdict, rate, time.monotonic())


def _is_uncounted(request: Request) -> bool:
    path: str = getattr(request.scope.get("route"), "path", "")
    return path.endswith(UNCOUNTED_ROUTES)


def _whole_seconds(seconds: float) -> int:
    return max(1, math.ceil(seconds))
