"""The desk of couriers: hands out deliveries that are due, and takes what came of them.

Each call is one short transaction. What a courier holds it holds under a lease: if the courier
dies, the delivery is claimed again, so a receiver may hear twice, under the same id, and never not.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from gen_video.db.database import Database
from gen_video.webhooks import courier_store, delivery_store
from gen_video.webhooks.lanes import DueLane
from gen_video.webhooks.models import (
    Attempt,
    DeliveryState,
    DisabledReason,
    Parcel,
    Receipt,
)
from gen_video.webhooks.schedule import Effect, Verdict, judge, should_disable

LEASE = timedelta(seconds=6)
"""Renewed every third of it while a delivery is under way."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What is due now, and when something else will be."""

    lanes: tuple[DueLane, ...]
    next_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """One receipt's end: `delivered`, `retried`, `failed`, or `lost` to another courier."""

    receipt: Receipt
    outcome: str
    error: str | None


class DeliveryDesk:
    """What couriers do with deliveries.

    Args:
        database: Where they are.
        jitter: Gives a number from 0 to 1.
    """

    def __init__(
        self,
        database: Database,
        *,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._jitter = jitter

    def look(self) -> Due:
        """Return what is due, without writing."""

        def work(connection: Connection) -> Due:
            now = self._database.now(connection)
            throttled = courier_store.list_throttled_lanes(connection, now=now)
            following = [delivery_store.find_next(connection, after=now), *throttled.values()]
            times = [moment for moment in following if moment is not None]
            first = delivery_store.find_next(connection)
            lanes: list[DueLane] = []
            if first is not None and first <= now:
                lanes = courier_store.list_due_lanes(connection, now=now)
            return Due(
                lanes=tuple(lane for lane in lanes if lane.name not in throttled),
                next_seconds=(min(times) - now).total_seconds() if times else None,
            )

        return self._database.read(work)

    def claim(self, wanted: Mapping[str, int], *, owner: str) -> list[Parcel]:
        """Lease some deliveries of some lanes."""

        def work(connection: Connection) -> list[Parcel]:
            now = self._database.now(connection)
            parcels = courier_store.claim(
                connection, dict(wanted), owner=owner, now=now, lease_until=now + LEASE
            )
            # An event may have been written while its endpoint was being closed.
            endpoint_ids = [parcel.endpoint_id for parcel in parcels if parcel.endpoint_id]
            closed = set(courier_store.list_closed_endpoints(connection, endpoint_ids))
            for endpoint_id in closed:
                delivery_store.fail_open(connection, endpoint_id)
            return [parcel for parcel in parcels if parcel.endpoint_id not in closed]

        return self._database.write(work)

    def renew(self, parcels: Sequence[Parcel], *, owner: str) -> None:
        """Prolong the leases of what is still under way."""

        def work(connection: Connection) -> None:
            until = self._database.now(connection) + LEASE
            ids = [parcel.id for parcel in parcels]
            courier_store.renew(connection, ids, owner=owner, lease_until=until)

        self._database.write(work)

    def take_back_lost(self) -> int:
        """Let deliveries of dead couriers be claimed again; return how many."""

        def is_needed(connection: Connection) -> bool:
            return courier_store.has_lost(connection, before=self._database.now(connection))

        def work(connection: Connection) -> int:
            return courier_store.take_back(connection, now=self._database.now(connection))

        return self._database.write(work) if self._database.read(is_needed) else 0

    def settle(self, receipts: Sequence[Receipt]) -> list[Settled]:
        """Write down what came of some deliveries."""

        def work(connection: Connection) -> list[Settled]:
            now = self._database.now(connection)
            return [self._settle(connection, receipt, now=now) for receipt in receipts]

        return self._database.write(work)

    def give_back(self, parcels: Sequence[Parcel]) -> None:
        """Return deliveries whose end a stopping courier does not wait for."""

        def work(connection: Connection) -> None:
            now = self._database.now(connection)
            for parcel in parcels:
                courier_store.settle(
                    connection,
                    parcel,
                    state=DeliveryState.PENDING,
                    next_attempt_at=now,
                    attempt=None,
                )

        self._database.write(work)

    def _settle(self, connection: Connection, receipt: Receipt, *, now: datetime) -> Settled:
        parcel, outcome = receipt.parcel, receipt.outcome
        verdict = judge(
            outcome,
            attempt=parcel.attempt + 1,
            throttles=parcel.throttles,
            now=now,
            jitter=self._jitter(),
        )
        is_ours = courier_store.settle(
            connection,
            parcel,
            state=verdict.state,
            next_attempt_at=verdict.next_attempt_at,
            attempt=Attempt(
                at=now - timedelta(seconds=outcome.seconds),
                status_code=outcome.status_code,
                error=verdict.error,
                duration_ms=round(1000 * outcome.seconds),
            ),
        )
        if not is_ours:
            return Settled(receipt=receipt, outcome="lost", error=verdict.error)
        if parcel.endpoint_id is not None:
            _note_at_endpoint(connection, parcel.endpoint_id, parcel, verdict, now=now)
        words = {DeliveryState.DELIVERED: "delivered", DeliveryState.FAILED: "failed"}
        word = words.get(verdict.state, "retried")
        return Settled(receipt=receipt, outcome=word, error=verdict.error)


def _note_at_endpoint(
    connection: Connection, endpoint_id: str, parcel: Parcel, verdict: Verdict, *, now: datetime
) -> None:
    match verdict.effect:
        case Effect.RECOVERED:
            courier_store.note_success(connection, endpoint_id)
        case Effect.GONE:
            _disable(connection, endpoint_id, DisabledReason.GONE)
        case Effect.FAILED | Effect.THROTTLED:
            courier_store.note_failure(
                connection, endpoint_id, now=now, throttled_until=verdict.throttled_until
            )
            if should_disable(verdict, failing_since=parcel.failing_since, now=now):
                _disable(connection, endpoint_id, DisabledReason.FAILING)


def _disable(connection: Connection, endpoint_id: str, reason: DisabledReason) -> None:
    if delivery_store.disable(connection, endpoint_id, reason=reason.value):
        log.warning("webhook_disabled", endpoint_id=endpoint_id, reason=reason.value)
