"""Middleware: what happens to every request before and after its route.

Plain ASGI, so that streaming and client disconnects pass through untouched.
"""

import asyncio
import re
import secrets
import time
from collections.abc import Callable
from http import HTTPStatus

import structlog
from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gen_video.api import deprecations, rates
from gen_video.api.problems import (
    BodyTimeoutError,
    BodyTooLargeError,
    UnsupportedBodyError,
    internal_problem,
    service_problem,
)
from gen_video.calls.models import Call
from gen_video.calls.service import MAX_PATH, CallLog
from gen_video.clock import utc_now
from gen_video.errors import ServiceError
from gen_video.telemetry.metrics import Metrics

BODY_SECONDS = 60.0
UNKNOWN_ROUTE = "unmatched"
CLIENT_LEFT = 499
"""Noted, never sent: the client hung up before its request was complete."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REQUEST_ID = re.compile(r"[0-9A-Za-z._-]{1,64}")

log = structlog.get_logger("gen_video.api")


class RequestMiddleware:
    """Gives each request an id, one log line, its metrics, and an answer whatever happens."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, calls: CallLog) -> None:
        self._app = app
        self._metrics = metrics
        self._calls = calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else f"req_{secrets.token_hex(12)}"
        scope.setdefault("state", {})["request_id"] = request_id
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self._handle(scope, receive, send, request_id)

    async def _handle(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Referrer-Policy", "no-referrer")
                headers.setdefault("Cache-Control", "no-store")
                rates.add_headers(headers, scope["state"])
                deprecations.add_headers(
                    headers, route=_route(scope), parameters=scope.get("path_params", {})
                )
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            status = status or CLIENT_LEFT
        except Exception:
            log.exception("request_crashed", path=scope["path"])
            if status == 0:
                await internal_problem(Request(scope))(scope, receive, send_with_id)
        finally:
            self._note(scope, status, time.perf_counter() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = _route(scope)
        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        self._metrics.request_finished(method=method, route=route, status=status, seconds=seconds)
        self._log_call(scope, method=method, status=status, seconds=seconds)
        log.info("request", method=method, route=route, status=status, ms=round(seconds * 1000, 1))

    def _log_call(self, scope: Scope, *, method: str, status: int, seconds: float) -> None:
        """Keep what an account asked, for the account to look at; strangers have no log."""
        caller = scope["state"].get("caller")
        if caller is None:
            return
        self._calls.note(
            Call(
                at=utc_now(),
                request_id=scope["state"]["request_id"],
                account_id=caller.account_id,
                key_id=caller.key_id,
                method=method,
                path=scope["path"][:MAX_PATH],
                status=status or CLIENT_LEFT,
                duration_ms=round(seconds * 1000),
            )
        )


class BodyGuard:
    """Bounds the size, the encoding and the arrival time of request bodies, chunked or not.

    Args:
        uploads: Paths whose JSON may carry whole pictures and is bounded like a form.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_json_bytes: int,
        max_upload_bytes: int,
        uploads: tuple[str, ...] = (),
    ) -> None:
        self._app = app
        self._uploads = uploads
        self._max_json_bytes = max_json_bytes
        self._max_upload_bytes = max_upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        is_form = headers.get("content-type", "").startswith("multipart/form-data")
        is_upload = is_form or scope["path"] in self._uploads
        limit = self._max_upload_bytes if is_upload else self._max_json_bytes
        refusal = _refuse_early(headers, limit)
        if refusal is not None:
            await service_problem(Request(scope), refusal)(scope, receive, send)
            return
        await self._app(scope, _bounded(receive, limit), send)


class HeadAsGet:
    """Answers HEAD like GET without the body, wherever a route does not do so itself.

    Endless answers are left out: there is nothing to look at before their end.
    """

    def __init__(self, app: ASGIApp, *, own: tuple[str, ...], endless: str) -> None:
        self._app = app
        self._own = own
        self._endless = endless

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http" or scope["method"] != "HEAD" or self._is_left(scope["path"]):
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET"}, receive, send_head)

    def _is_left(self, path: str) -> bool:
        return path.startswith(self._own) or path.endswith(self._endless)


class DrainGate:
    """Answers 503 to new work while the process is stopping; reads still pass."""

    def __init__(self, app: ASGIApp, *, is_draining: Callable[[], bool]) -> None:
        self._app = app
        self._is_draining = is_draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] == "http" and scope["method"] == "POST" and self._is_draining():
            await service_problem(Request(scope), DrainingError())(scope, receive, send)
            return
        await self._app(scope, receive, send)


class DrainingError(ServiceError):
    """The process is stopping."""

    code = "draining"
    status = 503
    is_retryable = True
    message_en = "This server is restarting. Please retry in a few seconds."
    message_zh = "服务器正在重启，请几秒后重试。"

    def __init__(self) -> None:
        super().__init__(retry_after_seconds=5)


def _route(scope: Scope) -> str:
    path: str = getattr(scope.get("route"), "path", UNKNOWN_ROUTE)
    return path


def _refuse_early(headers: Headers, limit: int) -> ServiceError | None:
    if headers.get("content-encoding", "identity").lower() != "identity":
        return UnsupportedBodyError()
    length = headers.get("content-length", "")
    if length.isdecimal() and len(length) < HTTPStatus.CONTINUE and int(length) > limit:
        return BodyTooLargeError(limit=limit)
    return None


def _bounded(receive: Receive, limit: int) -> Receive:
    received = 0
    is_complete = False
    deadline = time.monotonic() + BODY_SECONDS

    async def bounded() -> Message:
        nonlocal received, is_complete
        if is_complete:
            return await receive()  # waits for the disconnect, however long the answer takes
        try:
            async with asyncio.timeout(max(0.001, deadline - time.monotonic())):
                message = await receive()
        except TimeoutError:
            raise BodyTimeoutError(seconds=round(BODY_SECONDS)) from None
        if message["type"] == "http.request":
            received += len(message.get("body", b""))
            is_complete = not message.get("more_body", False)
        if received > limit:
            raise BodyTooLargeError(limit=limit)
        return message

    return bounded
