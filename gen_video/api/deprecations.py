"""Addresses that have a better one: clients learn it from headers, readers from the document.

A line here is all it takes. What is deprecated goes on working; only a `sunset` ends it.
Source: RFC 9745 (Deprecation), RFC 8594 (Sunset), RFC 5829 (successor-version).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote

from starlette.datastructures import MutableHeaders


@dataclass(frozen=True, slots=True, kw_only=True)
class Deprecation:
    """Since when an address is deprecated, and what follows.

    Attributes:
        since: In UTC.
        successor: The path to use instead, with the same parameters in braces.
        sunset: When it will stop answering, in UTC; None: it will not.
        page: Where people read why.
    """

    since: datetime
    successor: str
    sunset: datetime | None = None
    page: str | None = None

    def headers(self, parameters: Mapping[str, object]) -> Iterator[tuple[str, str]]:
        """Yield the headers of an answer.

        Args:
            parameters: Of the request's path, decoded.
        """
        # Quoted again: a header must not be written by whoever writes the path.
        quoted = {name: quote(str(text), "", errors="replace") for name, text in parameters.items()}
        yield "Deprecation", f"@{int(self.since.timestamp())}"
        yield "Link", f'<{self.successor.format(**quoted)}>; rel="successor-version"'
        if self.page is not None:
            yield "Link", f'<{self.page}>; rel="deprecation"; type="text/html"'
        if self.sunset is not None:
            yield "Sunset", format_datetime(self.sunset, usegmt=True)


DEPRECATIONS: Mapping[str, Deprecation] = {
    # Existing clients poll it: it stays.
    "/api/v1/tasks/{task_id}": Deprecation(
        since=datetime(2026, 11, 25, tzinfo=UTC), successor="/api/v1/jobs/{task_id}"
    ),
}
"""By the path of the route."""


def add_headers(headers: MutableHeaders, *, route: str, parameters: Mapping[str, Any]) -> None:
    """Add what clients of a deprecated address should know.

    Args:
        headers: The answer's.
        route: The path of the route that answers.
        parameters: Of the request's path, decoded.
    """
    deprecation = DEPRECATIONS.get(route)
    if deprecation is None:
        return
    for name, value in deprecation.headers(parameters):
        headers.append(name, value)
