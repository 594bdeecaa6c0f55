"""One's own account: who one is, the password, and where one is signed in."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from gen_video.accounts.errors import (
    NoEmailError,
    SignInBlockedError,
    WeakPasswordError,
    WrongPasswordError,
)
from gen_video.accounts.sign_ins import Browser
from gen_video.console.agents import describe_agent
from gen_video.console.navigation import ACCOUNT_PATH
from gen_video.console.threads import password_threads
from gen_video.console.views import render
from gen_video.console.visits import ServicesDep, SessionDep, Visit
from gen_video.errors import ServiceError
from gen_video.wiring import Services

REFUSALS = (NoEmailError, SignInBlockedError, WeakPasswordError, WrongPasswordError)

router = APIRouter(prefix=ACCOUNT_PATH)


@router.get("")
async def get_account(
    request: Request, visit: SessionDep, services: ServicesDep, done: str = ""
) -> Response:
    """Show who is signed in, and where."""
    return await _page(request, visit, services, done=done)


@router.post("/password")
async def change_password(
    request: Request,
    visit: SessionDep,
    services: ServicesDep,
    new: Annotated[str, Form(max_length=500)],
    current: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Replace the password; the other sessions end."""
    host = "" if request.client is None else request.client.host
    try:
        await password_threads(request).run(
            services.sign_ins.change_password,
            visit.account,
            current=current,
            new=new,
            browser=Browser(address=host),
        )
    except REFUSALS as error:
        return await _page(request, visit, services, error=error)
    return _back("password")


@router.post("/sessions/end-others")
async def end_others(visit: SessionDep, services: ServicesDep) -> Response:
    """Sign out everywhere but here."""
    await services.threads.run(services.sign_ins.end_others, visit.account)
    return _back("sessions")


@router.post("/sessions/{session_id}/end")
async def end_session(visit: SessionDep, services: ServicesDep, session_id: str) -> Response:
    """Sign out in one place."""
    await services.threads.run(services.sign_ins.end_session, visit.caller.account_id, session_id)
    return _back("sessions")


def _back(done: str) -> Response:
    return RedirectResponse(f"{ACCOUNT_PATH}?done={done}", status_code=HTTPStatus.SEE_OTHER)


async def _page(
    request: Request,
    visit: Visit,
    services: Services,
    *,
    done: str = "",
    error: ServiceError | None = None,
) -> Response:
    sessions = await services.threads.run(services.sign_ins.list_sessions, visit.caller.account_id)
    return render(
        request,
        "pages/account.html",
        status=HTTPStatus.OK if error is None else error.status,
        sessions=[(row, describe_agent(row.user_agent)) for row in sessions],
        done=done,
        error=error,
    )
