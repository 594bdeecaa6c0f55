"""API keys: their form, their checksum and the hash under which they are stored.

    gv_live_<lookup: 12 base62>_<secret: 43 base62><checksum: 6 base62>

The checksum is a CRC-32 of everything before it: a mistyped or invented key is refused without
any database work. Only `lookup` and HMAC-SHA256(pepper, key) are stored. The form follows GitHub's
token format, which secret scanners recognise.
"""

import hashlib
import hmac
import re
import zlib
from dataclasses import dataclass, field

from gen_video.ids import base62, random_base62

LOOKUP_LENGTH = 12
LOOKUP_BITS = 71
SECRET_LENGTH = 43
SECRET_BITS = 256
CHECKSUM_LENGTH = 6
MAX_KEY_LENGTH = 200

TEST_KEYS: dict[str, str] = {"test-key-123": "test_user", "demo-key-456": "demo_user"}
"""The seed's keys with their users; they exist only outside production."""

_PATTERN = re.compile(
    rf"(gv_(?:live|test)_([0-9A-Za-z]{{{LOOKUP_LENGTH}}})_[0-9A-Za-z]{{{SECRET_LENGTH}}})"
    rf"([0-9A-Za-z]{{{CHECKSUM_LENGTH}}})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key that was just made: shown to its owner once, then forgotten."""

    plaintext: str = field(repr=False)
    lookup: str
    hint: str


def make_key() -> NewKey:
    """Make a new random key."""
    lookup = random_base62(bits=LOOKUP_BITS, length=LOOKUP_LENGTH)
    body = f"gv_live_{lookup}_{random_base62(bits=SECRET_BITS, length=SECRET_LENGTH)}"
    plaintext = body + checksum(body)
    return NewKey(plaintext=plaintext, lookup=lookup, hint=plaintext[-4:])


def checksum(body: str) -> str:
    """Return the six characters that make typing errors visible."""
    return base62(zlib.crc32(body.encode()), length=CHECKSUM_LENGTH)


def find_lookup(key: str, *, allow_test_keys: bool) -> str | None:
    """Return the public part that finds a key's row, or None for anything that is no key."""
    if allow_test_keys and key in TEST_KEYS:
        return key
    if len(key) > MAX_KEY_LENGTH:
        return None
    match = _PATTERN.fullmatch(key)
    if match is None or checksum(match[1]) != match[3]:
        return None
    return match[2]


def hash_key(key: str, *, pepper: bytes) -> str:
    """Return the keyed hash that is stored instead of the key."""
    return hmac.new(pepper, key.encode(), hashlib.sha256).hexdigest()


def is_same_hash(left: str, right: str) -> bool:
    """Compare two hashes in constant time."""
    return hmac.compare_digest(left, right)
