"""Identifiers: a prefix that says what it names, then 128 random bits in base 62.

A job id doubles as the capability to download its files, so it must not be guessable.
"""

import re
import secrets

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
RANDOM_BITS = 128
BODY_LENGTH = 22
_ID_PATTERN = re.compile(r"[a-z]{2,8}_[0-9A-Za-z]{22}\Z")


def base62(number: int, *, length: int) -> str:
    """Write a non-negative number in base 62, left-padded with zeros to `length`."""
    digits: list[str] = []
    while number:
        number, digit = divmod(number, 62)
        digits.append(BASE62[digit])
    return "".join(reversed(digits)).rjust(length, "0")


def random_base62(*, bits: int, length: int) -> str:
    """Return `bits` random bits in base 62."""
    return base62(secrets.randbits(bits), length=length)


def new_id(prefix: str) -> str:
    """Return a new identifier such as `job_4bD…` (prefix, underscore, 22 characters)."""
    return f"{prefix}_{random_base62(bits=RANDOM_BITS, length=BODY_LENGTH)}"


def is_id(text: str, prefix: str) -> bool:
    """Tell whether a text has the form of an identifier with this prefix."""
    return text.startswith(f"{prefix}_") and _ID_PATTERN.match(text) is not None
