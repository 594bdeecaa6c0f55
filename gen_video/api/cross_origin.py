"""Pages of other origins (CORS): which may call, with which headers, and what they may read.

Off unless an operator names origins. Never with credentials: a page sends an API key itself, and
nothing of a session in the console. Outermost, so that errors can be read by pages too.
Source: https://fetch.spec.whatwg.org/#http-cors-protocol
"""

import secrets
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp
from typing_extensions import override

METHODS = ("GET", "HEAD", "POST", "PATCH", "DELETE")
STAINLESS = (
    "arch", "async", "custom-poll-interval", "helper-method", "lang", "os", "package-version",
    "poll-helper", "raw-response", "read-timeout", "retry-count", "runtime", "runtime-version",
    "timeout",
)  # fmt: skip
"""What the SDKs of OpenAI add on their own, after `X-Stainless-`."""
REQUEST_HEADERS = (
    "Authorization",
    "Cache-Control",
    "Cancel-After",
    "Idempotency-Key",
    "If-None-Match",
    "If-Range",
    "Last-Event-ID",
    "OpenAI-Beta",
    "OpenAI-Organization",
    "OpenAI-Project",
    "Prefer",
    "Range",
    "User-Agent",
    "X-API-Key",
    "X-Request-Id",
    *(f"X-Stainless-{name}" for name in STAINLESS),
)
ANSWER_HEADERS = (
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Range",
    "Deprecation",
    "ETag",
    "Idempotency-Replayed",
    "Link",
    "Location",
    "OpenAI-Poll-After-Ms",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Sunset",
    "X-Request-Id",
    "X-Should-Retry",
)
PREFLIGHT_SECONDS = 3600


class CrossOrigin(CORSMiddleware):
    """Lets pages of the named origins call.

    Args:
        origins: Such as `https://app.example.com`, exactly; or `*` alone for every origin.
    """

    def __init__(self, app: ASGIApp, *, origins: Collection[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=METHODS,
            allow_headers=REQUEST_HEADERS,
            expose_headers=ANSWER_HEADERS,
            max_age=PREFLIGHT_SECONDS,
        )

    @override
    def preflight_response(self, request_headers: Headers) -> Response:
        answer = super().preflight_response(request_headers)
        # Answered before a request has an id; yet whoever reports a problem quotes one.
        answer.headers["X-Request-Id"] = f"req_{secrets.token_hex(12)}"
        return answer
