"""Developer pages: the API requests of the last seven days, with their request ids."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from gen_video.console.routes.keys import PATH
from gen_video.console.views import render
from gen_video.console.visits import ServicesDep, SessionDep

PAGE = 50

router = APIRouter(prefix=PATH)


@router.get("/requests")
async def get_requests(
    request: Request,
    visit: SessionDep,
    services: ServicesDep,
    after: Annotated[int | None, Query()] = None,
    only: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    """Show a page of requests, newest first."""
    is_errors = only == "errors"
    run = services.threads.run
    page = await run(
        services.calls.list_calls,
        visit.caller.account_id,
        limit=PAGE,
        after=after,
        only_errors=is_errors,
    )
    keys = await run(services.roster.list_own_keys, visit.caller)
    return render(
        request,
        "pages/requests.html",
        calls=[logged.call for logged in page.calls],
        key_names={row.id: row.label or f"…{row.hint}" for row in keys},
        is_errors=is_errors,
        is_first=after is None,
        more=_address(is_errors, page.calls[-1].id) if page.has_more else "",
        first=_address(is_errors, None) if after is not None else "",
    )


def _address(is_errors: bool, after: int | None) -> str:  # noqa: FBT001 - private
    query = ({"only": "errors"} if is_errors else {}) | ({"after": after} if after else {})
    return f"{PATH}/requests?{urlencode(query)}" if query else f"{PATH}/requests"
