"""The courier: sends what is due, many receivers side by side.

One thread talks to the database: it looks, claims, renews leases, writes down results, and sleeps
while there is nothing to do; somebody who commits an event wakes it. A few sender threads do
nothing but send. No transaction is open while anything is sent.
"""

import math
import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

import structlog

from gen_video.clock import Clock, utc_now
from gen_video.egress.exchange import Posted
from gen_video.egress.fetcher import UrlRefusedError, UrlUnreachableError
from gen_video.egress.post import Poster
from gen_video.errors import ServiceUnavailableError
from gen_video.telemetry.metrics import Metrics
from gen_video.webhooks.desk import LEASE, DeliveryDesk, Settled
from gen_video.webhooks.lanes import share_out
from gen_video.webhooks.models import Outcome, Parcel, Receipt
from gen_video.webhooks.signing import Signer
from gen_video.webhooks.urls import UrlRules

LOOK_EVERY_SECONDS = 5.0
"""A commit that nobody was told of costs at most this."""
LOOK_APART_SECONDS, LOOK_APART_AT_MOST_SECONDS = 0.02, 0.25
DUTY_CYCLE = 4.0
"""After a turn that took t seconds the next waits 4 t, within these bounds."""
RENEW_SECONDS = LEASE.total_seconds() / 3
OUTAGE_PAUSE_SECONDS = 1.0
SLOW_SECONDS = 2.0
SLOW_FOR_SECONDS = 600.0
MAX_REMEMBERED = 10_000
JSON_TYPE = ("Content-Type", "application/json")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """What a courier works with."""

    desk: DeliveryDesk
    poster: Poster
    signer: Signer
    rules: UrlRules
    metrics: Metrics
    clock: Clock = utc_now


@dataclass(slots=True)
class _Memory:
    """What this courier remembers of lanes: when each was served, which were slow of late."""

    served_at: dict[str, float] = field(default_factory=dict)
    slow_until: dict[str, float] = field(default_factory=dict)

    def note(self, lane: str, *, seconds: float) -> None:
        now = time.monotonic()
        if seconds >= SLOW_SECONDS:
            self.slow_until[lane] = now + SLOW_FOR_SECONDS
        else:
            self.slow_until.pop(lane, None)

    def slow(self) -> set[str]:
        now = time.monotonic()
        self.slow_until = {name: until for name, until in self.slow_until.items() if until > now}
        return set(self.slow_until)

    def note_served(self, lane: str) -> None:
        if len(self.served_at) >= MAX_REMEMBERED:
            self.served_at.clear()
        self.served_at[lane] = time.monotonic()


