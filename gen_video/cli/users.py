"""`gen-video users`: who may use the service."""

from typing import Annotated

import typer

from gen_video.accounts.models import AccountRow
from gen_video.cli.configuration import open_services
from gen_video.cli.terminal import Cell, note, print_json, print_rows

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Users. / 管理用户。")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON / 输出 JSON")]
Name = Annotated[str, typer.Argument(help="User name / 用户名")]


@app.command()
def create(
    name: Name,
    plan: Annotated[str, typer.Option(help="Plan / 套餐")] = "free",
    *,
    is_json: AsJson = False,
) -> None:
    """Add a user; give them a key with `gen-video keys create`.

    添加用户；再用 keys create 发放密钥。
    """
    with open_services() as services:
        row = services.accounts.create_account(name, plan_id=plan)
    if is_json:
        print_json(_cells(row))
        return
    note(f"Created {row.name} on plan {row.plan_id}.", f"已创建 {row.name}，套餐 {row.plan_id}。")


@app.command("list")
def list_users(*, is_json: AsJson = False) -> None:
    """List all users.

    列出全部用户。
    """
    with open_services() as services:
        rows = services.accounts.list_accounts()
    print_rows([_cells(row) for row in rows], is_json=is_json)


@app.command("plan")
def set_plan(name: Name, plan: Annotated[str, typer.Argument(help="Plan / 套餐")]) -> None:
    """Move a user to a plan: up counts at once, down from tomorrow.

    更换套餐：升级立即生效，降级次日生效。
    """
    with open_services() as services:
        row = services.accounts.set_plan(name, plan_id=plan)
    note(f"{row.name} is on plan {row.plan_id}.", f"{row.name} 的套餐为 {row.plan_id}。")


@app.command()
def disable(name: Name) -> None:
    """Close a user's access.

    停用用户。
    """
    _set_disabled(name, is_disabled=True)
    note(f"{name} is disabled.", f"{name} 已停用。")


@app.command()
def enable(name: Name) -> None:
    """Open a user's access again.

    恢复用户。
    """
    _set_disabled(name, is_disabled=False)
    note(f"{name} is enabled.", f"{name} 已启用。")


def _set_disabled(name: str, *, is_disabled: bool) -> None:
    with open_services() as services:
        services.accounts.set_disabled(name, is_disabled=is_disabled)


def _cells(row: AccountRow) -> dict[str, Cell]:
    return {
        "name": row.name,
        "plan": row.plan_id,
        "unfinished_jobs": row.in_flight,
        "disabled": row.is_disabled,
        "created_at": row.created_at,
        "id": row.id,
    }
