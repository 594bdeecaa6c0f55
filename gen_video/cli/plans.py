"""`gen-video plans`: what each plan allows."""

from dataclasses import asdict, replace
from typing import Annotated

import typer

from gen_video.accounts.errors import UnknownPlanError
from gen_video.accounts.models import DEFAULT_PLANS, Plan
from gen_video.accounts.service import AccountService
from gen_video.cli.configuration import open_services
from gen_video.cli.identity import this_operator
from gen_video.cli.terminal import note, print_rows

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Plans. / 管理套餐。")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON / 输出 JSON")]
Figure = Annotated[int | None, typer.Option(min=0)]
Count = Annotated[int | None, typer.Option(min=1)]


@app.command("list")
def list_plans(*, is_json: AsJson = False) -> None:
    """List all plans with their figures.

    列出全部套餐。
    """
    with open_services() as services:
        plans = services.accounts.list_plans()
    print_rows([asdict(plan) for plan in plans], is_json=is_json)


@app.command("set")
def set_plan(
    plan_id: Annotated[str, typer.Argument(help="Plan; a new name adds one / 套餐，新名称则新增")],
    *,
    title_en: Annotated[str | None, typer.Option()] = None,
    title_zh: Annotated[str | None, typer.Option()] = None,
    images_per_day: Figure = None,
    videos_per_day: Figure = None,
    max_in_flight: Count = None,
    max_pictures: Count = None,
    max_work: Count = None,
    max_video_work: Count = None,
    weight: Count = None,
    max_running: Figure = None,
    requests_per_minute: Figure = None,
    tier: Annotated[str | None, typer.Option(help="Name in responses / 响应中的等级名")] = None,
) -> None:
    """Change figures of a plan, or add a plan; what is not given stays as it is.

    修改或新增套餐，未给出的项保持不变。
    """
    chosen = {
        "title_en": title_en,
        "title_zh": title_zh,
        "images_per_day": images_per_day,
        "videos_per_day": videos_per_day,
        "max_in_flight": max_in_flight,
        "max_pictures": max_pictures,
        "max_work": max_work,
        "max_video_work": max_video_work,
        "weight": weight,
        "max_running": max_running,
        "requests_per_minute": requests_per_minute,
        "tier": tier,
    }
    with open_services() as services:
        old = _find_or_new(services.accounts, plan_id)
        plan = _change(old, chosen)
        is_new = plan_id not in {known.id for known in services.accounts.list_plans()}
        services.accounts.save_plan(plan, by=this_operator())
    if is_new:
        note(f"Added the new plan {plan_id}.", f"已新增套餐 {plan_id}。")
        return
    note(f"Saved plan {plan_id}.", f"已保存套餐 {plan_id}。")
    is_lower = plan.images_per_day < old.images_per_day or plan.videos_per_day < old.videos_per_day
    if is_lower:
        note("The lower limit counts from tomorrow.", "降低的额度从明天起生效。")


def _find_or_new(accounts: AccountService, plan_id: str) -> Plan:
    try:
        return accounts.get_plan(plan_id)
    except UnknownPlanError:
        return replace(
            DEFAULT_PLANS[0], id=plan_id, tier=plan_id, title_en=plan_id, title_zh=plan_id
        )


def _change(plan: Plan, chosen: dict[str, str | int | None]) -> Plan:
    given = {name: value for name, value in chosen.items() if value is not None}
    return Plan(**(asdict(plan) | given))
