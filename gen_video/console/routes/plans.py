"""Owner pages: what each plan allows."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from gen_video.accounts.errors import PlanExistsError
from gen_video.console.actors import actor_of
from gen_video.console.plan_form import FIGURES, new_plan, read_plan_form
from gen_video.console.routes.overview import PATH
from gen_video.console.views import render
from gen_video.console.visits import AdminDep, ServicesDep
from gen_video.errors import InvalidRequestError, ServiceError
from gen_video.wiring import Services

PLANS_PATH = f"{PATH}/plans"

router = APIRouter(prefix=PLANS_PATH)


@router.get("")
async def get_plans(
    request: Request, _visit: AdminDep, services: ServicesDep, done: str = ""
) -> Response:
    """Show every plan with a form to change it."""
    return await _page(request, services, done=done)


@router.post("")
async def create_plan(
    request: Request,
    visit: AdminDep,
    services: ServicesDep,
    plan_id: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """Add a plan; its figures are those of the smallest one until they are changed."""
    try:
        plan = new_plan(plan_id.strip())
        await services.threads.run(services.roster.add_plan, plan, by=actor_of(visit))
    except (InvalidRequestError, PlanExistsError) as error:
        return await _page(request, services, error=error)
    return _back()


@router.post("/{plan_id}")
async def save_plan(
    request: Request, visit: AdminDep, services: ServicesDep, plan_id: str
) -> Response:
    """Change a plan."""
    old = await services.threads.run(services.accounts.get_plan, plan_id)
    values = {name: str(value) for name, value in (await request.form()).items()}
    try:
        plan = read_plan_form(old, values)
    except InvalidRequestError as error:
        return await _page(request, services, error=error, opened=plan_id)
    await services.threads.run(services.accounts.save_plan, plan, by=actor_of(visit))
    return _back()


def _back() -> Response:
    return RedirectResponse(f"{PLANS_PATH}?done=saved", status_code=HTTPStatus.SEE_OTHER)


async def _page(
    request: Request,
    services: Services,
    *,
    done: str = "",
    opened: str = "",
    error: ServiceError | None = None,
) -> Response:
    plans = await services.threads.run(services.accounts.list_plans)
    counts = await services.threads.run(services.roster.count_by_plan)
    return render(
        request,
        "pages/plans.html",
        status=HTTPStatus.OK if error is None else error.status,
        plans=plans,
        counts=counts,
        figures=FIGURES,
        opened=opened,
        done=done,
        error=error,
    )
