"""The fetcher's Protocol and its errors: bytes from a URL that a user named.

    UrlRefusedError        422, the URL is not one that we request
    UrlUnreachableError    422, requested, and no usable answer came
    UrlTooLargeError       413, an answer of too many bytes

No message tells what lies behind a refused address: not the address, nor whether it answers.
"""

import re
from dataclasses import dataclass
from typing import Protocol

from gen_video.errors import ServiceError

UNKNOWN_TYPE = "application/octet-stream"
MEBIBYTE = 2**20

_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9.+-]{0,62}/[a-z0-9][a-z0-9.+-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What a URL gave. `content_type` is the server's claim, such as `image/png`."""

    data: bytes
    content_type: str


class UrlRefusedError(ServiceError):
    """A URL that is not requested: its scheme, port, credentials or address."""

    code = "url_refused"
    status = 422
    message_en = "The URL is not allowed: {reason}. Please use another, or upload the file itself."
    message_zh = "不允许使用该 URL：{reason_zh}。请更换 URL，或直接上传文件。"


class UrlUnreachableError(ServiceError):
    """No usable answer: name, connection, TLS, time, status or kind of content."""

    code = "url_unreachable"
    status = 422
    message_en = (
        "The URL could not be read: {reason}. Please check that it opens in a browser"
        " without signing in, or upload the file itself."
    )
    message_zh = "无法读取该 URL：{reason_zh}。请确认它无需登录即可在浏览器中打开，或直接上传文件。"


class UrlTooLargeError(ServiceError):
    """More bytes than the caller takes."""

    code = "url_too_large"
    status = 413
    message_en = (
        "The file at the URL is too large; at most {limit} are allowed. Please make it smaller."
    )
    message_zh = "该 URL 指向的文件过大，最多允许 {limit}，请缩小后重试。"

    def __init__(self, *, max_bytes: int) -> None:
        super().__init__(limit=f"{max_bytes / MEBIBYTE:.1f} MiB")


class Fetcher(Protocol):
    """Fetches what users name. Calls block and may be made from any thread."""

    def fetch(self, url: str, *, max_bytes: int, accept: tuple[str, ...]) -> Fetched:
        """Return what lies at the URL.

        Args:
            url: As the user wrote it; nothing is assumed of it.
            max_bytes: More is refused.
            accept: Media types that are taken, `image/*` and `*/*` among them. A server that
                names none counts as `application/octet-stream`, as many object stores say.

        Raises:
            UrlRefusedError: The URL or one that it leads to is not requested.
            UrlUnreachableError: No usable answer came.
            UrlTooLargeError: The answer is longer than `max_bytes`.
        """
        ...


def media_type(header: str) -> str:
    """Return the plain media type of a Content-Type header; it is safe to print."""
    plain = header.partition(";")[0].strip().lower()
    return plain if _MEDIA_TYPE.fullmatch(plain) else UNKNOWN_TYPE


def require_accepted(content_type: str, accept: tuple[str, ...]) -> None:
    """Check a media type against those that the caller takes.

    Raises:
        UrlUnreachableError: It is none of them.
    """
    family = content_type.partition("/")[0]
    if not {content_type, f"{family}/*", "*/*"} & set(accept):
        raise UrlUnreachableError(
            reason=f"it gives {content_type}, not {', '.join(accept)}",
            reason_zh=f"返回的类型是 {content_type}，而不是 {', '.join(accept)}",
        )
