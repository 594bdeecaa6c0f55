"""Sessions of browsers: their token, the hash under which they are stored, and their end.

A session lives on the server: signing out ends it for every copy of its cookie.
"""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

IDLE = timedelta(hours=12)
LIFETIME = timedelta(days=7)
TOUCH_EVERY = timedelta(seconds=60)
TOKEN_BYTES = 32
MAX_TOKEN_LENGTH = 100


def make_token() -> str:
    """Return a new secret for a browser's cookie: 256 random bits."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def session_id(token: str) -> str:
    """Return the id under which a token's session is stored; the token itself is not."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def csrf_secret(token: str) -> bytes:
    """Return what a page of this session has to know, and pages of others cannot."""
    return hmac.new(token.encode("utf-8", "surrogateescape"), b"csrf", hashlib.sha256).digest()


def is_over(now: datetime, *, seen_at: datetime, expires_at: datetime) -> bool:
    """Tell whether a session has ended by itself: unused for long, or old."""
    return now >= expires_at or now - seen_at >= IDLE
