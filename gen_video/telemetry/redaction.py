r"""Redaction: what may stand in a log, whoever wrote it.

Pure rules. Secrets are masked by the name of their field and by their form anywhere in a text;
prompts by the name of their field. Escaping turns every character that could forge a line, steer
a terminal or hide from a reader into `\uXXXX`.
"""

import json
import re
from collections.abc import Mapping, MutableMapping
from typing import Any

MASK = "***"
MAX_TEXT = 2000
MAX_TRACEBACK = 16_000
MAX_DEPTH = 6
TRACEBACK = "exception"
SECRET_NAMES = frozenset(
    {
        "access_token",
        "api_key",
        "authorization",
        "cookie",
        "key_plaintext",
        "passwd",
        "password",
        "pepper",
        "private_key",
        "refresh_token",
        "secret",
        "secret_key",
        "set_cookie",
        "token",
        "x_api_key",
    }
)
PROMPT_NAMES = frozenset({"negative_prompt", "prompt", "user_text"})
NOISE = frozenset({"color_message"})
"""What uvicorn says a second time, in colour."""

_KEY = re.compile(r"gv_(live|test)_[0-9A-Za-z]+_[0-9A-Za-z]+")
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[0-9A-Za-z._~+/=-]{8,}")
_URL_PASSWORD = re.compile(r"(://[^\s/:@]*):[^\s/@]+@")
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ud800-\udfff\ufff9-\ufffb\U000e0000-\U000e007f]"
)

Event = MutableMapping[str, Any]


def redact(event: Mapping[str, Any], *, is_logging_prompts: bool = False) -> Event:
    """Return the event with secrets masked, prompts masked unless wanted, and texts cut short."""
    return _redact(event, is_logging_prompts=is_logging_prompts, depth=0)


def mask_secrets(text: str) -> str:
    """Mask API keys, bearer tokens and passwords of URLs wherever they stand in a text."""
    text = _KEY.sub(rf"gv_\1_{MASK}", text)
    text = _BEARER.sub(rf"\1 {MASK}", text)
    return _URL_PASSWORD.sub(rf"\1:{MASK}@", text)


def escape(text: str) -> str:
    r"""Escape control, bidirectional and invisible characters as `\uXXXX`, line ends included."""
    return _INVISIBLE.sub(lambda match: json.dumps(match[0])[1:-1], text)


def _redact(event: Mapping[Any, Any], *, is_logging_prompts: bool, depth: int) -> Event:
    cleaned: Event = {}
    for raw_name, value in event.items():
        name = raw_name if isinstance(raw_name, str) else repr(raw_name)
        plain = name.lower().replace("-", "_")
        is_hidden = plain in SECRET_NAMES or (plain in PROMPT_NAMES and not is_logging_prompts)
        if is_hidden and value is not None:
            cleaned[name] = MASK
        elif plain not in NOISE:
            limit = MAX_TRACEBACK if plain == TRACEBACK else MAX_TEXT
            cleaned[name] = _clean(
                value, is_logging_prompts=is_logging_prompts, limit=limit, depth=depth
            )
    return cleaned


def _clean(value: Any, *, is_logging_prompts: bool, limit: int, depth: int) -> Any:  # noqa: ANN401 - log fields are of any type
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if depth < MAX_DEPTH and isinstance(value, Mapping):
        return _redact(value, is_logging_prompts=is_logging_prompts, depth=depth + 1)
    if depth < MAX_DEPTH and isinstance(value, (list, tuple, set, frozenset)):
        return [
            _clean(item, is_logging_prompts=is_logging_prompts, limit=limit, depth=depth + 1)
            for item in value
        ]
    return _shorten(mask_secrets(_text_of(value)), limit)


def _text_of(value: Any) -> str:  # noqa: ANN401 - log fields are of any type
    if isinstance(value, str):
        return str(value)  # the plain text of an enum's member or another subclass
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - a broken repr must not cost the event
        return f"<{type(value).__name__}>"


def _shorten(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    return f"{text[: limit // 2]} …{len(text) - limit} characters… {text[-(limit // 2) :]}"
