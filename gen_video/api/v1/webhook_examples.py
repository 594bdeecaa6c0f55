"""Examples of answers about webhooks and events, for the OpenAPI document."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel

from gen_video.api.v1.webhook_shapes import (
    AttemptView,
    DeliveryListView,
    DeliveryView,
    EventListView,
    EventView,
    NewWebhookView,
    RotatedSecretView,
    SecretView,
    WebhookListView,
    WebhookView,
)

WEBHOOK_ID = "whk_4bDk2Qv9sTnW1xYz8aLm3P"
DELIVERY_ID = "dlv_7hJq5Rx1uVpY3zBc0dNo6S"
EVENT_ID = "evt_9kMs7Tz3wXra5BdE2fPq8U"
JOB_ID = "job_4bDk2Qv9sTnW1xYz8aLm3P"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="  # noqa: S105 - nobody's
MOMENT = datetime(2026, 12, 1, 8, 30, tzinfo=UTC)
URL = "https://example.com/hooks/gen-video"


def webhook_examples() -> dict[str, dict[str, Any]]:
    """Return an example of every answer, by operation id and status."""
    webhook = WebhookView(**_webhook())
    rotated = RotatedSecretView(secret=SECRET, previous_valid_until=MOMENT + timedelta(days=1))
    views: dict[str, dict[str, BaseModel]] = {
        "create_webhook": {"201": NewWebhookView(**_webhook(), secret=SECRET)},
        "list_webhooks": {"200": WebhookListView(data=[webhook], **_page(WEBHOOK_ID))},
        "get_webhook": {"200": webhook},
        "update_webhook": {"200": webhook},
        "rotate_webhook_secret": {"200": rotated},
        "get_signing_secret": {"200": SecretView(secret=SECRET)},
        "rotate_signing_secret": {"200": rotated},
        "test_webhook": {"202": _delivery(is_over=False)},
        "list_deliveries": {
            "200": DeliveryListView(data=[_delivery(is_over=True)], **_page(DELIVERY_ID))
        },
        "replay_delivery": {"202": _delivery(is_over=False)},
        "list_events": {"200": EventListView(data=[_event()], **_page(EVENT_ID))},
        "get_event": {"200": _event()},
    }
    return {
        operation: {status: view.model_dump(mode="json") for status, view in answers.items()}
        for operation, answers in views.items()
    }


def _page(only_id: str) -> dict[str, Any]:
    return {"first_id": only_id, "last_id": only_id, "has_more": False}


def _webhook() -> dict[str, Any]:
    return {
        "id": WEBHOOK_ID,
        "url": URL,
        "events": ["job.succeeded", "job.failed"],
        "description": "orders / 订单",
        "is_enabled": True,
        "disabled_reason": None,
        "created_at": MOMENT,
    }


def _delivery(*, is_over: bool) -> DeliveryView:
    attempts = [
        AttemptView(at=MOMENT, status_code=500, error="bad_status", duration_ms=84),
        AttemptView(at=MOMENT + timedelta(seconds=5), status_code=204, error=None, duration_ms=31),
    ]
    return DeliveryView(
        id=DELIVERY_ID,
        event_id=EVENT_ID,
        event_type="job.succeeded" if is_over else "webhook.test",
        webhook_id=WEBHOOK_ID,
        url=URL,
        status="delivered" if is_over else "pending",
        attempts=attempts if is_over else [],
        next_attempt_at=None if is_over else MOMENT,
        created_at=MOMENT,
    )


def _event() -> EventView:
    return EventView(
        id=EVENT_ID,
        type="job.succeeded",
        created_at=MOMENT,
        data={
            "id": JOB_ID,
            "object": "job",
            "kind": "image",
            "model": "mini",
            "status": "succeeded",
            "outputs": [
                {
                    "url": f"/api/v1/files/images/{JOB_ID}.png",
                    "mime": "image/png",
                    "size_bytes": 1_234_567,
                    "width": 1024,
                    "height": 1024,
                }
            ],
            "error": None,
            "metadata": {"order": "7"},
            "units": 1,
            "created_at": "2026-12-01T08:29:56.000Z",
            "finished_at": "2026-12-01T08:30:00.000Z",
        },
    )
