"""Signing in and out."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from gen_video.accounts.errors import InvalidKeyError, SignInBlockedError, WrongSignInError
from gen_video.accounts.sign_ins import Browser
from gen_video.console import cookies, navigation
from gen_video.console.returns import path_after_sign_in
from gen_video.console.threads import password_threads
from gen_video.console.views import render
from gen_video.console.visits import ServicesDep, VisitDep
from gen_video.errors import ServiceError
from gen_video.throttles.policy import STRANGER_RATE, stranger_bucket
from gen_video.wiring import Services

REFUSALS = (WrongSignInError, SignInBlockedError, InvalidKeyError)

router = APIRouter()
Text = Annotated[str, Form(max_length=500)]
Next = Annotated[str, Form(alias="next", max_length=2000)]


@router.get("/sign-in")
async def get_sign_in(request: Request, visit: VisitDep, next: str = "") -> Response:  # noqa: A002 - the name in the address
    """Show the form, or go on when one is signed in already."""
    if visit.signed_in is not None:
        return RedirectResponse(_target(next), status_code=HTTPStatus.SEE_OTHER)
    return _form(request, next_path=next)


@router.post("/sign-in")
async def sign_in(
    request: Request, services: ServicesDep, email: Text, password: Text, next_path: Next = ""
) -> Response:
    """Begin a session with e-mail address and password."""
    try:
        await _count(request, services)
        token = await password_threads(request).run(
            services.sign_ins.sign_in, email, password, browser=_browser(request)
        )
    except REFUSALS as error:
        return _form(request, next_path=next_path, email=email, error=error)
    return _enter(request, token, next_path)


@router.post("/sign-in/key")
async def sign_in_with_key(
    request: Request, services: ServicesDep, key: Text, next_path: Next = ""
) -> Response:
    """Begin a session with an API key; in development only."""
    try:
        await _count(request, services)
        token = await services.threads.run(
            services.sign_ins.sign_in_with_key, key.strip(), browser=_browser(request)
        )
    except REFUSALS as error:
        return _form(request, next_path=next_path, error=error)
    return _enter(request, token, next_path)


@router.post("/sign-in/development")
async def enter(
    request: Request,
    services: ServicesDep,
    name: Annotated[str, Form(max_length=64)],
    next_path: Next = "",
) -> Response:
    """Begin a session as the guest or the owner; in development only."""
    token = await services.threads.run(services.sign_ins.enter, name, browser=_browser(request))
    return _enter(request, token, next_path)


@router.post("/sign-out")
async def sign_out(request: Request, services: ServicesDep) -> Response:
    """End the session."""
    token = cookies.find_token(request)
    if token:
        await services.threads.run(services.sign_ins.sign_out, token)
    answer = RedirectResponse("/", status_code=HTTPStatus.SEE_OTHER)
    answer.headers["Clear-Site-Data"] = '"cache"'
    cookies.drop_token(request, answer)
    return answer


def _browser(request: Request) -> Browser:
    return Browser(
        address="" if request.client is None else request.client.host,
        user_agent=request.headers.get("user-agent", ""),
        token=cookies.find_token(request),
    )


def _enter(request: Request, token: str, next_path: str) -> Response:
    answer = RedirectResponse(_target(next_path), status_code=HTTPStatus.SEE_OTHER)
    cookies.keep_token(request, answer, token)
    return answer


def _target(next_path: str) -> str:
    return path_after_sign_in(next_path, otherwise=navigation.home_path())


def _form(
    request: Request, *, next_path: str, email: str = "", error: ServiceError | None = None
) -> Response:
    headers = {}
    if error is not None and error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    return render(
        request,
        "pages/sign_in.html",
        status=HTTPStatus.OK if error is None else error.status,
        headers=headers,
        next_path=next_path,
        email=email,
        error=error,
    )


async def _count(request: Request, services: Services) -> None:
    """Count an attempt by where it comes from, as the API counts requests without a valid key."""
    if services.throttle is None:
        return
    host = None if request.client is None else request.client.host
    verdict = await services.throttle.take(stranger_bucket(host), STRANGER_RATE)
    if not verdict.is_allowed:
        raise SignInBlockedError(seconds=max(1, round(verdict.reset_after_seconds)))
