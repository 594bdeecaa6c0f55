"""Passwords: argon2id hashes, what a password must be, and how long wrong ones keep one waiting.

Source: RFC 9106, section 4, second recommended option (64 MiB, 3 passes), the library's default.
"""

import re
import secrets
from datetime import timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gen_video.accounts.errors import InvalidEmailError, WeakPasswordError

LEAST_LENGTH, MOST_LENGTH = 10, 200
FREE_FAILURES = 5
LONGEST_BLOCK = timedelta(minutes=15)
_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]+\.[^@\s\x00-\x1f\x7f]+")
_MAX_EMAIL = 254

_hasher = PasswordHasher()


def hash_password(password: str) -> str:
    """Return the hash that is stored; takes some 50 ms and 64 MiB on purpose."""
    return _hasher.hash(password)


def is_right(password: str, stored_hash: str) -> bool:
    """Tell whether a password is the one of a stored hash."""
    try:
        return _hasher.verify(stored_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(stored_hash: str) -> bool:
    """Tell whether a hash was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(stored_hash)


def make_password() -> str:
    """Return a new random password that people can copy."""
    return secrets.token_urlsafe(15)


def check_password(password: str, *, known: tuple[str, ...]) -> None:
    """Refuse a password that is easily guessed.

    Args:
        password: The new one.
        known: What everybody knows of its owner: name, e-mail address.

    Raises:
        WeakPasswordError: It is.
    """
    is_sized = LEAST_LENGTH <= len(password) <= MOST_LENGTH
    is_known = password.lower() in {text.lower() for text in known}
    if not is_sized or is_known or len(set(password)) == 1:
        raise WeakPasswordError(least=LEAST_LENGTH, most=MOST_LENGTH)


def read_email(text: str) -> str:
    """Return an e-mail address in the form in which it is stored and compared.

    Raises:
        InvalidEmailError: It is none.
    """
    email = text.strip().lower()
    if len(email) > _MAX_EMAIL or not _EMAIL.fullmatch(email):
        raise InvalidEmailError(email=email[:80])
    return email


def block_after(failures: int) -> timedelta | None:
    """Return how long the next attempt has to wait after so many failures; None for not at all."""
    beyond = failures - FREE_FAILURES
    if beyond < 0:
        return None
    return min(LONGEST_BLOCK, timedelta(seconds=2 ** min(beyond + 1, 20)))
