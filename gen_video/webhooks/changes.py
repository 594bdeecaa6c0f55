"""Changes that an owner makes to an endpoint."""

from dataclasses import dataclass

from gen_video.webhooks.models import EventType
from gen_video.webhooks.store import write_types

FRESH: dict[str, object] = {"failing_since": None, "throttles": 0, "throttled_until": None}
"""An endpoint that has neither failed nor asked for less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointChanges:
    """What is to be different; None leaves a field as it is.

    Attributes:
        events: The new filter; looked at only where `has_events` is set, as None means all types.
    """

    url: str | None = None
    has_events: bool = False
    events: tuple[EventType, ...] | None = None
    description: str | None = None
    is_enabled: bool | None = None

    def columns(self) -> dict[str, object]:
        """Return the columns to set; disabling is a step of its own."""
        columns: dict[str, object] = {}
        if self.url is not None:  # what the old address did says nothing of the new one
            columns |= {"url": self.url} | FRESH
        if self.has_events:
            columns["events_json"] = write_types(self.events)
        if self.description is not None:
            columns["description"] = self.description
        if self.is_enabled:
            columns |= {"state": "enabled", "disabled_reason": None} | FRESH
        return columns
