"""Signatures by Standard Webhooks, and the secrets they are made with.

A secret is derived from the service's own key, whose it is and its version: nothing secret lies in
the database, and a new version is a new secret. The library that signs is the scheme's own; it has
no dependencies.

Source: https://www.standardwebhooks.com, "Signature scheme".
"""

import hmac
from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime, timedelta

from standardwebhooks import Webhook

from gen_video.webhooks.models import SecretName

PURPOSE = b"gen_video webhooks"
PREFIX = "whsec_"
ROTATION = timedelta(hours=24)
"""How long the secret before signs beside a new one."""


class Signer:
    """Derives secrets, and signs with them.

    Args:
        key: Of the service; the same in every process.
    """

    def __init__(self, key: bytes) -> None:
        self._key = hmac.digest(key, PURPOSE, "sha256")

    def secret(self, owner_id: str, version: int) -> str:
        """Return one version of an owner's secret, as receivers' libraries take it."""
        name = f"webhook:{owner_id}:{version}".encode()
        return PREFIX + b64encode(hmac.digest(self._key, name, "sha256")).decode()

    def headers(self, name: SecretName, *, event_id: str, body: str, now: datetime) -> list[str]:
        """Return the three headers of an attempt: id, timestamp, signatures."""
        signatures = [
            Webhook(self.secret(name.owner_id, version)).sign(event_id, now, body)
            for version in _versions(name, now=now)
        ]
        return [event_id, str(int(now.timestamp())), " ".join(signatures)]


def _versions(name: SecretName, *, now: datetime) -> Iterator[int]:
    yield name.version
    if name.version > 1 and name.previous_until is not None and now < name.previous_until:
        yield name.version - 1
