"""What the webhooks slice hands out: events, endpoints, deliveries, and the work for a courier."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class EventType(StrEnum):
    """What can be told."""

    JOB_SUCCEEDED = "job.succeeded"
    JOB_FAILED = "job.failed"
    JOB_CANCELED = "job.canceled"
    JOB_EXPIRED = "job.expired"
    TEST = "webhook.test"


class DeliveryState(StrEnum):
    """Where a delivery is: `sending` while a courier has it under a lease."""

    PENDING = "pending"
    SENDING = "sending"
    DELIVERED = "delivered"
    FAILED = "failed"


class DisabledReason(StrEnum):
    """Why an endpoint is told nothing any more."""

    OWNER = "owner"
    GONE = "gone"
    FAILING = "failing"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFacts:
    """A finished file as an event names it."""

    url: str
    mime: str
    size_bytes: int
    width: int
    height: int
    duration_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorFacts:
    """Why a job has no result."""

    code: str
    en: str
    zh: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """What an event says of a job: never its prompt. `units` were charged."""

    id: str
    account_id: str
    kind: str
    model: str
    status: str
    outputs: tuple[OutputFacts, ...]
    error: ErrorFacts | None
    metadata: dict[str, str]
    units: int
    created_at: datetime
    finished_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened; `body` is what is sent, byte for byte."""

    id: str
    type: EventType
    body: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An address that an account wants to be told at; `events` None means all types."""

    id: str
    url: str
    events: tuple[EventType, ...] | None
    description: str
    is_enabled: bool
    disabled_reason: str | None
    secret_version: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEndpoint:
    """An endpoint that was just made, with the secret that its owner keeps."""

    endpoint: Endpoint
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RotatedSecret:
    """A new secret; the one before signs too until `previous_valid_until`."""

    secret: str = field(repr=False)
    previous_valid_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try at a delivery; `error` is a stable word, None for a success."""

    at: datetime
    status_code: int | None
    error: str | None
    duration_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event on its way to one address."""

    id: str
    event_id: str
    event_type: EventType
    endpoint_id: str | None
    url: str
    state: DeliveryState
    next_attempt_at: datetime | None
    created_at: datetime
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointPage:
    """One page of endpoints, newest first."""

    endpoints: tuple[Endpoint, ...]
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPage:
    """One page of deliveries, newest first."""

    deliveries: tuple[Delivery, ...]
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """One page of events, newest first."""

    events: tuple[Event, ...]
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretName:
    """What a secret is derived from: whose it is, and which version counts now.

    Attributes:
        owner_id: The endpoint, or the account for addresses that jobs name.
        previous_until: Until when the version before signs too.
    """

    owner_id: str
    version: int = 1
    previous_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A delivery under a lease: what a courier sends, and to where.

    Attributes:
        attempt: Attempts since the delivery began, or began anew.
        throttles: How often in a row the endpoint asked for less.
        failing_since: The endpoint's first failure since its last success.
    """

    id: str
    fence: int
    lane: str
    account_id: str
    endpoint_id: str | None
    event_id: str
    body: str
    url: str
    attempt: int
    attempts: int
    throttles: int
    failing_since: datetime | None
    secret: SecretName


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one attempt.

    Attributes:
        status_code: The receiver's answer, None without one.
        error: A stable word where no answer came.
        retry_after_seconds: What the receiver asked for.
        seconds: How long it took.
    """

    status_code: int | None = None
    error: str | None = None
    retry_after_seconds: int | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A parcel and what came of it."""

    parcel: Parcel
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookFigures:
    """All deliveries that are open at one moment."""

    pending: int
    overdue_seconds: float
