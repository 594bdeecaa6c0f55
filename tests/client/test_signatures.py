"""Webhooks: what the reference library signs is taken, anything else is refused."""

import json
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from gen_video.client import Client, WebhookVerificationError, verify_webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_b3RoZXItc2VjcmV0LW9mLTI0LWJ5dGVzIQ=="
NOW = 1_795_500_000
CONTENT = {
    "type": "job.succeeded",
    "timestamp": "2026-11-24T08:00:00Z",
    "data": {"id": "job_1", "status": "succeeded", "提示": "雪山"},
}
BODY = json.dumps(CONTENT, ensure_ascii=False).encode()


def sign(
    body: bytes = BODY, *, secret: str = SECRET, message_id: str = "evt_1", at: int = NOW
) -> dict[str, str]:
    moment = datetime.fromtimestamp(at, tz=UTC)
    signature = Webhook(secret).sign(message_id, moment, body.decode())
    return {
        "Webhook-Id": message_id,
        "Webhook-Timestamp": str(at),
        "Webhook-Signature": signature,
    }


def test_what_the_reference_library_signs_is_taken() -> None:
    event = verify_webhook(BODY, sign(), SECRET, now=NOW)

    assert (event.id, event.type) == ("evt_1", "job.succeeded")
    assert event.data["提示"] == "雪山"
    assert event.created_at == datetime(2026, 11, 24, 8, tzinfo=UTC)


def test_the_client_offers_the_same() -> None:
    with Client("http://service.test", "k") as client:
        assert client.webhooks.verify(BODY.decode(), sign(), SECRET, now=NOW).id == "evt_1"


def test_one_signature_of_several_is_enough() -> None:
    headers = sign(secret=OTHER)
    both = f"v2,xyz {headers['Webhook-Signature']} {sign()['Webhook-Signature']}"

    assert verify_webhook(BODY, headers | {"Webhook-Signature": both}, SECRET, now=NOW).id


def test_one_secret_of_several_is_enough() -> None:
    assert verify_webhook(BODY, sign(), [OTHER, SECRET], now=NOW).id == "evt_1"


@pytest.mark.parametrize(
    ("body", "headers", "secret"),
    [
        (BODY.replace(b"job_1", b"job_2"), {}, SECRET),
        (BODY, {"Webhook-Id": "evt_2"}, SECRET),
        (BODY, {"Webhook-Timestamp": str(NOW + 1)}, SECRET),
        (BODY, {"Webhook-Signature": "v1,"}, SECRET),
        (BODY, {"Webhook-Signature": "v1,!!!"}, SECRET),
        (BODY, {"Webhook-Signature": ""}, SECRET),
        (BODY, {"Webhook-Timestamp": "now"}, SECRET),
        (BODY, {}, OTHER),
        (BODY, {}, "whsec_"),
        (BODY, {}, "no secret"),
        (BODY, {}, []),
    ],
)
def test_anything_else_is_refused(
    body: bytes, headers: dict[str, str], secret: str | list[str]
) -> None:
    with pytest.raises(WebhookVerificationError):
        verify_webhook(body, sign() | headers, secret, now=NOW)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_copy_from_another_time_is_refused(seconds: int) -> None:
    with pytest.raises(WebhookVerificationError, match="clock"):
        verify_webhook(BODY, sign(), SECRET, now=NOW + seconds)
    assert verify_webhook(BODY, sign(), SECRET, now=NOW + seconds, tolerance_seconds=400).id


def test_a_signed_body_that_is_no_object_is_refused() -> None:
    with pytest.raises(WebhookVerificationError, match="no JSON"):
        verify_webhook(b"[]", sign(b"[]"), SECRET, now=NOW)
