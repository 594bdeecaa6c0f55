"""Developer pages: who is told when jobs end, and how the telling went."""

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, TypedDict
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from gen_video.clock import utc_now
from gen_video.console.routes.keys import PATH
from gen_video.console.views import render
from gen_video.console.visits import ServicesDep, SessionDep, Visit
from gen_video.errors import InvalidRequestError, ServiceError
from gen_video.webhooks.changes import EndpointChanges
from gen_video.webhooks.errors import EndpointDisabledError, TooManyEndpointsError
from gen_video.webhooks.models import Delivery, DeliveryState, EventType, RotatedSecret
from gen_video.wiring import Services

WEBHOOKS_PATH = f"{PATH}/webhooks"
PAGE = 20
SOON = timedelta(seconds=15)
MAX_URL = 2048
MAX_DESCRIPTION = 200
CHOICES = tuple(kind for kind in EventType if kind is not EventType.TEST)
STATES = (DeliveryState.PENDING, DeliveryState.DELIVERED, DeliveryState.FAILED)

router = APIRouter(prefix=WEBHOOKS_PATH)

Url = Annotated[str, Form(max_length=MAX_URL)]
Description = Annotated[str, Form(max_length=MAX_DESCRIPTION)]
Types = Annotated[list[str], Form(max_length=20)]


class DeliveryFacts(TypedDict):
    """What the template of the deliveries names."""

    address: str
    deliveries: tuple[Delivery, ...]
    state: str
    is_moving: bool
    more: str
    first: str


@router.get("")
async def get_endpoints(
    request: Request,
    visit: SessionDep,
    services: ServicesDep,
    after: Annotated[str | None, Query(max_length=60)] = None,
    done: str = "",
) -> Response:
    """Show the endpoints of the account."""
    return await _list(request, visit, services, after=after, done=done)


@router.post("")
async def create_endpoint(
    request: Request,
    visit: SessionDep,
    services: ServicesDep,
    *,
    url: Url = "",
    description: Description = "",
    events: Types = [],  # noqa: B006 - read by FastAPI, which copies it
) -> Response:
    """Add an endpoint and show its secret, this once."""
    try:
        # The name is looked up, which may take seconds: not on the threads of everybody's requests.
        made = await services.errands.run(
            visit.caller.account_id,
            services.webhooks.create,
            visit.caller,
            url=url.strip(),
            events=_types(events),
            description=description.strip(),
        )
    except (InvalidRequestError, TooManyEndpointsError) as error:
        return await _list(request, visit, services, error=error, url=url)
    return await _show(
        request, visit, services, made.endpoint.id, secret=made.secret, done="created"
    )


@router.get("/{endpoint_id}")
async def get_endpoint(
    request: Request,
    visit: SessionDep,
    services: ServicesDep,
    *,
    endpoint_id: str,
    after: Annotated[str | None, Query(max_length=60)] = None,
    state: Annotated[str, Query(max_length=20)] = "",
    done: str = "",
) -> Response:
    """Show an endpoint with its deliveries."""
    return await _show(request, visit, services, endpoint_id, after=after, state=state, done=done)


