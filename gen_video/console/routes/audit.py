"""Owner pages: who did what."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from gen_video.audit_log.models import Action
from gen_video.console.navigation import N_
from gen_video.console.routes.overview import PATH
from gen_video.console.views import render
from gen_video.console.visits import AdminDep, ServicesDep

AUDIT_PATH = f"{PATH}/audit"
PAGE = 50
ACTION_WORDS = {
    Action.USER_CREATED: N_("User added"),
    Action.USER_PLAN_CHANGED: N_("Plan of a user changed"),
    Action.USER_DISABLED: N_("User disabled"),
    Action.USER_ENABLED: N_("User enabled"),
    Action.USER_EMAIL_CHANGED: N_("E-mail of a user changed"),
    Action.USER_ROLE_CHANGED: N_("Role of a user changed"),
    Action.USER_PASSWORD_SET: N_("Password of a user set"),
    Action.PLAN_SAVED: N_("Plan saved"),
    Action.KEY_CREATED: N_("Key created"),
    Action.KEY_REVOKED: N_("Key revoked"),
    Action.WORKER_DRAIN: N_("Worker drained"),
    Action.WORKER_RESUME: N_("Worker resumed"),
    Action.MODEL_LOAD: N_("Model loaded"),
    Action.MODEL_UNLOAD: N_("Model unloaded"),
    Action.MODEL_CHECK: N_("Model checked"),
}
DOORS = {
    "console": N_("Console"),
    "command_line": N_("Command line"),
    "program": N_("The service itself"),
}

router = APIRouter(prefix=AUDIT_PATH)


@router.get("")
async def get_audit(
    request: Request,
    _visit: AdminDep,
    services: ServicesDep,
    after: Annotated[str | None, Query(max_length=60)] = None,
    action: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Show a page of the audit log, newest first."""
    chosen = next((kind for kind in Action if kind.value == action), None)
    page = await services.threads.run(
        services.audit_log.list_entries, limit=PAGE, after=after, action=chosen
    )
    query = {"action": chosen.value} if chosen else {}
    more = query | ({"after": page.entries[-1].id} if page.has_more else {})
    return render(
        request,
        "pages/audit.html",
        entries=page.entries,
        chosen="" if chosen is None else chosen.value,
        words=ACTION_WORDS,
        doors=DOORS,
        more=f"{AUDIT_PATH}?{urlencode(more)}" if page.has_more else "",
        first=f"{AUDIT_PATH}?{urlencode(query)}" if after else "",
    )
