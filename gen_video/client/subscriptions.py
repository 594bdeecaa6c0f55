"""The calls about webhooks, their deliveries, and events."""

from collections.abc import Sequence
from typing import Any, TypedDict

from gen_video.client.connection import Call
from gen_video.client.happenings import Delivery, Event, Secret, Webhook
from gen_video.client.jobs import record_call, segment

WEBHOOKS = "/webhooks"
EVENTS = "/events"


class WebhookChanges(TypedDict, total=False):
    """What of a webhook may be changed.

    Attributes:
        url: An https address.
        events: The types to send, None for all.
        description: For people.
        is_enabled: Whether anything is sent; setting it wakes an address that was given up.
    """

    url: str
    events: Sequence[str] | None
    description: str | None
    is_enabled: bool


def create_webhook(
    url: str, *, events: Sequence[str] | None, description: str | None
) -> Call[Webhook]:
    """Add an address; not repeated on its own, or there might be two."""
    fields: dict[str, Any] = {"url": url}
    if events is not None:
        fields["events"] = list(events)
    if description is not None:
        fields["description"] = description
    return record_call(Webhook, "POST", WEBHOOKS, json=fields, is_repeatable=False)


def get_webhook(webhook_id: str) -> Call[Webhook]:
    """Read one address."""
    return record_call(Webhook, "GET", webhook_path(webhook_id))


def update_webhook(webhook_id: str, changes: WebhookChanges) -> Call[Webhook]:
    """Change an address."""
    return record_call(Webhook, "PATCH", webhook_path(webhook_id), json=dict(changes))


def delete_webhook(webhook_id: str) -> Call[None]:
    """Remove an address."""
    return Call(method="DELETE", path=webhook_path(webhook_id), read=lambda _: None)


def rotate_secret(webhook_id: str) -> Call[Secret]:
    """Make a new secret; not repeated on its own, or the one that is shown might be an old one."""
    path = f"{webhook_path(webhook_id)}/rotate-secret"
    return record_call(Secret, "POST", path, is_repeatable=False)


def send_test(webhook_id: str) -> Call[Delivery]:
    """Send a `webhook.test` event."""
    return record_call(Delivery, "POST", f"{webhook_path(webhook_id)}/test", is_repeatable=False)


def replay_delivery(webhook_id: str, delivery_id: str) -> Call[Delivery]:
    """Send a delivery once more."""
    path = f"{deliveries_path(webhook_id)}/{segment(delivery_id)}/replay"
    return record_call(Delivery, "POST", path, is_repeatable=False)


def get_signing_secret() -> Call[Secret]:
    """Read the account's secret, which signs what jobs with an address of their own send."""
    return record_call(Secret, "GET", f"{WEBHOOKS}/signing-secret")


def rotate_signing_secret() -> Call[Secret]:
    """Make a new secret of the account."""
    return record_call(Secret, "POST", f"{WEBHOOKS}/signing-secret/rotate", is_repeatable=False)


def get_event(event_id: str) -> Call[Event]:
    """Read one event."""
    return record_call(Event, "GET", f"{EVENTS}/{segment(event_id)}")


def webhook_path(webhook_id: str) -> str:
    """Return the path of one webhook."""
    return f"{WEBHOOKS}/{segment(webhook_id)}"


def deliveries_path(webhook_id: str) -> str:
    """Return the path of a webhook's deliveries."""
    return f"{webhook_path(webhook_id)}/deliveries"
