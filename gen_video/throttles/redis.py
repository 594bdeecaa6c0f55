"""Rates counted in Redis: the exact moving window of `limits`, for any number of machines.

The machines' clocks date the requests, so they should agree to a second (NTP). Nothing here
blocks the event loop, and no request waits longer than `STORE_SECONDS`.
"""

import asyncio
import time

from limits.aio.storage import RedisStorage
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from typing_extensions import override

from gen_video.throttles.throttle import (
    STORE_SECONDS,
    Rate,
    Throttle,
    ThrottleUnavailableError,
    Verdict,
)

CONNECTIONS = 8
KEY_PREFIX = "gen_video:rates"


class RedisThrottle(Throttle):
    """The throttle of many machines that share a Redis.

    Args:
        url: `redis://…` or `rediss://…`.
        store_seconds: How long a request waits for an answer.
    """

    def __init__(self, url: str, *, store_seconds: float = STORE_SECONDS) -> None:
        self._store_seconds = store_seconds
        self._pool: BlockingConnectionPool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=store_seconds,
            socket_timeout=store_seconds,
            socket_connect_timeout=store_seconds,
            # One retry, at once: after a restart of Redis every pooled connection is a dead one.
            # The library's own default would sleep for seconds.
            retry=Retry(NoBackoff(), 1),
        )
        self._storage = RedisStorage(
            "redis://",  # the pool knows the address; read here, it would have to name a port
            implementation="redispy",
            key_prefix=KEY_PREFIX,
            connection_pool=self._pool,  # type: ignore[arg-type]  # documented so
        )

    @override
    async def take(self, bucket: str, rate: Rate) -> Verdict:
        limit, seconds = rate.limit, rate.window_seconds
        try:
            async with asyncio.timeout(self._store_seconds):
                is_allowed = await self._storage.acquire_entry(bucket, limit, seconds)
                oldest, count = await self._storage.get_moving_window(bucket, limit, seconds)
        except (RedisError, OSError) as error:  # a TimeoutError is an OSError
            raise ThrottleUnavailableError(type(error).__name__) from error
        return Verdict(
            is_allowed=is_allowed,
            limit=limit,
            remaining=max(0, limit - count),
            reset_after_seconds=min(seconds, max(0.0, oldest + seconds - time.time())),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.disconnect()
