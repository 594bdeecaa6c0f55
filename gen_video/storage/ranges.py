"""Byte ranges of RFC 9110 (14.1): which part of a file a client asks for."""

import re
from dataclasses import dataclass

# More than 18 digits are no place in a file; Python would refuse to read thousands of them.
_SPEC = r"(?:[0-9]{1,18}-[0-9]{0,18}|-[0-9]{1,18})"
_RANGES = re.compile(rf"bytes=[ \t]*{_SPEC}(?:[ \t]*,[ \t]*{_SPEC})*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a file; without bytes: none that the client may have."""

    start: int
    length: int


def is_range(text: str) -> bool:
    """Tell whether a `Range` header asks for bytes; RFC 9110 (14.2) has others ignored."""
    if _RANGES.fullmatch(text.strip()) is None:
        return False
    ends = (spec.split("-") for spec in _specs(text))
    return all(not (low and high) or int(low) <= int(high) for low, high in ends)


def find_part(text: str | None, *, size_bytes: int) -> Part | None:
    """Return the one part that is asked for, None for the whole file.

    Several parts at once are allowed to be answered with the whole.
    """
    if text is None or not is_range(text):
        return None
    specs = _specs(text)
    if len(specs) > 1:
        return None
    low, high = specs[0].split("-")
    start = int(low) if low else max(0, size_bytes - int(high))
    last = min(int(high), size_bytes - 1) if low and high else size_bytes - 1
    return Part(start=start, length=max(0, last + 1 - start))


def _specs(text: str) -> list[str]:
    return [spec.strip() for spec in text.partition("=")[2].split(",")]
