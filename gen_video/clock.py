"""Time: the one place that reads the wall clock.

Every stored time is aware UTC. Business days are local dates in a named time zone.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo


class Clock(Protocol):
    """Tells the time; a test passes one that it can move."""

    def __call__(self) -> datetime:
        """Return the current time, aware, in UTC."""
        ...


def utc_now() -> datetime:
    """Return the current time, aware, in UTC."""
    return datetime.now(UTC)


def local_date(moment: datetime, timezone: ZoneInfo) -> date:
    """Return the business date that a moment belongs to."""
    return moment.astimezone(timezone).date()


def next_midnight(moment: datetime, timezone: ZoneInfo) -> datetime:
    """Return the start of the next business day, aware, in the business time zone.

    A day with a clock change has 23 or 25 hours; the date arithmetic does not care.
    """
    tomorrow = local_date(moment, timezone) + timedelta(days=1)
    return datetime.combine(tomorrow, time.min, tzinfo=timezone)
