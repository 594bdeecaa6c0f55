"""Developer pages: one's own API keys."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from gen_video.accounts.errors import TooManyKeysError
from gen_video.accounts.models import IssuedKey
from gen_video.console.actors import actor_of
from gen_video.console.key_form import LIFETIMES, MAX_LABEL, read_key_form
from gen_video.console.views import render
from gen_video.console.visits import ServicesDep, SessionDep, Visit
from gen_video.errors import InvalidRequestError, ServiceError
from gen_video.wiring import Services

PATH = "/console/developer"
KEYS_PATH = f"{PATH}/keys"

router = APIRouter(prefix=PATH)


@router.get("")
async def get_keys(
    request: Request, visit: SessionDep, services: ServicesDep, done: str = ""
) -> Response:
    """Show the keys of the account; the keys themselves are not known any more."""
    return await _page(request, visit, services, done=done)


@router.post("/keys")
async def create_key(
    request: Request,
    visit: SessionDep,
    services: ServicesDep,
    *,
    label: Annotated[str, Form(max_length=MAX_LABEL)] = "",
    lifetime: Annotated[str, Form(max_length=10)] = "",
    images_per_day: Annotated[str, Form(max_length=20)] = "",
    videos_per_day: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Make a key and show it, this once."""
    try:
        form = read_key_form(label, lifetime, images_per_day, videos_per_day)
        issued = await services.threads.run(
            services.roster.create_own_key,
            visit.caller,
            label=form.label,
            lifetime=form.lifetime,
            images_per_day=form.images_per_day,
            videos_per_day=form.videos_per_day,
            by=actor_of(visit),
        )
    except (InvalidRequestError, TooManyKeysError) as error:
        return await _page(request, visit, services, error=error)
    return await _page(request, visit, services, issued=issued)


@router.post("/keys/{key_id}/revoke")
async def revoke_key(visit: SessionDep, services: ServicesDep, key_id: str) -> Response:
    """End a key."""
    await services.threads.run(
        services.roster.revoke_own_key, visit.caller, key_id, by=actor_of(visit)
    )
    return RedirectResponse(f"{PATH}?done=revoked", status_code=HTTPStatus.SEE_OTHER)


async def _page(
    request: Request,
    visit: Visit,
    services: Services,
    *,
    done: str = "",
    issued: IssuedKey | None = None,
    error: ServiceError | None = None,
) -> Response:
    rows = await services.threads.run(services.roster.list_own_keys, visit.caller)
    return render(
        request,
        "pages/keys.html",
        status=HTTPStatus.OK if error is None else error.status,
        working=[row for row in rows if row.revoked_at is None],
        revoked=[row for row in rows if row.revoked_at is not None],
        lifetimes=LIFETIMES,
        issued=issued,
        origin=services.settings.public_url.rstrip("/") or str(request.base_url).rstrip("/"),
        done=done,
        error=error,
    )
