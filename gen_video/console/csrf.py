"""Requests that change something come from our own pages, and nowhere else.

Two proofs: the browser says so (Origin, Sec-Fetch-Site), and the request carries a token that only
pages of the same session know. The token looks different on every page, so that nothing about it
can be learned from the length of compressed pages (BREACH).
"""

import base64
import binascii
import hmac
import secrets
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

HEADER = "X-CSRF-Token"
FIELD = "csrf_token"
SECRET_BYTES = 32
SAME_ORIGIN = "same-origin"


def make_token(secret: bytes) -> str:
    """Return a new form of a session's token."""
    mask = secrets.token_bytes(SECRET_BYTES)
    return base64.urlsafe_b64encode(mask + _mix(mask, secret)).decode()


def is_token_of(secret: bytes, token: str) -> bool:
    """Tell whether a token is one of a session's."""
    try:
        both = base64.b64decode(token.encode(), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return False
    if len(both) != 2 * SECRET_BYTES:
        return False
    return hmac.compare_digest(_mix(both[:SECRET_BYTES], both[SECRET_BYTES:]), secret)


def own_origins(*, scheme: str, host: str, public_url: str) -> frozenset[str]:
    """Return what browsers call the place where our pages are."""
    public = urlsplit(public_url)
    origins = {f"{scheme}://{host}".lower()} if host else set()
    if public.scheme and public.netloc:
        origins.add(f"{public.scheme}://{public.netloc}".lower())
    return frozenset(origins)


def is_own_page(headers: Mapping[str, str], own: Collection[str]) -> bool:
    """Tell whether a browser sent a request from one of our pages.

    An absent origin and `null` (a sandboxed frame, a file, a redirect) are foreign.
    """
    if headers.get("sec-fetch-site", SAME_ORIGIN) != SAME_ORIGIN:
        return False
    return headers.get("origin", "").lower() in own


def _mix(left: bytes, right: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(left, right, strict=True))
