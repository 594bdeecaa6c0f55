"""Use cases of the insights slice.

A day that is over does not change any more: its figures are read once per process and kept. What
is still going on is read at most every `FRESH_SECONDS`, however often it is asked for, and where
that is costly no more than a twentieth of the time.
"""

import threading
import time
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as day_time
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from gen_video.accounts.models import Caller
from gen_video.db.database import Database
from gen_video.insights import store
from gen_video.insights.models import DayFigures, Goals, Overview, SpanFigures, UsageRow

FRESH_SECONDS = 5.0
DUTY_CYCLE = 20.0
SETTLED_AFTER = timedelta(minutes=10)
"""A transaction that ended a job at 23:59:59 may commit a little after midnight."""
MAX_DAYS = 90
GOALS = Goals()


@dataclass(frozen=True, slots=True)
class _Kept:
    overview: Overview
    days: int
    keep_until: float


class InsightsService:
    """Reads figures over jobs.

    Args:
        timezone: Whose midnights end a business day.
    """

    def __init__(self, database: Database, *, timezone: ZoneInfo) -> None:
        self._database = database
        self._timezone = timezone
        self._guard = threading.Lock()
        self._past: dict[date, SpanFigures] = {}
        self._kept: _Kept | None = None

    def read_overview(self, *, days: int = 30) -> Overview:
        """Return the last 24 hours and the last business days, at most a few seconds old."""
        days = min(max(1, days), MAX_DAYS)
        with self._guard:
            kept = self._kept
            if kept is None or kept.days != days or time.monotonic() >= kept.keep_until:
                started = time.monotonic()
                overview = self._database.read(lambda connection: self._read(connection, days))
                spent = time.monotonic() - started
                until = time.monotonic() + max(FRESH_SECONDS, DUTY_CYCLE * spent)
                kept = self._kept = _Kept(overview, days, until)
            return kept.overview

    def list_usage(self, caller: Caller, *, days: int = 30) -> tuple[UsageRow, ...]:
        """Return what an account asked for on the last business days, by day, model and key."""
        days = min(max(1, days), MAX_DAYS)

        def work(connection: Connection) -> tuple[UsageRow, ...]:
            today = self._today(self._database.now(connection))
            since = self._midnight(today - timedelta(days=days - 1))
            rows = store.list_usage(connection, account_id=caller.account_id, since=since)
            return tuple(rows)

        return self._database.read(work)

    def list_days(self, days: int) -> tuple[date, ...]:
        """Return the last business days, oldest first, today being the last one."""
        today = self._today(self._database.read(self._database.now))
        return tuple(today - timedelta(days=back) for back in reversed(range(days)))

    def _read(self, connection: Connection, days: int) -> Overview:
        now = self._database.now(connection)
        today = self._today(now)
        since, end = now - timedelta(days=1), now + timedelta(seconds=1)
        return Overview(
            last_day=store.read_span(connection, start=since, end=end),
            days=tuple(
                self._read_day(connection, today - timedelta(days=back), now=now)
                for back in reversed(range(days))
            ),
            models=tuple(store.list_models(connection, start=since, end=end)),
        )

    def _read_day(self, connection: Connection, day: date, *, now: datetime) -> DayFigures:
        if day in self._past:
            return DayFigures(day=day, figures=self._past[day])
        end = self._midnight(day + timedelta(days=1))
        figures = store.read_span(connection, start=self._midnight(day), end=end)
        if end + SETTLED_AFTER < now:
            self._past[day] = figures
        return DayFigures(day=day, figures=figures)

    def _today(self, now: datetime) -> date:
        return now.astimezone(self._timezone).date()

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, day_time.min, tzinfo=self._timezone)
