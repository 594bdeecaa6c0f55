"""Owner pages: what runs, who is next, and the workers, live."""

from typing import Annotated, TypedDict

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from gen_video.console.actors import actor_of
from gen_video.console.routes.overview import PATH
from gen_video.console.views import render
from gen_video.console.visits import AdminDep, ServicesDep
from gen_video.generation.models import QueueFigures
from gen_video.generation.orders import Order, OrderAction
from gen_video.generation.workforce import Floor
from gen_video.wiring import Services

FLOOR_PATH = f"{PATH}/queue"
SWITCHES = {"drain": OrderAction.DRAIN, "resume": OrderAction.RESUME}

router = APIRouter(prefix=FLOOR_PATH)


class FloorFacts(TypedDict):
    """What the templates name."""

    floor: Floor
    figures: QueueFigures
    pending: dict[tuple[str, str], Order]


@router.get("")
async def get_floor(
    request: Request, _visit: AdminDep, services: ServicesDep, done: str = ""
) -> Response:
    """Show the workers and the queues."""
    facts = await _facts(services)
    return render(request, "pages/floor.html", done=done, **facts)


@router.get("/live")
async def get_live_floor(request: Request, _visit: AdminDep, services: ServicesDep) -> Response:
    """Return what changes, for a page that keeps it fresh."""
    return render(request, "parts/floor.html", **await _facts(services))


@router.post("/workers/{worker_id}")
async def switch_worker(
    visit: AdminDep,
    services: ServicesDep,
    worker_id: str,
    action: Annotated[str, Form(pattern="^(drain|resume)$")],
) -> Response:
    """Let a worker finish and take nothing more, or take jobs again."""
    await services.threads.run(
        services.workforce.give_order, worker_id, SWITCHES[action], by=actor_of(visit)
    )
    return RedirectResponse(f"{FLOOR_PATH}?done={action}", status_code=303)


async def _facts(services: Services) -> FloorFacts:
    run = services.threads.run
    floor = await run(services.workforce.read_floor)
    figures = await run(services.queue_figures)
    page = await run(services.workforce.list_orders, limit=20)
    pending = {
        (order.worker_id, order.action.value): order
        for order in page.orders
        if order.state.value == "pending"
    }
    return {"floor": floor, "figures": figures, "pending": pending}
