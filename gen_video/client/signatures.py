"""Webhooks that the service signed, by the rules of Standard Webhooks.

A message is signed as `id.timestamp.body` with HMAC-SHA256. The header carries several signatures
while a secret is being changed; one that fits is enough.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Iterator, Mapping, Sequence

from gen_video.client.errors import WebhookVerificationError
from gen_video.client.happenings import Event
from gen_video.client.reading import read_record

TOLERANCE_SECONDS = 300
SECRET_PREFIX = "whsec_"  # noqa: S105 - what secrets begin with
SCHEME = "v1"


def verify_webhook(
    body: bytes | str,
    headers: Mapping[str, str],
    secret: str | Sequence[str],
    *,
    tolerance_seconds: float = TOLERANCE_SECONDS,
    now: float | None = None,
) -> Event:
    """Check that a webhook comes from the service and is fresh, and read it.

    Args:
        body: As it arrived: not parsed and written again.
        headers: Of the request; upper or lower case.
        secret: The endpoint's `whsec_…`, or several of them.
        tolerance_seconds: How far the sender's clock may be from ours, and how old a copy may be.
        now: Seconds since 1970, for tests; the clock otherwise.

    Returns:
        The event; its `id` is the same for every repeated delivery, so act on each id once.

    Raises:
        WebhookVerificationError: It is not what the service sent, or not of now.

    Example:
        >>> verify_webhook(b"{}", {}, "whsec_c2VjcmV0")
        Traceback (most recent call last):
        gen_video.client.errors.WebhookVerificationError: the header webhook-id is missing
    """
    given = {name.lower(): text for name, text in headers.items()}
    message_id, stamp, signatures = (
        _require_header(given, name)
        for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
    )
    _require_fresh(stamp, tolerance_seconds, time.time() if now is None else now)
    raw = body.encode() if isinstance(body, str) else body
    signed = f"{message_id}.{stamp}.".encode() + raw
    secrets = [secret] if isinstance(secret, str) else list(secret)
    expected = [hmac.digest(_read_secret(text), signed, hashlib.sha256) for text in secrets]
    # All pairs are compared, whether one fits or not: the time says nothing.
    fits = [
        hmac.compare_digest(one, other)
        for one in _read_signatures(signatures)
        for other in expected
    ]
    if not any(fits):
        raise WebhookVerificationError("no signature fits; is this the endpoint's secret?")
    return _read_event(message_id, raw)


def _require_header(headers: Mapping[str, str], name: str) -> str:
    text = headers.get(name, "").strip()
    if not text:
        raise WebhookVerificationError(f"the header {name} is missing")
    return text


def _require_fresh(stamp: str, tolerance_seconds: float, now: float) -> None:
    if not (stamp.isascii() and stamp.isdecimal()):
        raise WebhookVerificationError("webhook-timestamp is no whole number of seconds")
    if abs(now - int(stamp)) > tolerance_seconds:
        raise WebhookVerificationError(
            "the message is too old or from the future; is the clock right?"
        )


def _read_secret(text: str) -> bytes:
    try:
        key = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise WebhookVerificationError("the secret is not of the form whsec_…") from error
    if not key:
        raise WebhookVerificationError("the secret is empty")
    return key


def _read_signatures(header: str) -> Iterator[bytes]:
    for part in header.split():
        scheme, _, text = part.partition(",")
        if scheme == SCHEME:
            try:
                yield base64.b64decode(text, validate=True)
            except (binascii.Error, ValueError):
                continue


def _read_event(message_id: str, raw: bytes) -> Event:
    try:
        content = json.loads(raw)
    except ValueError as error:
        raise WebhookVerificationError("the body is no JSON") from error
    if not isinstance(content, dict):
        raise WebhookVerificationError("the body is no JSON object")
    return read_record(Event, content | {"id": message_id, "created_at": content.get("timestamp")})
