"""Owner pages: the models on offer, where they are loaded, and whether they work."""

from typing import Annotated, TypedDict

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from gen_video.console.actors import actor_of
from gen_video.console.routes.overview import PATH
from gen_video.console.views import render
from gen_video.console.visits import AdminDep, ServicesDep
from gen_video.engines.catalogue import ModelSpec
from gen_video.generation.orders import Order, OrderAction
from gen_video.generation.registry_store import WorkerRow
from gen_video.wiring import Services

MODELS_PATH = f"{PATH}/models"
ORDERS = {
    "load": OrderAction.LOAD,
    "unload": OrderAction.UNLOAD,
    "check": OrderAction.CHECK,
}
SHOWN_ORDERS = 20

router = APIRouter(prefix=MODELS_PATH)


class ModelFacts(TypedDict):
    """What the templates name."""

    models: list[ModelSpec]
    defaults: tuple[str, str]
    workers: tuple[WorkerRow, ...]
    orders: list[Order]
    pending: set[tuple[str, str | None, str]]


@router.get("")
async def get_models(
    request: Request, _visit: AdminDep, services: ServicesDep, done: str = ""
) -> Response:
    """Show every model with the workers that run it."""
    facts = await _facts(services)
    return render(request, "pages/owner_models.html", done=done, **facts)


@router.get("/live")
async def get_live_models(request: Request, _visit: AdminDep, services: ServicesDep) -> Response:
    """Return what changes, for a page that keeps it fresh."""
    return render(request, "parts/owner_models.html", **await _facts(services))


@router.post("/{model_id}")
async def order_model(
    visit: AdminDep,
    services: ServicesDep,
    model_id: str,
    worker_id: Annotated[str, Form(max_length=80)],
    action: Annotated[str, Form(pattern="^(load|unload|check)$")],
) -> Response:
    """Ask a worker to load, unload or try a model."""
    await services.threads.run(
        services.workforce.give_order,
        worker_id,
        ORDERS[action],
        model=model_id,
        by=actor_of(visit),
    )
    return RedirectResponse(f"{MODELS_PATH}?done={action}", status_code=303)


async def _facts(services: Services) -> ModelFacts:
    run = services.threads.run
    workers = await run(services.workforce.list_workers)
    page = await run(services.workforce.list_orders, limit=SHOWN_ORDERS)
    orders = [order for order in page.orders if order.action.needs_model]
    pending = {
        (order.worker_id, order.model, order.action.value)
        for order in orders
        if order.state.value == "pending"
    }
    return {
        "models": services.catalogue.list_models(),
        "defaults": (
            services.settings.default_image_model,
            services.settings.default_video_model,
        ),
        "workers": workers,
        "orders": orders,
        "pending": pending,
    }
