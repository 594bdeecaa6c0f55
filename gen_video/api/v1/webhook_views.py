"""How webhooks, deliveries and events become answers."""

import json
from typing import Any

from gen_video.api.v1.webhook_shapes import (
    AttemptView,
    DeliveryView,
    EventView,
    NewWebhookView,
    RotatedSecretView,
    Status,
    WebhookView,
)
from gen_video.webhooks.models import (
    Delivery,
    DeliveryState,
    Endpoint,
    Event,
    NewEndpoint,
    RotatedSecret,
)

STATUSES: dict[DeliveryState, Status] = {
    DeliveryState.PENDING: "pending",
    DeliveryState.SENDING: "pending",
    DeliveryState.DELIVERED: "delivered",
    DeliveryState.FAILED: "failed",
}


def webhook_view(endpoint: Endpoint) -> WebhookView:
    """Show an endpoint."""
    return WebhookView(**_endpoint_fields(endpoint))


def new_webhook_view(made: NewEndpoint) -> NewWebhookView:
    """Show a new endpoint with its secret."""
    return NewWebhookView(**_endpoint_fields(made.endpoint), secret=made.secret)


def rotated_view(rotated: RotatedSecret) -> RotatedSecretView:
    """Show a new secret."""
    return RotatedSecretView(
        secret=rotated.secret, previous_valid_until=rotated.previous_valid_until
    )


def delivery_view(delivery: Delivery) -> DeliveryView:
    """Show a delivery with its attempts."""
    return DeliveryView(
        id=delivery.id,
        event_id=delivery.event_id,
        event_type=delivery.event_type.value,
        webhook_id=delivery.endpoint_id,
        url=delivery.url,
        status=STATUSES[delivery.state],
        attempts=[
            AttemptView(
                at=attempt.at,
                status_code=attempt.status_code,
                error=attempt.error,
                duration_ms=attempt.duration_ms,
            )
            for attempt in delivery.attempts
        ],
        next_attempt_at=delivery.next_attempt_at,
        created_at=delivery.created_at,
    )


def event_view(event: Event) -> EventView:
    """Show an event: its `data` is that of the body that is sent."""
    data: dict[str, Any] = json.loads(event.body)["data"]
    return EventView(id=event.id, type=event.type.value, created_at=event.created_at, data=data)


def _endpoint_fields(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "events": None if endpoint.events is None else [name.value for name in endpoint.events],
        "description": endpoint.description,
        "is_enabled": endpoint.is_enabled,
        "disabled_reason": endpoint.disabled_reason,
        "created_at": endpoint.created_at,
    }
