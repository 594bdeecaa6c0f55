"""Rates counted in the service's database, without a write per request.

A process leases a twentieth of a window's allowance from the window's row and spends it in memory.
Windows are those of the database's clock (each minute, for a rate per minute), so that processes
with wrong clocks share them all the same. What a process leased and did not spend is lost with the
window: it can only make the limit tighter, by a twentieth per process.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection
from typing_extensions import override

from gen_video.db.database import Database, DatabaseUnavailableError
from gen_video.throttles import store
from gen_video.throttles.throttle import (
    STORE_SECONDS,
    Rate,
    Throttle,
    ThrottleUnavailableError,
    Verdict,
)

LEASES_PER_WINDOW = 20
MAX_BUCKETS = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased:
    """What the row gave: `hits` requests (0: none is left) until the window ends.

    `total` is what all processes have leased of the window.
    """

    hits: int
    total: int
    seconds_left: float


class Offload(Protocol):
    """Runs a blocking call off the event loop."""

    def __call__(self, work: Callable[[], Leased], /) -> Awaitable[Leased]:
        """Return the call's result."""
        ...


@dataclass(slots=True)
class _Purse:
    """What this process may still let pass in one bucket's window."""

    hits: int
    total: int
    ends_at: float
    used_up_limit: int  # nothing more is to be had for this limit, or a lower one


class DatabaseThrottle(Throttle):
    """The throttle of many processes that share nothing but the database.

    Args:
        database: Where the windows' rows are.
        offload: Runs a transaction on a thread.
        store_seconds: How long a request waits for a lease.
        monotonic: Tells seconds; a test passes one that it can move.
    """

    def __init__(
        self,
        database: Database,
        *,
        offload: Offload,
        store_seconds: float = STORE_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._offload = offload
        self._store_seconds = store_seconds
        self._monotonic = monotonic
        self._purses: dict[str, _Purse] = {}
        self._leasing: dict[str, asyncio.Task[bool]] = {}

    @override
    async def take(self, bucket: str, rate: Rate) -> Verdict:
        verdict = self._spend(bucket, rate)
        if verdict is not None:
            return verdict
        try:
            async with asyncio.timeout(self._store_seconds):
                while verdict is None:
                    await self._wait_for_lease(bucket, rate)
                    verdict = self._spend(bucket, rate)
        except TimeoutError as error:
            raise ThrottleUnavailableError("database is slow") from error
        return verdict

    def purge(self, before: datetime) -> int:
        """Delete the windows that started before a moment and return their number."""
        return self._database.write(lambda connection: store.purge(connection, before=before))

    def _spend(self, bucket: str, rate: Rate) -> Verdict | None:
        """Let a request pass or refuse it from what is known here; None if a lease is needed."""
        purse = self._purses.get(bucket)
        now = self._monotonic()
        if purse is None or purse.ends_at <= now:
            return None
        is_allowed = purse.hits > 0
        if not is_allowed and purse.used_up_limit < rate.limit:
            return None
        purse.hits -= is_allowed
        return Verdict(
            is_allowed=is_allowed,
            limit=rate.limit,
            remaining=purse.hits + max(0, rate.limit - purse.total),
            reset_after_seconds=purse.ends_at - now,
        )

    async def _wait_for_lease(self, bucket: str, rate: Rate) -> None:
        """Have one lease of a bucket under way, whoever waits for it, and see its end."""
        task = self._leasing.get(bucket)
        if task is None:
            task = asyncio.create_task(self._lease(bucket, rate))
            self._leasing[bucket] = task
        # Unlike awaiting it, this leaves the lease alone when one of those who wait gives up.
        await asyncio.wait({task})
        if not task.result():
            raise ThrottleUnavailableError("database is away")

    async def _lease(self, bucket: str, rate: Rate) -> bool:
        """Fetch a lease into the purse; False when the database is away."""
        # From before the question, so that the purse closes early rather than late.
        asked_at = self._monotonic()
        try:
            leased = await self._offload(lambda: self._fetch(bucket, rate))
        except DatabaseUnavailableError:
            return False
        finally:
            del self._leasing[bucket]
        self._forget_old(asked_at)
        self._purses[bucket] = _Purse(
            hits=leased.hits,
            total=leased.total,
            ends_at=asked_at + leased.seconds_left,
            used_up_limit=0 if leased.hits else rate.limit,
        )
        return True

    def _fetch(self, bucket: str, rate: Rate) -> Leased:
        def work(connection: Connection) -> Leased:
            moment = self._database.now(connection).timestamp()
            window = int(moment // rate.window_seconds) * rate.window_seconds
            hits, total = self._lease_some(connection, bucket, window=window, limit=rate.limit)
            seconds_left = window + rate.window_seconds - moment
            return Leased(hits=hits, total=total, seconds_left=seconds_left)

        return self._database.write(work)

    def _lease_some(
        self, connection: Connection, bucket: str, *, window: int, limit: int
    ) -> tuple[int, int]:
        # The last few of a window do not fill a whole lease: they go one by one.
        for hits in (max(1, limit // LEASES_PER_WINDOW), 1):
            total = store.lease(connection, owner=bucket, window=window, hits=hits, limit=limit)
            if total is not None:
                return hits, total
        return 0, limit

    def _forget_old(self, now: float) -> None:
        if len(self._purses) < MAX_BUCKETS:
            return
        self._purses = {name: purse for name, purse in self._purses.items() if purse.ends_at > now}
