"""Records of what happens: a job's live events, the account's events, webhooks and deliveries."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gen_video.client.records import Job, Progress, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview(Record):
    """A small picture of a job that is not finished yet."""

    number: int = 0
    mime: str = ""
    width: int = 0
    height: int = 0
    step: int = 0
    steps: int = 0
    content: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent(Record):
    """One live event of a job.

    Attributes:
        name: `progress`, or the state that the job ended in.
        number: Grows from event to event; `stream(job, after=number)` goes on from here.
        status: The job's.
        progress: How far the job is.
        preview: What can be seen already, where `previews` were asked for.
        job: The whole job, with the last event alone.
    """

    name: str
    number: int = 0
    job_id: str = ""
    status: str = ""
    progress: Progress = field(default_factory=Progress)
    preview: Preview | None = None
    job: Job | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadProgress:
    """How much of a file has arrived; `total_bytes` is 0 while it is not known."""

    received_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Record):
    """Something that happened to a job of the account; webhooks carry the same."""

    id: str
    type: str = ""
    created_at: datetime | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook(Record):
    """An address that events are sent to.

    `events` is None for all types. `secret` is known when it was just created, never later.
    """

    id: str
    url: str = ""
    events: tuple[str, ...] | None = None
    description: str | None = None
    is_enabled: bool = True
    disabled_reason: str | None = None
    created_at: datetime | None = None
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret(Record):
    """A signing secret; the one before it stays valid for a while."""

    secret: str = field(repr=False)
    previous_valid_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryAttempt(Record):
    """One try to deliver: what the receiver answered, or why it did not."""

    at: datetime | None = None
    status_code: int | None = None
    error: str | None = None
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery(Record):
    """An event on its way to one address; `status` is pending, delivered or failed."""

    id: str
    event_id: str = ""
    event_type: str = ""
    webhook_id: str | None = None
    url: str = ""
    status: str = ""
    attempts: tuple[DeliveryAttempt, ...] = ()
    next_attempt_at: datetime | None = None
    created_at: datetime | None = None
