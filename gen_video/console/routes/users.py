"""Owner pages: the users of the service, one by one."""

from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from gen_video.accounts.errors import (
    AccountExistsError,
    EmailTakenError,
    InvalidEmailError,
    InvalidNameError,
    NoEmailError,
)
from gen_video.accounts.models import IssuedKey, Role
from gen_video.accounts.passwords import make_password
from gen_video.console.actors import actor_of
from gen_video.console.key_form import LIFETIMES, MAX_LABEL, read_key_form
from gen_video.console.routes.overview import PATH
from gen_video.console.threads import password_threads
from gen_video.console.views import render
from gen_video.console.visits import AdminDep, ServicesDep
from gen_video.errors import InvalidRequestError, NotFoundError, ServiceError
from gen_video.wiring import Services

USERS_PATH = f"{PATH}/users"
PAGE = 50
MAX_NAME = 64
MAX_EMAIL = 254
REFUSALS = (
    AccountExistsError,
    EmailTakenError,
    InvalidEmailError,
    InvalidNameError,
    InvalidRequestError,
    NoEmailError,
)

router = APIRouter(prefix=USERS_PATH)

Email = Annotated[str, Form(max_length=MAX_EMAIL)]
Plan = Annotated[str, Form(max_length=40)]
RoleName = Annotated[str, Form(pattern="^(member|admin)$")]


@router.get("")
async def get_users(
    request: Request,
    _visit: AdminDep,
    services: ServicesDep,
    after: Annotated[str | None, Query(max_length=MAX_NAME)] = None,
    search: Annotated[str, Query(max_length=MAX_EMAIL)] = "",
) -> Response:
    """Show a page of users by name."""
    return await _list(request, services, after=after, search=search)


@router.post("")
async def create_user(
    request: Request,
    visit: AdminDep,
    services: ServicesDep,
    *,
    name: Annotated[str, Form(max_length=MAX_NAME)] = "",
    email: Email = "",
    plan_id: Plan = "free",
    role: RoleName = "member",
) -> Response:
    """Add a user."""
    try:
        account = await services.threads.run(
            services.people.create,
            name.strip(),
            plan_id=plan_id,
            email=email.strip() or None,
            role=Role(role),
            by=actor_of(visit),
        )
    except REFUSALS as error:
        return await _list(request, services, error=error, name=name, email=email)
    return _back(account.name, "created")


@router.get("/{name}")
async def get_user(
    request: Request, _visit: AdminDep, services: ServicesDep, name: str, done: str = ""
) -> Response:
    """Show a user with keys."""
    return await _show(request, services, name, done=done)


@router.post("/{name}/plan")
async def set_plan(visit: AdminDep, services: ServicesDep, name: str, plan_id: Plan) -> Response:
    """Move a user to another plan."""
    await services.threads.run(
        services.accounts.set_plan, name, plan_id=plan_id, by=actor_of(visit)
    )
    return _back(name, "saved")


@router.post("/{name}/access")
async def set_access(
    visit: AdminDep,
    services: ServicesDep,
    name: str,
    is_disabled: Annotated[bool, Form()] = False,  # noqa: FBT002 - a field of the form
) -> Response:
    """Close or open a user's access."""
    await services.threads.run(
        services.accounts.set_disabled, name, is_disabled=is_disabled, by=actor_of(visit)
    )
    return _back(name, "disabled" if is_disabled else "enabled")


@router.post("/{name}/email")
async def set_email(
    request: Request, visit: AdminDep, services: ServicesDep, name: str, email: Email = ""
) -> Response:
    """Set what a user signs in with."""
    try:
        await services.threads.run(services.people.set_email, name, email, by=actor_of(visit))
    except REFUSALS as error:
        return await _show(request, services, name, error=error)
    return _back(name, "saved")


@router.post("/{name}/role")
async def set_role(visit: AdminDep, services: ServicesDep, name: str, role: RoleName) -> Response:
    """Make a user an admin, or a member again."""
    await services.threads.run(services.people.set_role, name, Role(role), by=actor_of(visit))
    return _back(name, "saved")


@router.post("/{name}/password")
async def set_password(
    request: Request, visit: AdminDep, services: ServicesDep, name: str
) -> Response:
    """Give a user a new password and show it, this once."""
    password = make_password()
    try:
        await password_threads(request).run(
            services.people.set_password, name, password, by=actor_of(visit)
        )
    except REFUSALS as error:
        return await _show(request, services, name, error=error)
    return await _show(request, services, name, password=password)


@router.post("/{name}/keys")
async def create_key(
    request: Request,
    visit: AdminDep,
    services: ServicesDep,
    *,
    name: str,
    label: Annotated[str, Form(max_length=MAX_LABEL)] = "",
    lifetime: Annotated[str, Form(max_length=10)] = "",
    images_per_day: Annotated[str, Form(max_length=20)] = "",
    videos_per_day: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Make a key for a user and show it, this once."""
    try:
        form = read_key_form(label, lifetime, images_per_day, videos_per_day)
    except InvalidRequestError as error:
        return await _show(request, services, name, error=error)
    issued = await services.threads.run(
        services.accounts.create_key,
        name,
        label=form.label,
        lifetime=form.lifetime,
        images_per_day=form.images_per_day,
        videos_per_day=form.videos_per_day,
        by=actor_of(visit),
    )
    return await _show(request, services, name, issued=issued)


@router.post("/{name}/keys/{key_id}/revoke")
async def revoke_key(visit: AdminDep, services: ServicesDep, name: str, key_id: str) -> Response:
    """End a user's key."""
    _, keys = await services.threads.run(services.roster.get_account, name)
    if key_id not in {row.id for row in keys}:
        raise NotFoundError
    await services.threads.run(services.accounts.revoke_key, key_id, by=actor_of(visit))
    return _back(name, "revoked")


def _back(name: str, done: str) -> Response:
    address = f"{USERS_PATH}/{quote(name)}?done={done}"
    return RedirectResponse(address, status_code=HTTPStatus.SEE_OTHER)


async def _list(
    request: Request,
    services: Services,
    *,
    after: str | None = None,
    search: str = "",
    error: ServiceError | None = None,
    name: str = "",
    email: str = "",
) -> Response:
    run = services.threads.run
    page = await run(services.roster.list_accounts, limit=PAGE, after=after, search=search)
    query = {"search": search} if search else {}
    more = query | ({"after": page.accounts[-1].name} if page.has_more else {})
    return render(
        request,
        "pages/users.html",
        status=HTTPStatus.OK if error is None else error.status,
        page=page,
        plans=await run(services.accounts.list_plans),
        search=search,
        given_name=name,
        given_email=email,
        error=error,
        more=f"{USERS_PATH}?{urlencode(more)}" if page.has_more else "",
        first=f"{USERS_PATH}?{urlencode(query)}" if after else "",
    )


async def _show(
    request: Request,
    services: Services,
    name: str,
    *,
    done: str = "",
    issued: IssuedKey | None = None,
    password: str = "",
    error: ServiceError | None = None,
) -> Response:
    run = services.threads.run
    account, keys = await run(services.roster.get_account, name)
    return render(
        request,
        "pages/user.html",
        status=HTTPStatus.OK if error is None else error.status,
        account=account,
        keys=keys[::-1],
        plans=await run(services.accounts.list_plans),
        lifetimes=LIFETIMES,
        issued=issued,
        password=password,
        done=done,
        error=error,
    )
