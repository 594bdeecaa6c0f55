"""How figures and moments are written for people, in their language and the business time zone."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from babel import dates, numbers

from gen_video.clock import utc_now
from gen_video.console.languages import LOCALES
from gen_video.errors import Language

KIB = 1024
UNITS = ("B", "kB", "MB", "GB", "TB")
TEN = 10


@dataclass(frozen=True, slots=True)
class Formats:
    """Ways of writing for one language."""

    language: Language
    timezone: ZoneInfo

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return the filters of templates by name."""
        return {
            "date": self.date,
            "moment": self.moment,
            "instant": self.instant,
            "ago": self.ago,
            "number": self.number,
            "percent": self.percent,
            "size": self.size,
            "seconds": self.seconds,
        }

    def date(self, value: datetime) -> str:
        """Write a day, such as `Nov 24, 2026`."""
        local = value.astimezone(self.timezone)
        return dates.format_date(local, "medium", locale=LOCALES[self.language])

    def moment(self, value: datetime) -> str:
        """Write a day and a time to the minute."""
        local = value.astimezone(self.timezone)
        locale = LOCALES[self.language]
        clock = dates.format_time(local, "HH:mm", locale=locale)
        return f"{dates.format_date(local, 'medium', locale=locale)} {clock}"

    def instant(self, value: datetime) -> str:
        """Write a day and a time to the second."""
        return f"{self.moment(value)}:{value:%S}"

    def ago(self, value: datetime) -> str:
        """Write how long a moment is past or ahead, such as `3 hours ago`."""
        return dates.format_timedelta(
            value - utc_now(), add_direction=True, locale=LOCALES[self.language]
        )

    def number(self, value: float) -> str:
        """Write a number with its thousands apart."""
        return numbers.format_decimal(value, locale=LOCALES[self.language])

    def percent(self, value: float) -> str:
        """Write a share of one as a percentage."""
        return numbers.format_percent(value, "#,##0.#%", locale=LOCALES[self.language])

    def size(self, size_bytes: float) -> str:
        """Write a number of bytes, such as `1.4 MB`."""
        unit = 0
        while size_bytes >= KIB and unit < len(UNITS) - 1:
            size_bytes, unit = size_bytes / KIB, unit + 1
        pattern = "0" if unit == 0 or size_bytes >= TEN else "0.#"
        figure = numbers.format_decimal(size_bytes, pattern, locale=LOCALES[self.language])
        return f"{figure} {UNITS[unit]}"

    def seconds(self, value: float) -> str:
        """Write a duration in seconds, such as `2.4 s`."""
        pattern = "#,##0" if value >= TEN else "0.#"
        return f"{numbers.format_decimal(value, pattern, locale=LOCALES[self.language])} s"
