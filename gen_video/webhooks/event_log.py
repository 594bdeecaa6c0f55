"""The event log: what happened is written in the transaction in which it happens.

So an event exists if and only if its cause does, and a delivery to everybody who is to be told.
"""

from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from gen_video.db.database import Database
from gen_video.egress.fetcher import UrlRefusedError
from gen_video.ids import new_id
from gen_video.webhooks import delivery_store, store
from gen_video.webhooks.bodies import job_body
from gen_video.webhooks.lanes import lane_of
from gen_video.webhooks.models import Event, EventType, JobFacts, WebhookFigures
from gen_video.webhooks.urls import UrlRules

KEPT = timedelta(days=30)
BATCH = 500
BATCHES = 20
"""At one time at most: whoever tidies has other things to do as well."""


class EventLog:
    """Writes events, and forgets old ones.

    Args:
        rules: Where webhooks may be sent.
    """

    def __init__(self, database: Database, *, rules: UrlRules) -> None:
        self._database = database
        self._rules = rules

    def record_job(
        self, connection: Connection, facts: JobFacts, *, webhook_url: str | None
    ) -> None:
        """Write how a job ended, in the caller's transaction, for everybody who wants to know.

        Args:
            connection: The caller's transaction.
            facts: What is told.
            webhook_url: The job's own address, in place of the account's endpoints.
        """
        event_type = EventType(f"job.{facts.status}")
        now = facts.finished_at
        body = job_body(event_type, facts, now=now)
        event = Event(id=new_id("evt"), type=event_type, body=body, created_at=now)
        store.insert_event(connection, event, account_id=facts.account_id, job_id=facts.id)
        if not self._rules.is_open:  # nobody would ever send it
            return
        if webhook_url is None:
            delivery_store.insert_for_endpoints(connection, event, account_id=facts.account_id)
            return
        delivery_store.insert_one(
            connection,
            event,
            delivery_id=new_id("dlv"),
            account_id=facts.account_id,
            endpoint_id=None,
            url=webhook_url,
            lane=lane_of(facts.account_id, self._host_of(webhook_url)),
        )

    def purge(self) -> int:
        """Forget what is older than 30 days; return how many events went."""
        gone = 0
        for _ in range(BATCHES):
            event_ids = self._database.read(self._list_old)
            if event_ids:
                self._database.write(partial(store.delete_events, event_ids=event_ids))
            gone += len(event_ids)
            if len(event_ids) < BATCH:
                break
        if gone:
            self._database.write(self._forget_endpoints)
        return gone

    def read_figures(self) -> WebhookFigures:
        """Return what is on its way, for metrics."""

        def work(connection: Connection) -> WebhookFigures:
            now = self._database.now(connection)
            due_at = delivery_store.find_next(connection)
            overdue = timedelta(0) if due_at is None else now - due_at
            return WebhookFigures(
                pending=delivery_store.count_open(connection),
                overdue_seconds=max(0.0, overdue.total_seconds()),
            )

        return self._database.read(work)

    # Steps of the audit.

    @staticmethod
    def count_of_jobs(connection: Connection) -> dict[tuple[str, str], int]:
        """Return how many events each job has, by (job, type)."""
        return store.count_job_events(connection)

    @staticmethod
    def list_lost(connection: Connection, *, before: datetime) -> list[str]:
        """Return deliveries that nobody took back although their courier died before a moment."""
        return delivery_store.list_lost(connection, before=before)

    def _list_old(self, connection: Connection) -> list[str]:
        before = self._database.now(connection) - KEPT
        return store.list_old_events(connection, before=before, limit=BATCH)

    def _forget_endpoints(self, connection: Connection) -> None:
        before = self._database.now(connection) - KEPT
        store.delete_closed_endpoints(connection, before=before)

    def _host_of(self, url: str) -> str:
        try:
            return self._rules.parse(url).host
        except UrlRefusedError:  # allowed when the job was accepted, and not any more
            return "refused"
