"""`gen-video users`: who may use the service."""

import sys
from typing import Annotated

import typer

from gen_video.accounts.models import AccountRow, Role
from gen_video.accounts.passwords import make_password
from gen_video.cli.configuration import open_services
from gen_video.cli.identity import this_operator
from gen_video.cli.terminal import Cell, note, print_json, print_rows

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Users. / 管理用户。")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON / 输出 JSON")]
Name = Annotated[str, typer.Argument(help="User name / 用户名")]


@app.command()
def create(
    name: Name,
    plan: Annotated[str, typer.Option(help="Plan / 套餐")] = "free",
    *,
    email: Annotated[
        str | None, typer.Option(help="To sign in to the console with / 控制台登录邮箱")
    ] = None,
    is_admin: Annotated[bool, typer.Option("--admin", help="May run the service / 管理员")] = False,
    is_json: AsJson = False,
) -> None:
    """Add a user; give them a key with `gen-video keys create`, a password with `users password`.

    添加用户；再用 keys create 发放密钥，用 users password 设置密码。
    """
    role = Role.ADMIN if is_admin else Role.MEMBER
    with open_services() as services:
        row = services.people.create(name, plan_id=plan, email=email, role=role, by=this_operator())
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
        row = services.accounts.set_plan(name, plan_id=plan, by=this_operator())
    note(f"{row.name} is on plan {row.plan_id}.", f"{row.name} 的套餐为 {row.plan_id}。")


@app.command("email")
def set_email(name: Name, email: Annotated[str, typer.Argument(help="E-mail / 邮箱")]) -> None:
    """Set what a user signs in to the console with.

    设置用户登录控制台的邮箱。
    """
    with open_services() as services:
        row = services.people.set_email(name, email, by=this_operator())
    note(f"{row.name} signs in as {row.email}.", f"{row.name} 的登录邮箱为 {row.email}。")


@app.command("password")
def set_password(
    name: Name,
    *,
    is_generated: Annotated[
        bool, typer.Option("--generate", help="Make one and print it / 生成并打印")
    ] = False,
) -> None:
    """Set a user's password for the console; the user is signed out everywhere.

    设置用户的控制台密码；该用户的所有登录随即失效。
    """
    password = make_password() if is_generated else _ask_password()
    with open_services() as services:
        row = services.people.set_password(name, password, by=this_operator())
    note(f"{row.name} has a new password.", f"已为 {row.name} 设置新密码。")
    if is_generated:
        typer.echo(password)


@app.command("role")
def set_role(name: Name, role: Annotated[Role, typer.Argument(help="Role / 角色")]) -> None:
    """Make a user an admin of the service, or a member again.

    将用户设为管理员，或恢复为普通用户。
    """
    with open_services() as services:
        row = services.people.set_role(name, role, by=this_operator())
    note(f"{row.name} is {row.role}.", f"{row.name} 的角色为 {row.role}。")


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
        services.accounts.set_disabled(name, is_disabled=is_disabled, by=this_operator())


def _ask_password() -> str:
    """Read a password from the terminal twice, or once from what is piped in."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    asked: str = typer.prompt("Password / 密码", hide_input=True, confirmation_prompt=True)
    return asked


def _cells(row: AccountRow) -> dict[str, Cell]:
    return {
        "name": row.name,
        "email": row.email,
        "role": row.role.value,
        "plan": row.plan_id,
        "unfinished_jobs": row.in_flight,
        "disabled": row.is_disabled,
        "created_at": row.created_at,
        "id": row.id,
    }