@router.get("/{endpoint_id}/deliveries")
async def get_deliveries(
    request: Request,
    visit: SessionDep,
    services: ServicesDep,
    endpoint_id: str,
    state: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """Return the newest deliveries alone, for a page that waits for them."""
    facts = await _deliveries(visit, services, endpoint_id, after=None, state=state)
    return render(request, "parts/deliveries.html", **facts)


@router.post("/{endpoint_id}")
async def update_endpoint(
    request: Request,
    visit: SessionDep,
    services: ServicesDep,
    *,
    endpoint_id: str,
    url: Url = "",
    description: Description = "",
    events: Types = [],  # noqa: B006 - read by FastAPI, which copies it
) -> Response:
    """Change where an endpoint is, what it is told, and what it is called."""
    changes = EndpointChanges(
        url=url.strip(), has_events=True, events=_types(events), description=description.strip()
    )
    try:
        await services.errands.run(
            visit.caller.account_id, services.webhooks.update, visit.caller, endpoint_id, changes
        )
    except InvalidRequestError as error:
        return await _show(request, visit, services, endpoint_id, error=error)
    return _back(endpoint_id, "saved")


@router.post("/{endpoint_id}/switch")
async def switch_endpoint(
    visit: SessionDep,
    services: ServicesDep,
    endpoint_id: str,
    is_enabled: Annotated[bool, Form()] = False,  # noqa: FBT002 - a field of the form
) -> Response:
    """Tell an endpoint nothing any more, or again."""
    changes = EndpointChanges(is_enabled=is_enabled)
    await services.threads.run(services.webhooks.update, visit.caller, endpoint_id, changes)
    return _back(endpoint_id, "enabled" if is_enabled else "disabled")


@router.post("/{endpoint_id}/delete")
async def delete_endpoint(visit: SessionDep, services: ServicesDep, endpoint_id: str) -> Response:
    """Remove an endpoint."""
    await services.threads.run(services.webhooks.delete, visit.caller, endpoint_id)
    return RedirectResponse(f"{WEBHOOKS_PATH}?done=deleted", status_code=HTTPStatus.SEE_OTHER)


@router.post("/{endpoint_id}/rotate-secret")
async def rotate_secret(
    request: Request, visit: SessionDep, services: ServicesDep, endpoint_id: str
) -> Response:
    """Make a new secret and show it, this once; the one before signs too for a while."""
    rotated: RotatedSecret = await services.threads.run(
        services.webhooks.rotate_secret, visit.caller, endpoint_id
    )
    return await _show(
        request,
        visit,
        services,
        endpoint_id,
        secret=rotated.secret,
        done="rotated",
    )


@router.post("/{endpoint_id}/test")
async def send_test(
    request: Request, visit: SessionDep, services: ServicesDep, endpoint_id: str
) -> Response:
    """Send a test event."""
    try:
        await services.threads.run(services.webhooks.send_test, visit.caller, endpoint_id)
    except EndpointDisabledError as error:
        return await _show(request, visit, services, endpoint_id, error=error)
    return _back(endpoint_id, "test")


@router.post("/{endpoint_id}/deliveries/{delivery_id}/replay")
async def replay_delivery(
    request: Request, visit: SessionDep, services: ServicesDep, endpoint_id: str, delivery_id: str
) -> Response:
    """Send a delivery once more."""
    try:
        await services.threads.run(services.webhooks.replay, visit.caller, endpoint_id, delivery_id)
    except EndpointDisabledError as error:
        return await _show(request, visit, services, endpoint_id, error=error)
    return _back(endpoint_id, "replayed")


def _back(endpoint_id: str, done: str) -> Response:
    address = f"{WEBHOOKS_PATH}/{endpoint_id}?done={done}"
    return RedirectResponse(address, status_code=HTTPStatus.SEE_OTHER)


def _types(given: list[str]) -> tuple[EventType, ...] | None:
    """Return the chosen types; None, which means all, when none or every one is chosen."""
    chosen = tuple(kind for kind in CHOICES if kind.value in given)
    return None if len(chosen) in {0, len(CHOICES)} else chosen


def _state(text: str) -> DeliveryState | None:
    return next((state for state in STATES if state.value == text), None)


async def _list(
    request: Request,
    visit: Visit,
    services: Services,
    *,
    after: str | None = None,
    done: str = "",
    error: ServiceError | None = None,
    url: str = "",
) -> Response:
    page = await services.threads.run(
        services.webhooks.list_endpoints, visit.caller, limit=PAGE, after=after
    )
    more = urlencode({"after": page.endpoints[-1].id}) if page.has_more else ""
    return render(
        request,
        "pages/webhooks.html",
        status=HTTPStatus.OK if error is None else error.status,
        endpoints=page.endpoints,
        choices=CHOICES,
        url=url,
        done=done,
        error=error,
        more=f"{WEBHOOKS_PATH}?{more}" if more else "",
        first=WEBHOOKS_PATH if after else "",
    )


async def _show(
    request: Request,
    visit: Visit,
    services: Services,
    endpoint_id: str,
    *,
    after: str | None = None,
    state: str = "",
    secret: str = "",
    done: str = "",
    error: ServiceError | None = None,
) -> Response:
    endpoint = await services.threads.run(services.webhooks.get, visit.caller, endpoint_id)
    facts = await _deliveries(visit, services, endpoint_id, after=after, state=state)
    return render(
        request,
        "pages/webhook.html",
        status=HTTPStatus.OK if error is None else error.status,
        endpoint=endpoint,
        choices=CHOICES,
        states=STATES,
        secret=secret,
        done=done,
        error=error,
        **facts,
    )


def _is_soon(delivery: Delivery) -> bool:
    """Tell whether something is about to happen: retries that take hours are not waited for."""
    due_at = delivery.next_attempt_at
    is_due = due_at is not None and due_at - utc_now() < SOON
    return is_due or delivery.state is DeliveryState.SENDING


async def _deliveries(
    visit: Visit, services: Services, endpoint_id: str, *, after: str | None, state: str
) -> DeliveryFacts:
    page = await services.threads.run(
        services.webhooks.list_deliveries,
        visit.caller,
        endpoint_id,
        limit=PAGE,
        after=after,
        state=_state(state),
    )
    address = f"{WEBHOOKS_PATH}/{endpoint_id}"
    chosen = {"state": state} if _state(state) else {}
    more = chosen | ({"after": page.deliveries[-1].id} if page.has_more else {})
    is_moving = after is None and any(_is_soon(one) for one in page.deliveries)
    return {
        "address": address,
        "deliveries": page.deliveries,
        "state": state if chosen else "",
        "is_moving": is_moving,
        "more": f"{address}?{urlencode(more)}" if page.has_more else "",
        "first": f"{address}?{urlencode(chosen)}" if after else "",
    }
