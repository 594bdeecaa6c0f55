"""Request headers that steer an answer: how long to wait, what repeats what, when to give up."""

import re
from dataclasses import dataclass
from datetime import timedelta

from fastapi import Request

from gen_video.api.problems import BadHeaderError
from gen_video.generation.submission import RetryHints

MAX_WAIT_SECONDS = 600
MAX_KEY_LENGTH = 255
MAX_CANCEL_AFTER = timedelta(hours=24)
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
_DURATION = re.compile(r"([0-9]{1,6})(s|m|h)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """What a client prefers (RFC 7240): at most so many seconds of waiting, 0 for none.

    `applied` is the answer's `Preference-Applied` header, None when the client said nothing.
    """

    wait_seconds: int
    applied: str | None = None


def read_preference(request: Request, *, default_seconds: int) -> Preference:
    """Read `Prefer: respond-async` and `Prefer: wait=N`; others are ignored, as the RFC asks.

    Raises:
        BadHeaderError: `wait` carries no whole number of seconds.
    """
    parts = ",".join(request.headers.getlist("prefer")).split(",")
    wishes = [part.partition(";")[0].strip().lower() for part in parts]
    wait = next((wish for wish in wishes if wish.partition("=")[0].strip() == "wait"), None)
    if wait is not None:
        seconds = _whole_seconds(wait.partition("=")[2])
        return Preference(wait_seconds=seconds, applied=f"wait={seconds}")
    if "respond-async" in wishes:
        return Preference(wait_seconds=0, applied="respond-async")
    return Preference(wait_seconds=default_seconds)


def read_retry_hints(request: Request) -> RetryHints:
    """Read `Idempotency-Key`, and the retry count that SDKs send on their own.

    Raises:
        BadHeaderError: The key is empty, too long, or not printable ASCII.
    """
    keys = request.headers.getlist("idempotency-key")
    if len(set(keys)) > 1:
        raise BadHeaderError(
            header="Idempotency-Key", reason="it is there twice", reason_zh="出现了两次"
        )
    key = keys[0] if keys else None
    if key is not None and not (0 < len(key) <= MAX_KEY_LENGTH and _is_printable(key)):
        raise BadHeaderError(
            header="Idempotency-Key",
            reason=f"1 to {MAX_KEY_LENGTH} printable ASCII characters",
            reason_zh=f"应为 1 至 {MAX_KEY_LENGTH} 个可打印的 ASCII 字符",
        )
    count = request.headers.get("x-stainless-retry-count", "")
    return RetryHints(
        idempotency_key=key,
        scope=f"{request.method} {request.url.path}",
        retry_count=int(count) if re.fullmatch(r"[0-9]{1,3}", count) else 0,
    )


def read_cancel_after(request: Request) -> timedelta | None:
    """Read `Cancel-After`: `90s`, `5m`, `1h`, or plain seconds.

    Raises:
        BadHeaderError: It is no duration from a second to a day.
    """
    text = request.headers.get("cancel-after")
    if text is None:
        return None
    match = _DURATION.fullmatch(text.strip().lower())
    duration = timedelta(seconds=int(match[1]) * UNITS[match[2] or ""]) if match else timedelta()
    if not timedelta(seconds=1) <= duration <= MAX_CANCEL_AFTER:
        raise BadHeaderError(
            header="Cancel-After",
            reason="a duration from 1s to 24h such as 90s, 5m or 1h",
            reason_zh="应为 1s 至 24h 的时长，例如 90s、5m 或 1h",
        )
    return duration


def _whole_seconds(text: str) -> int:
    digits = text.strip().strip('"')
    if not re.fullmatch(r"[0-9]{1,9}", digits):
        raise BadHeaderError(
            header="Prefer",
            reason=f"wait takes whole seconds from 0 to {MAX_WAIT_SECONDS}",
            reason_zh=f"wait 应为 0 至 {MAX_WAIT_SECONDS} 的整数秒",
        )
    return min(int(digits), MAX_WAIT_SECONDS)


def _is_printable(text: str) -> bool:
    return text.isascii() and text.isprintable()
