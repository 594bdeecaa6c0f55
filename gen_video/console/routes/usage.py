"""Developer pages: what was used, by day, model and key, and what is left today."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from gen_video.accounts.models import KeyRow
from gen_video.console.charts import Chart, stack
from gen_video.console.languages import load_translations
from gen_video.console.navigation import N_
from gen_video.console.routes.keys import PATH
from gen_video.console.usage_table import summarize
from gen_video.console.views import render
from gen_video.console.visits import ServicesDep, SessionDep
from gen_video.insights.models import UsageRow

SPANS = (7, 30, 90)
GROUPS = {"model": N_("By model"), "key": N_("By key")}
CONSOLE = N_("Console")
OTHERS = N_("Others")

router = APIRouter(prefix=PATH)


@router.get("/usage")
async def get_usage(
    request: Request,
    visit: SessionDep,
    services: ServicesDep,
    days: Annotated[int, Query(ge=1, le=90)] = 30,
    group: Annotated[str, Query(max_length=10)] = "model",
) -> Response:
    """Show charts of the last days, and today's quota."""
    run = services.threads.run
    quota = await run(services.quotas.read, visit.caller)
    rows = await run(services.insights.list_usage, visit.caller, days=days)
    keys = await run(services.roster.list_own_keys, visit.caller)
    shown = await run(services.insights.list_days, days)
    translate = load_translations(visit.language).gettext
    names = _key_names(keys)
    console = translate(CONSOLE)
    is_by_key = group == "key"

    def name_of(row: UsageRow) -> str:
        return names.get(row.key_id, console) if is_by_key else row.model

    charts = {
        kind: Chart(
            days=shown,
            series=stack(
                shown,
                [(row.day, name_of(row), row.units) for row in rows if row.kind == kind],
                others=translate(OTHERS),
            ),
        )
        for kind in ("image", "video")
    }
    return render(
        request,
        "pages/usage.html",
        quota=quota,
        charts=charts,
        by_model=summarize(rows, lambda row: row.model),
        by_key=summarize(rows, lambda row: names.get(row.key_id, console)),
        jobs=sum(row.jobs for row in rows),
        succeeded=sum(row.succeeded for row in rows),
        days=days,
        spans=SPANS,
        group="key" if is_by_key else "model",
        groups=GROUPS,
    )


def _key_names(keys: list[KeyRow]) -> dict[str, str]:
    return {row.id: row.label or f"…{row.hint}" for row in keys}
