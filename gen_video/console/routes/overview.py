"""Owner pages: how the service does, against what it is to reach."""

from datetime import timedelta
from typing import Annotated, Protocol, TypedDict, cast

from fastapi import APIRouter, Query, Request, Response

from gen_video.calls.models import Answers
from gen_video.console.charts import Chart, Series
from gen_video.console.languages import load_translations
from gen_video.console.navigation import N_
from gen_video.console.views import render
from gen_video.console.visits import AdminDep, ServicesDep, Visit
from gen_video.generation.models import QueueFigures
from gen_video.insights.models import Goals, ModelFigures, Overview, SpanFigures
from gen_video.insights.service import GOALS
from gen_video.wiring import Services

PATH = "/console/owner"
SPANS = (7, 30, 90)
DAY = timedelta(days=1)
PERCENT = 100
WORDS = {
    "succeeded": N_("Succeeded"),
    "failed": N_("Failed"),
    "rate": N_("Success rate"),
    "mean": N_("Mean"),
    "p95": N_("95th percentile"),
    "users": N_("Active users"),
}

router = APIRouter(prefix=PATH)


class Health(Protocol):
    """What the web process knows of its parts; `status` is ok, degraded or draining."""

    status: str
    checks: object


class HealthCheck(Protocol):
    """Looks at the parts of the service, at most once a second."""

    async def look(self, *, is_draining: bool) -> Health:
        """Return the findings."""
        ...


class TileFacts(TypedDict):
    """What the templates of the tiles name."""

    health: Health
    answers: Answers
    figures: QueueFigures
    last_day: SpanFigures
    today: SpanFigures
    models: tuple[ModelFigures, ...]
    goals: Goals


async def read_health(request: Request) -> Health:
    """Return how the parts of the service are."""
    check = cast("HealthCheck", request.app.state.health)
    return await check.look(is_draining=request.app.state.drain.is_leaving)


@router.get("")
async def get_overview(
    request: Request,
    visit: AdminDep,
    services: ServicesDep,
    days: Annotated[int, Query(ge=1, le=90)] = 30,
) -> Response:
    """Show tiles and charts."""
    overview = await services.threads.run(services.insights.read_overview, days=days)
    return render(
        request,
        "pages/overview.html",
        days=days,
        spans=SPANS,
        charts=make_charts(overview, visit),
        **await _tiles(request, services, overview),
    )


@router.get("/tiles")
async def get_tiles(request: Request, _visit: AdminDep, services: ServicesDep) -> Response:
    """Return the tiles alone, for a page that keeps them fresh."""
    overview = await services.threads.run(services.insights.read_overview, days=1)
    return render(request, "parts/overview_tiles.html", **await _tiles(request, services, overview))


async def _tiles(request: Request, services: Services, overview: Overview) -> TileFacts:
    run = services.threads.run
    answers: Answers = await run(services.calls.count_answers, within=DAY)
    figures: QueueFigures = await run(services.queue_figures)
    return {
        "health": await read_health(request),
        "answers": answers,
        "figures": figures,
        "last_day": overview.last_day,
        "today": overview.days[-1].figures,
        "models": overview.models,
        "goals": GOALS,
    }


def make_charts(overview: Overview, visit: Visit) -> dict[str, Chart]:
    """Return the charts of the overview, with words of the visitor's language."""
    translate = load_translations(visit.language).gettext
    words = {name: translate(text) for name, text in WORDS.items()}
    days = tuple(one.day for one in overview.days)
    figures = [one.figures for one in overview.days]

    def series(name: str, values: list[float | None]) -> Series:
        return Series(label=words[name], values=tuple(values))

    rates = [None if f.success_rate is None else PERCENT * f.success_rate for f in figures]
    return {
        "jobs": Chart(
            days=days,
            series=(
                series("succeeded", [f.succeeded for f in figures]),
                series("failed", [f.failed for f in figures]),
            ),
        ),
        "rate": Chart(
            days=days,
            series=(series("rate", rates),),
            kind="lines",
            unit="%",
            target=PERCENT * GOALS.success_rate,
        ),
        "seconds": Chart(
            days=days,
            series=(
                series("mean", [f.mean_seconds for f in figures]),
                series("p95", [f.p95_seconds for f in figures]),
            ),
            kind="lines",
            unit="s",
            target=GOALS.p95_seconds,
        ),
        "users": Chart(
            days=days,
            series=(series("users", [f.active_accounts for f in figures]),),
            target=GOALS.daily_accounts,
        ),
    }