class Courier:
    """Sends deliveries until it is stopped.

    Args:
        name: Unique per process; names its leases.
        senders: Threads that send, at least one.
        subscribe: Has a function called after every commit, and returns how to end that.
    """

    def __init__(
        self,
        kit: Kit,
        *,
        name: str,
        senders: int,
        subscribe: Callable[[Callable[[], None]], Callable[[], None]],
    ) -> None:
        self._kit = kit
        self._name = name
        self._senders = senders
        self._subscribe = subscribe
        self._wake = threading.Event()
        self._is_stopping = threading.Event()
        self._is_over = threading.Event()
        self._work: queue.SimpleQueue[Parcel | None] = queue.SimpleQueue()
        self._receipts: deque[Receipt] = deque()
        self._unsettled: list[Receipt] = []
        self._flying: dict[str, Parcel] = {}
        self._memory = _Memory()
        self._threads: list[threading.Thread] = []
        self._renewed_at = time.monotonic()
        self._taken_back_at = -math.inf

    def start(self) -> None:
        """Begin, on threads of its own."""
        thread = threading.Thread(target=self._run, name="courier", daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self) -> None:
        """Claim nothing more; what is under way goes on."""
        self._is_stopping.set()
        self._wake.set()

    def close(self, timeout_seconds: float) -> None:
        """Wait for what is under way, or give it back when the time is over."""
        self.stop()
        if not self._threads or self._is_over.wait(timeout_seconds):
            return
        try:
            self._kit.desk.give_back(list(self._flying.values()))
        except ServiceUnavailableError as error:
            log.warning("deliveries_left_to_lease", reason=str(error))

    def _run(self) -> None:
        unsubscribe = self._subscribe(self._wake.set)
        pause = 0.0
        try:
            while not (self._is_stopping.is_set() and self._is_idle()):
                self._wake.wait(pause)
                self._wake.clear()
                pause = self._guarded_turn()
        finally:
            unsubscribe()
            for _sender in self._threads[1:]:
                self._work.put(None)
            self._is_over.set()

    def _is_idle(self) -> bool:
        return not (self._flying or self._receipts or self._unsettled)

    def _guarded_turn(self) -> float:
        started = time.monotonic()
        try:
            pause = self._turn()
        except ServiceUnavailableError as error:
            log.warning("courier_waits", reason=str(error))
            pause = OUTAGE_PAUSE_SECONDS
        except Exception:
            # The outer edge of this thread: what it held is claimed again after its lease.
            log.exception("courier_stumbled")
            for receipt in self._unsettled:
                self._flying.pop(receipt.parcel.id, None)
            self._unsettled = []
            pause = OUTAGE_PAUSE_SECONDS
        if pause:
            spent = time.monotonic() - started
            apart = max(LOOK_APART_SECONDS, DUTY_CYCLE * spent)
            self._is_stopping.wait(min(LOOK_APART_AT_MOST_SECONDS, apart))
        return pause

    def _turn(self) -> float:
        """Do all that is to be done now; return how long nothing will be."""
        self._settle()
        self._renew()
        if self._is_stopping.is_set():
            return RENEW_SECONDS
        self._take_back()
        due = self._kit.desk.look()
        wanted = share_out(
            due.lanes,
            busy=Counter(parcel.lane for parcel in self._flying.values()),
            slow=self._memory.slow(),
            served_at=self._memory.served_at,
            senders=self._senders,
        )
        if wanted:
            for parcel in self._kit.desk.claim(wanted, owner=self._name):
                self._send_off(parcel)
            for lane in wanted:
                self._memory.note_served(lane)
            return 0.0
        waits = [LOOK_EVERY_SECONDS, RENEW_SECONDS if self._flying else LOOK_EVERY_SECONDS]
        return min([*waits, *([] if due.next_seconds is None else [due.next_seconds])])

    def _send_off(self, parcel: Parcel) -> None:
        self._flying[parcel.id] = parcel
        if len(self._threads) <= self._senders and len(self._threads) <= len(self._flying):
            thread = threading.Thread(target=self._send_all, name="sender", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._work.put(parcel)

    def _settle(self) -> None:
        while self._receipts:
            self._unsettled.append(self._receipts.popleft())
        if not self._unsettled:
            return
        settled = self._kit.desk.settle(self._unsettled)
        self._unsettled = []
        for one in settled:
            self._note(one)

    def _note(self, settled: Settled) -> None:
        parcel, outcome = settled.receipt.parcel, settled.receipt.outcome
        del self._flying[parcel.id]
        self._memory.note(parcel.lane, seconds=outcome.seconds)
        self._kit.metrics.webhook_sent(outcome=settled.outcome, seconds=outcome.seconds)
        log.info(
            "webhook_sent",
            delivery_id=parcel.id,
            endpoint_id=parcel.endpoint_id,
            attempt=parcel.attempt + 1,
            outcome=settled.outcome,
            status=outcome.status_code,
            error=settled.error,
            seconds=round(outcome.seconds, 3),
        )

    def _renew(self) -> None:
        if self._flying and time.monotonic() - self._renewed_at >= RENEW_SECONDS:
            self._kit.desk.renew(list(self._flying.values()), owner=self._name)
            self._renewed_at = time.monotonic()

    def _take_back(self) -> None:
        if time.monotonic() - self._taken_back_at >= RENEW_SECONDS:
            count = self._kit.desk.take_back_lost()
            self._taken_back_at = time.monotonic()
            if count:
                log.warning("deliveries_taken_back", count=count)

    def _send_all(self) -> None:
        while (parcel := self._work.get()) is not None:
            started = time.monotonic()
            try:
                outcome = self._send(parcel)
            except Exception:
                # A fault of ours must neither end the sender nor be the receiver's.
                log.exception("webhook_broke_down", delivery_id=parcel.id)
                outcome = Outcome(error="internal_error")
            seconds = time.monotonic() - started
            self._receipts.append(
                Receipt(
                    parcel=parcel,
                    outcome=Outcome(
                        status_code=outcome.status_code,
                        error=outcome.error,
                        retry_after_seconds=outcome.retry_after_seconds,
                        seconds=seconds,
                    ),
                )
            )
            self._wake.set()

    def _send(self, parcel: Parcel) -> Outcome:
        try:
            target = self._kit.rules.parse(parcel.url)
            signed = self._kit.signer.headers(
                parcel.secret, event_id=parcel.event_id, body=parcel.body, now=self._kit.clock()
            )
            names = ("webhook-id", "webhook-timestamp", "webhook-signature")
            headers = [JSON_TYPE, *zip(names, signed, strict=True)]
            answer = self._kit.poster.post(target, parcel.body.encode(), headers)
        except UrlRefusedError:
            return Outcome(error="address_not_allowed")
        except UrlUnreachableError as error:
            return Outcome(error=str(error.facts.get("kind", "unreachable")))
        return Outcome(
            status_code=answer.status_code, retry_after_seconds=_read_retry_after(answer)
        )


def _read_retry_after(answer: Posted) -> int | None:
    """Return what an answer asks for, in seconds; dates, and nonsense, count as nothing."""
    if HTTPStatus.OK <= answer.status_code < HTTPStatus.MULTIPLE_CHOICES:
        return None
    text = answer.retry_after.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 8 else None  # noqa: PLR2004 - 115 days
